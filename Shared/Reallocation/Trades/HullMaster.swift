import LinearAlgebra

/// Weights of each asset's choices that make objective and rows best, for a given list of choices: the convex relaxation over it.
///
///     minimise   sum_ij c_ij x_ij + |y|^2 / 2 + penalty sum_q e_q
///     subject to y = y0 + sum_ij beta_i k_ij x_ij,   sum_ij rho_ijq x_ij + s_q - e_q = R_q,   sum_j x_ij = 1,   x, s, e >= 0
///
/// A feasible primal-dual interior-point method with predictor and corrector. The choices of one asset are eliminated by themselves, so that a
/// step solves a system of as many unknowns as there are factors and rows. Source: Mehrotra (1992), On the implementation of a
/// primal-dual interior point method; Dantzig and Wolfe (1960) for the choices as columns.
///
/// What it holds is changed by its own steps (`HullMaster+Newton.swift`) alone.
struct HullMaster {
    let columns: Columns
    /// Loadings for a step, an asset's factors side by side.
    let loadings: [Double]
    let factors: Int
    let exposure: [Double]
    let limits: [Double]
    /// The most that a unit of a row may cost.
    let penalties: [Double]

    var x: [Double]
    var y: [Double]
    var multipliers: [Double]
    /// What each asset's best choice costs at the prices of the rows and the factors.
    var best: [Double]
    var t: [Double]
    /// Steps and rows of each choice in one vector; empty where there are more rows than lanes.
    let lanes: [HullLanes.Lane]
    /// x / t at the present point.
    var theta: [Double] = []
    var missing: (y: [Double], rows: [Double], size: Double) = ([], [], 0)
    var slack: [Double]
    var excess: [Double]

    var assets: Int { columns.starts.count - 1 }
    var m: Int { limits.count }

    init(
        _ columns: Columns, loadings: [Double], factors: Int, exposure: [Double], limits: [Double], penalties: [Double],
        multipliers start: [Double], center: [Double], barrier: Double
    ) {
        self.columns = columns
        self.loadings = loadings
        self.factors = factors
        self.exposure = exposure
        self.limits = limits
        self.penalties = penalties
        let n = columns.starts.count - 1
        lanes = HullLanes.lanes(of: columns, rows: limits.count)
        x = columns.k.map { _ in 0 }
        t = x
        best = [Double](repeating: 0, count: n)
        multipliers = zip(start, penalties).map { min(max($0, 1e-3 * $1), 0.7 * $1) }
        slack = limits
        excess = limits
        y = exposure
        for i in 0..<n where center[i] != 0 {
            for f in 0..<factors { y[f] += loadings[i * factors + f] * center[i] }
        }
        // As far from the boundary as the equations are from being met.
        var barrier = barrier
        for _ in 0..<5 {
            begin(at: barrier)
            let needed = residuals().size / Double(max(1, x.count))
            guard needed > 2 * barrier else { break }
            barrier = needed
        }
    }

    /// Weights, slacks and excesses with which all products of a variable and its price are the same.
    mutating func begin(at barrier: Double) {
        slack = multipliers.map { barrier / $0 }
        excess = zip(multipliers, penalties).map { barrier / ($1 - $0) }
        for i in 0..<assets {
            let range = columns.starts[i]..<columns.starts[i + 1]
            let slope = slope(i)
            var least = Double.infinity
            for j in range {
                t[j] = price(j, slope)
                least = min(least, t[j])
            }
            var margin = barrier
            for _ in 0..<30 {
                var (sum, fall) = (0.0, 0.0)
                for j in range {
                    let part = barrier / (t[j] - least + margin)
                    sum += part
                    fall += part * part / barrier
                }
                guard sum > 1 + 1e-9 else { break }
                margin += (sum - 1) / fall
            }
            best[i] = least - margin
            var sum = 0.0
            for j in range {
                t[j] -= best[i]
                x[j] = barrier / t[j]
                sum += x[j]
            }
            for j in range { x[j] /= sum }
        }
    }

    func slope(_ i: Int) -> Double {
        var sum = 0.0
        for f in 0..<factors { sum += loadings[i * factors + f] * y[f] }
        return sum
    }

    func price(_ j: Int, _ slope: Double) -> Double {
        var sum = columns.cost[j] + slope * columns.k[j]
        for q in 0..<m { sum += multipliers[q] * columns.rows[j * m + q] }
        return sum
    }

    /// y0 + sum beta k x, and the rows' totals.
    func sums(_ x: [Double]) -> (y: [Double], rows: [Double]) {
        let (m, factors) = (self.m, self.factors)
        let (k, values, starts, loadings) = (columns.k, columns.rows, columns.starts, self.loadings)
        var y = exposure
        var rows = [Double](repeating: 0, count: m)
        if !lanes.isEmpty {
            HullLanes.addSums(x, lanes, starts: starts, loadings: loadings, factors: factors, to: &y, &rows)
            return (y, rows)
        }
        for i in 0..<assets {
            var sum = 0.0
            for j in starts[i]..<starts[i + 1] {
                sum += k[j] * x[j]
                for q in 0..<m { rows[q] += values[j * m + q] * x[j] }
            }
            if sum != 0 { for f in 0..<factors { y[f] += loadings[i * factors + f] * sum } }
        }
        return (y, rows)
    }

    /// Objective of the relaxation at the present weights.
    var objective: Double {
        var sum = 0.0
        for j in x.indices { sum += columns.cost[j] * x[j] }
        for f in 0..<factors { sum += 0.5 * y[f] * y[f] }
        for q in limits.indices { sum += penalties[q] * excess[q] }
        return sum
    }

    /// What each choice costs beyond the best of its asset.
    var reducedCosts: [Double] { t }

    /// Mean steps of each asset.
    var means: [Double] {
        (0..<assets).map { i in
            (columns.starts[i]..<columns.starts[i + 1]).reduce(0) { $0 + columns.k[$1] * x[$1] }
        }
    }

    var complementarity: Double {
        var sum = 0.0
        for j in x.indices { sum += x[j] * t[j] }
        for q in limits.indices { sum += slack[q] * multipliers[q] + excess[q] * (penalties[q] - multipliers[q]) }
        return sum
    }
}
