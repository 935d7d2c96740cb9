import LinearAlgebra

/// Solves the equality-constrained program on the active set of an interior point: machine precision, exact bounds.
///
/// The active set is corrected a few times (violated inequalities enter, negative prices leave). The linear systems are
/// regularised and refined, so dependent rows and singular P do no harm: the nearest solution to the interior point results.
struct Polish {
    private let form: StandardForm
    private let deadline: SolverDeadline

    init(_ form: StandardForm, _ deadline: SolverDeadline) {
        self.form = form
        self.deadline = deadline
    }

    /// The polished point: the one of the settled active set, or else the least wrong one; nil where no system could be
    /// solved.
    func improve(_ start: Iterate) -> Iterate? {
        let m = form.inequalities
        var isActive = (0..<m).map { start.s[$0] < start.z[$0] }
        var best: Iterate?
        var bestViolation = Double.infinity
        for _ in 0..<12 {
            guard deadline.interruption == nil, let point = solve(isActive, from: start) else { return best }
            let reach = max(Vector.normInfinity(point.x), .leastNormalMagnitude)
            let force = max(Vector.normInfinity(point.z), .leastNormalMagnitude)
            var violation = 0.0
            var changed = false
            for i in 0..<m {
                let amount = isActive[i] ? -point.z[i] / force : -point.s[i] / max(reach, form.d[i].magnitude)
                violation = max(violation, amount)
                if amount > 1e-13 {
                    isActive[i].toggle()
                    changed = true
                }
            }
            if violation < bestViolation {
                best = point
                bestViolation = violation
            }
            if !changed { break }
        }
        return best
    }

    /// The stationary point with the active inequalities as equalities, found as a correction to `start`.
    private func solve(_ isActive: [Bool], from start: Iterate) -> Iterate? {
        var point = start
        // Variables on a bound take it and leave the system.
        var isFixed = [Bool](repeating: false, count: form.variables)
        for (k, j) in form.lowerIndex.enumerated() where isActive[form.lowerOffset + k] {
            point.x[j] = -form.d[form.lowerOffset + k]
            isFixed[j] = true
        }
        for (k, j) in form.upperIndex.enumerated() where isActive[form.upperOffset + k] {
            point.x[j] = form.d[form.upperOffset + k]
            isFixed[j] = true
        }
        let free = (0..<form.variables).filter { !isFixed[$0] }
        let active = (0..<form.rows).filter { isActive[$0] }
        for i in 0..<form.inequalities where !isActive[i] { point.z[i] = 0 }
        let lines = Self.stack(form.A, form.G, active, free)
        let hessian =
            form.P.map { free.count == form.variables ? $0 : $0.submatrix(rows: free, columns: free) }
            ?? Matrix(rows: free.count, columns: free.count)
        guard let system = try? AugmentedSystem(hessian, lines, regularisation: 1e-10) else { return nil }

        var best = Double.infinity
        var result = point
        for _ in 0..<15 {
            let force = stationarity(point)
            var right = free.map { -force[$0] }
            var values = form.A.multiplied(by: point.x)
            for i in values.indices { values[i] = form.b[i] - values[i] }
            let rows = form.G.multiplied(by: point.x)
            values += active.map { form.d[$0] - rows[$0] }
            let error = max(Vector.normInfinity(right), Vector.normInfinity(values))
            guard error.isFinite else { return nil }
            if error < best { result = point }
            if error == 0 || error > 0.5 * best { break }
            best = error
            let (dx, dy) = system.solve(right, values)
            for (k, j) in free.enumerated() { point.x[j] += dx[k] }
            for i in 0..<form.equalities { point.y[i] += dy[i] }
            for (k, i) in active.enumerated() { point.z[i] += dy[form.equalities + k] }
            right.removeAll()
        }
        return withBoundPrices(result, isActive)
    }

    /// Px + q + A'y + G'z: what the bound prices have to balance.
    private func stationarity(_ point: Iterate) -> [Double] {
        var force = form.quadraticProduct(point.x)
        Vector.axpy(1, form.q, &force)
        form.A.gemv(point.y, transposed: true, beta: 1, into: &force)
        if form.rows > 0 { form.G.gemv(Array(point.z[0..<form.rows]), transposed: true, beta: 1, into: &force) }
        return force
    }

    /// Sets slacks from x, and the prices of active bounds from stationarity.
    private func withBoundPrices(_ point: Iterate, _ isActive: [Bool]) -> Iterate {
        var point = point
        let force = stationarity(point)
        for (k, j) in form.lowerIndex.enumerated() {
            point.z[form.lowerOffset + k] = isActive[form.lowerOffset + k] ? force[j] : 0
        }
        for (k, j) in form.upperIndex.enumerated() {
            point.z[form.upperOffset + k] = isActive[form.upperOffset + k] ? -force[j] : 0
        }
        let image = form.inequalityProduct(point.x)
        for i in image.indices { point.s[i] = form.d[i] - image[i] }
        return point
    }

    private static func stack(_ A: Matrix, _ G: Matrix, _ active: [Int], _ columns: [Int]) -> Matrix {
        var lines = Matrix(rows: A.rows + active.count, columns: columns.count)
        for (k, j) in columns.enumerated() {
            for i in 0..<A.rows { lines[i, k] = A[i, j] }
            for (l, i) in active.enumerated() { lines[A.rows + l, k] = G[i, j] }
        }
        return lines
    }
}
