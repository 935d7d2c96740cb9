import LinearAlgebra

/// A covariance as what each asset has by itself, what few factors share, and a rest:
///
///     Sigma = diag(D) + B B' + R,   D >= 0, R semidefinite
///
/// D bends the one-asset choices, B couples them through a few sums, and R is small: a linear function below it does. D starts from
/// Guttman's bound, D_i <= 1 / (Sigma^-1)_ii, scaled until the rest is semidefinite; B comes from a pivoted Cholesky factorisation, whose
/// remainder is semidefinite at every step; what the remainder has on its diagonal goes back to D as far as it can.
/// Source: Guttman (1954), Some necessary conditions for common-factor analysis; Higham (2002), Accuracy and Stability of Numerical
/// Algorithms, section 10.3.
struct RiskSplit {
    /// Own variances.
    private(set) var own: [Double]
    /// Loadings, an asset's factors side by side.
    private(set) var loadings: [Double]
    private(set) var factors: Int

    /// Splits a semidefinite matrix; D is zero where it cannot be split.
    ///
    /// - Parameter factor: of the matrix with a ridge of 1e-10 of its largest entry; nil where that has none.
    init(_ sigma: Matrix, factor: Cholesky?) {
        let n = sigma.rows
        own = [Double](repeating: 0, count: n)
        loadings = []
        factors = 0
        let scale = sigma.maximumMagnitude
        guard n > 0, scale > 0 else { return }
        let guttman = factor.map { Self.guttman($0, scale) } ?? own
        if let share = Self.largestShare(sigma, guttman, start: 0.98, scale) {
            own = guttman.map { $0 * share }
        }
        let most = min(n, max(24, min(n / 5, 120)))
        factorise(sigma, most: most)
        // What the factors leave is nearly diagonal where the covariance has factors: most of it belongs to the assets themselves.
        let left = remainder(sigma)
        var share = 0.95
        while share > 0.3 {
            let candidate = zip(own, left).map { $0 + share * max(0, $1) }
            if Self.isSemidefinite(sigma, less: candidate, scale) {
                own = candidate
                factorise(sigma, most: most)
                break
            }
            share -= 0.3
        }
        condense(scale)
    }

    /// Keeps the principal directions of the factors, in units of the own variances, and leaves the others to the rest: they are so small
    /// beside what the assets have by themselves that the tangents to their risk settle in a step or two, and each factor costs in every step.
    private mutating func condense(_ scale: Double) {
        let n = own.count
        guard factors > 4 else { return }
        let roots = own.map { 1 / max($0, 1e-6 * scale).squareRoot() }
        var scaled = Matrix(rows: n, columns: factors)
        for f in 0..<factors { for i in 0..<n { scaled[i, f] = loadings[i * factors + f] * roots[i] } }
        guard let directions = try? SymmetricEigen(scaled.gram()) else { return }
        let kept = directions.values.indices.filter { directions.values[$0] > 0.1 }
        guard kept.count < factors else { return }
        var columns = Matrix(rows: factors, columns: n, columnMajor: loadings)
        columns = directions.vectors.selecting(columns: kept).transposed() * columns
        factors = kept.count
        loadings = (0..<n).flatMap { columns.column($0) }
    }

    /// Moves what a factor explains out of the rest, which has to hold at least as much.
    mutating func add(_ factor: [Double]) {
        loadings = Self.widened(loadings, factor)
        factors += 1
    }

    /// Loadings with one factor more, an asset's side by side.
    static func widened(_ loadings: [Double], _ factor: [Double]) -> [Double] {
        let count = loadings.count / max(1, factor.count)
        var wider: [Double] = []
        wider.reserveCapacity(loadings.count + factor.count)
        for i in factor.indices {
            wider += loadings[i * count..<(i + 1) * count]
            wider.append(factor[i])
        }
        return wider
    }

    private static func isSemidefinite(_ sigma: Matrix, less own: [Double], _ scale: Double) -> Bool {
        var rest = sigma
        for i in own.indices { rest[i, i] += 1e-10 * scale - own[i] }
        return (try? Cholesky(factorising: rest)) != nil
    }

    /// 1 / (Sigma^-1)_ii, zero where Sigma is nearly singular.
    private static func guttman(_ cholesky: Cholesky, _ scale: Double) -> [Double] {
        let n = cholesky.order
        let inverse = cholesky.forwardSubstitute(.identity(n))
        return (0..<n).map { j in
            let column = inverse.column(j)
            let sum = Vector.dot(column, column)
            return sum > 0 ? max(0, 1 / sum - 1e-9 * scale) : 0
        }
    }

    private static func largestShare(
        _ sigma: Matrix, _ most: [Double], start: Double, _ scale: Double
    ) -> Double? {
        var share = start
        while share > 0.02 {
            if isSemidefinite(sigma, less: most.map { $0 * share }, scale) { return share }
            share *= share > 0.8 ? 0.92 : 0.75
        }
        return nil
    }

    /// Pivoted Cholesky of Sigma - D, for at most so many factors.
    private mutating func factorise(_ sigma: Matrix, most: Int) {
        let n = sigma.rows
        var left = (0..<n).map { sigma[$0, $0] - own[$0] }
        let end = 1e-7 * (0..<n).reduce(0) { $0 + sigma[$1, $1] }
        var columns: [[Double]] = []
        // Columns in a row that explain little beyond their own asset: the rest has no factors left.
        var alone = 0
        while columns.count < most, left.reduce(0, { $0 + max(0, $1) }) > end {
            guard let pivot = left.indices.max(by: { left[$0] < left[$1] }), left[pivot] > 0 else { break }
            var column = sigma.column(pivot)
            column[pivot] -= own[pivot]
            for earlier in columns { Vector.axpy(-earlier[pivot], earlier, &column) }
            let before = left[pivot]
            let root = before.squareRoot()
            for i in 0..<n {
                column[i] /= root
                left[i] -= column[i] * column[i]
            }
            columns.append(column)
            alone = Vector.dot(column, column) < 3 * before ? alone + 1 : 0
            if alone == 4 {
                columns.removeLast(4)
                break
            }
        }
        factors = columns.count
        loadings = [Double](repeating: 0, count: n * factors)
        for (f, column) in columns.enumerated() { for i in 0..<n { loadings[i * factors + f] = column[i] } }
    }

    private func remainder(_ sigma: Matrix) -> [Double] {
        own.indices.map { i in
            var left = sigma[i, i] - own[i]
            for f in 0..<factors { left -= loadings[i * factors + f] * loadings[i * factors + f] }
            return left
        }
    }

    /// B'x.
    func exposures(_ x: [Double]) -> [Double] {
        var sums = [Double](repeating: 0, count: factors)
        for i in x.indices where x[i] != 0 {
            for f in 0..<factors { sums[f] += loadings[i * factors + f] * x[i] }
        }
        return sums
    }

    /// B z.
    func spread(_ z: [Double]) -> [Double] {
        own.indices.map { i in
            var sum = 0.0
            for f in 0..<factors { sum += loadings[i * factors + f] * z[f] }
            return sum
        }
    }

    /// R x, from the covariance itself.
    func rest(_ sigma: Matrix, _ x: [Double]) -> [Double] {
        var result = sigma.symmetricMultiplied(by: x)
        let factor = spread(exposures(x))
        for i in x.indices { result[i] -= own[i] * x[i] + factor[i] }
        return result
    }
}
