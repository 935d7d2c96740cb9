import ConvexSolver
public import LinearAlgebra

/// Trades of several periods planned at once, of which only the first is made: forecasts that fade or turn are worth less trading than
/// those that last.
///
///     minimise  sum_t [ h (lambda/2 (w_t - w*)' Sigma (w_t - w*) - alpha_t' w_t) + c'(b_t + s_t) ]
///     subject to w_t = w_(t-1) + b_t - s_t,  b, s >= 0,  low <= w_t <= high,  1'w_t + c' costs <= 1 - cash
///
/// h is the length of a period in years, alpha_t annual forecasts beyond cash. Source: Boyd, Busseti, Diamond, Kahn, Koh, Nystrup and Speth
/// (2017), Multi-period trading via convex optimization, section 5; Garleanu and Pedersen (2013) for why it pays.
public struct LookAhead: Sendable {
    public var start: [Double]
    public var target: [Double]
    public var covariance: Matrix
    public var riskAversion: Double
    /// Years of a period.
    public var period: Double
    /// Annual forecasts, a period after the other; the last holds on.
    public var forecasts: [[Double]]
    /// One-way cost of a unit of weight, by asset.
    public var costs: [Double]
    public var lowest: [Double]
    public var highest: [Double]
    /// Least weight of cash.
    public var cashFloor: Double

    public init(
        start: [Double], target: [Double], covariance: Matrix, riskAversion: Double, period: Double,
        forecasts: [[Double]], costs: [Double], lowest: [Double], highest: [Double], cashFloor: Double
    ) {
        self.start = start
        self.target = target
        self.covariance = covariance
        self.riskAversion = riskAversion
        self.period = period
        self.forecasts = forecasts
        self.costs = costs
        self.lowest = lowest
        self.highest = highest
        self.cashFloor = cashFloor
    }

    /// Weights after each period; nil where the limits leave no room or the sizes do not fit together.
    public func weights(periods: Int) -> [[Double]]? {
        let n = start.count
        guard n > 0, periods > 0, target.count == n, costs.count == n, lowest.count == n, highest.count == n,
            covariance.rows == n, covariance.columns == n, forecasts.allSatisfy({ $0.count == n })
        else { return nil }
        // What may neither be bought nor sold is no variable: limits that meet leave the method no interior.
        let free = (0..<n).filter { highest[$0] > start[$0] || lowest[$0] < start[$0] }
        if free.count < n { return weights(of: free, periods: periods) }
        // Variables: buys and sales of each period; weights are their running sums.
        let width = 2 * n * periods
        var P = Matrix(rows: width, columns: width)
        var q = [Double](repeating: 0, count: width)
        let away = zip(start, target).map { $0 - $1 }
        let pull = covariance.symmetricMultiplied(by: away)
        func buy(_ t: Int, _ i: Int) -> Int { 2 * n * t + i }
        func sale(_ t: Int, _ i: Int) -> Int { 2 * n * t + n + i }
        for s in 0..<periods {
            // A trade of period s is held in that and all later ones.
            for i in 0..<n {
                var slope = 0.0
                for t in s..<periods {
                    let alpha = forecasts.isEmpty ? 0 : forecasts[min(t, forecasts.count - 1)][i]
                    slope += period * (riskAversion * pull[i] - alpha)
                }
                q[buy(s, i)] = slope + costs[i]
                q[sale(s, i)] = -slope + costs[i]
            }
            for u in 0..<periods {
                let held = Double(periods - max(s, u)) * period * riskAversion
                for i in 0..<n {
                    for j in 0..<n {
                        let value = held * covariance[i, j]
                        P[buy(s, i), buy(u, j)] = value
                        P[sale(s, i), sale(u, j)] = value
                        P[buy(s, i), sale(u, j)] = -value
                        P[sale(s, i), buy(u, j)] = -value
                    }
                }
            }
        }
        for i in 0..<width { P[i, i] += 1e-9 * max(1e-6, riskAversion * covariance.maximumMagnitude) }
        var G = Matrix(rows: periods * (2 * n + 1), columns: width)
        var h = [Double](repeating: 0, count: periods * (2 * n + 1))
        for t in 0..<periods {
            let row = t * (2 * n + 1)
            for i in 0..<n {
                for s in 0...t {
                    G[row + i, buy(s, i)] = 1
                    G[row + i, sale(s, i)] = -1
                    G[row + n + i, buy(s, i)] = -1
                    G[row + n + i, sale(s, i)] = 1
                    G[row + 2 * n, buy(s, i)] = 1 + costs[i]
                    G[row + 2 * n, sale(s, i)] = -1 + costs[i]
                }
                h[row + i] = max(highest[i], start[i]) - start[i]
                h[row + n + i] = start[i] - min(lowest[i], start[i])
            }
            h[row + 2 * n] = max(0, 1 - start.reduce(0, +) - cashFloor)
        }
        let program = QuadraticProgram(
            P: P, q: q, G: G, h: h, lower: [Double](repeating: 0, count: width),
            upper: [Double](repeating: 1e3, count: width))
        guard let solution = try? InteriorPointMethod.solve(program), solution.status == .optimal else { return nil }
        var weights: [[Double]] = []
        var now = start
        for t in 0..<periods {
            for i in 0..<n { now[i] += solution.x[buy(t, i)] - solution.x[sale(t, i)] }
            weights.append(now)
        }
        return weights
    }

    /// The same with the other assets where they are: their deviations pull at the free ones like forecasts, and their weight is not cash.
    private func weights(of free: [Int], periods: Int) -> [[Double]]? {
        let fixed = Set(start.indices).subtracting(free).sorted()
        guard !free.isEmpty else { return (0..<periods).map { _ in start } }
        var sub = Matrix(rows: free.count, columns: free.count)
        for (a, i) in free.enumerated() { for (b, j) in free.enumerated() { sub[a, b] = covariance[i, j] } }
        let pull = free.map { i in
            fixed.reduce(0.0) { $0 + covariance[i, $1] * (start[$1] - target[$1]) } * riskAversion
        }
        let periodsAhead = forecasts.isEmpty ? [[Double](repeating: 0, count: start.count)] : forecasts
        let smaller = LookAhead(
            start: free.map { start[$0] }, target: free.map { target[$0] }, covariance: sub, riskAversion: riskAversion,
            period: period, forecasts: periodsAhead.map { all in zip(free, pull).map { all[$0] - $1 } },
            costs: free.map { costs[$0] }, lowest: free.map { lowest[$0] }, highest: free.map { highest[$0] },
            cashFloor: cashFloor + fixed.reduce(0.0) { $0 + start[$1] })
        return smaller.weights(periods: periods)?.map { found in
            var all = start
            for (place, i) in free.enumerated() { all[i] = found[place] }
            return all
        }
    }
}
