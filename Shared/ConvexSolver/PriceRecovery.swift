import LinearAlgebra

/// Finds prices for a point that is optimal but whose prices the interior-point method could not settle.
///
/// Where the constraints have no interior (bounds and budget that admit a single portfolio) the prices of an interior-point
/// method grow without limit. Stationarity is then solved as a nonnegative least-squares problem over the active
/// constraints, which prefers few and small prices. Source: C. Lawson, R. Hanson, Solving Least Squares Problems (1974),
/// chapter 23, with the equality rows always in the passive set.
struct PriceRecovery {
    private let form: StandardForm
    /// Columns of the stationarity equations: equality rows, then active inequalities.
    private let lines: Matrix
    private let active: [Int]

    /// Prepares the recovery at x; nil where the problem is too large for a dense active-set method.
    init?(_ form: StandardForm, at x: [Double]) {
        self.form = form
        let image = form.inequalityProduct(x)
        let reach = Vector.normInfinity(x)
        active = (0..<form.inequalities).filter {
            form.d[$0] - image[$0] <= 1e-9 * max(reach, form.d[$0].magnitude)
        }
        let count = form.equalities + active.count
        guard form.variables <= 400, count <= 800 else { return nil }
        var lines = Matrix(rows: count, columns: form.variables)
        for j in 0..<form.variables {
            for i in 0..<form.equalities { lines[i, j] = form.A[i, j] }
        }
        for (k, i) in active.enumerated() {
            let row = form.equalities + k
            if i < form.rows {
                for j in 0..<form.variables { lines[row, j] = form.G[i, j] }
            } else if i < form.upperOffset {
                lines[row, form.lowerIndex[i - form.lowerOffset]] = -1
            } else {
                lines[row, form.upperIndex[i - form.upperOffset]] = 1
            }
        }
        self.lines = lines
    }

    /// The point x with recovered prices, as good as least squares can make them.
    func recover(_ x: [Double]) -> Iterate? {
        var target = form.quadraticProduct(x)
        Vector.axpy(1, form.q, &target)
        for j in target.indices { target[j] = -target[j] }
        let scale = Vector.normInfinity(target)
        guard scale > 0, scale.isFinite, let prices = leastSquares(target, tolerance: 1e-15 * scale) else { return nil }
        let image = form.inequalityProduct(x)
        var z = [Double](repeating: 0, count: form.inequalities)
        for (k, i) in active.enumerated() { z[i] = prices[form.equalities + k] }
        return Iterate(
            x: x, y: Array(prices[0..<form.equalities]), z: z, s: zip(form.d, image).map { $0 - $1 })
    }

    /// min |lines' prices - target|  with the prices of the inequalities nonnegative.
    private func leastSquares(_ target: [Double], tolerance: Double) -> [Double]? {
        let m = form.equalities
        var passive = Array(0..<m)
        var prices = [Double](repeating: 0, count: lines.rows)
        if m > 0 {
            guard let start = solve(passive, target) else { return nil }
            for (k, i) in passive.enumerated() { prices[i] = start[k] }
        }
        for _ in 0..<(3 * max(active.count, 1)) {
            let residual = self.residual(target, prices)
            guard Vector.normInfinity(residual) > tolerance else { break }
            let slopes = lines.multiplied(by: residual)
            let inside = Set(passive)
            let candidates = (m..<lines.rows).filter { !inside.contains($0) && slopes[$0] > tolerance }
            guard let entering = candidates.max(by: { slopes[$0] < slopes[$1] }) else { break }
            passive.append(entering)
            var settled = false
            while !settled {
                guard let trial = solve(passive, target) else { return prices }
                // Move towards the least-squares point as far as all prices stay nonnegative.
                var step = 1.0
                for (k, i) in passive.enumerated() where i >= m && trial[k] <= 0 {
                    step = min(step, prices[i] / (prices[i] - trial[k]))
                }
                guard step.isFinite else { return prices }
                for (k, i) in passive.enumerated() { prices[i] += step * (trial[k] - prices[i]) }
                settled = step >= 1
                if !settled {
                    let leaving = passive.filter {
                        $0 >= m && prices[$0] <= 1e-300 + 1e-16 * Vector.normInfinity(prices)
                    }
                    guard !leaving.isEmpty else { return prices }
                    for i in leaving { prices[i] = 0 }
                    passive.removeAll { leaving.contains($0) }
                    if leaving.contains(entering) { return prices }
                }
            }
        }
        return prices
    }

    private func residual(_ target: [Double], _ prices: [Double]) -> [Double] {
        var result = target
        lines.gemv(prices, transposed: true, scale: -1, beta: 1, into: &result)
        return result
    }

    /// Least squares on the passive columns through [I M; M' 0], refined.
    private func solve(_ passive: [Int], _ target: [Double]) -> [Double]? {
        let columns = lines.selecting(rows: passive)
        guard let system = try? AugmentedSystem(.identity(form.variables), columns, regularisation: 1e-13) else {
            return nil
        }
        var prices = [Double](repeating: 0, count: passive.count)
        for _ in 0..<3 {
            var rest = target
            columns.gemv(prices, transposed: true, scale: -1, beta: 1, into: &rest)
            let (_, change) = system.solve(rest, prices.map { _ in 0 })
            Vector.axpy(1, change, &prices)
        }
        return prices.allSatisfy { $0.isFinite } ? prices : nil
    }
}
