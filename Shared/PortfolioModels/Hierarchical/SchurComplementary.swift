import LinearAlgebra
public import WireFormat

/// Schur complementary allocation: recursive bisection that lets each half know the other through its Schur complement.
///
/// ```
/// Sigma = [A B; B' D];   A(g) = R^-1 (A - g B D^-1 B'),  R = I - g B D^-1 M',  and D likewise;   M 1 = 1
/// share of the left half = 1 - v(A) / (v(A) + v(D)),   v = variance at weights inverse to variances
/// ```
/// g = 0 is HRP, g = 1 minimum variance. The largest g up to the given one is used until which the portfolio's variance falls
/// and all blocks are positive definite; it is found to 1e-4, as in skfolio.
///
/// Source: P. Cotton (2024), Schur Complementary Allocation, arXiv 2411.05807.
public struct SchurComplementary: HierarchicalModel {
    private let input: HierarchicalInput
    private let gamma: Double
    private static let step = 0.1
    private static let tolerance = 1e-4

    /// A model of the input; its risk is the variance of the covariance model whatever the input says.
    /// - Parameter gamma: from 0 to 1.
    public init(_ input: HierarchicalInput, gamma: Double = 0.5) {
        self.input = input
        self.gamma = gamma
    }

    /// The weights, without clusters.
    public func solve() throws(Problem) -> HierarchicalSolution {
        guard gamma >= 0, gamma <= 1 else {
            throw Problem(JSONPointer(["clustering", "gamma"]), .outOfRange, "gamma is from 0 to 1.")
        }
        for (asset, variance) in input.covariance.diagonal.enumerated() where input.panel.assets.count > 1 {
            guard variance > 0, variance < .infinity else {
                throw Problem(
                    .ratioUndefined, "The variance of \(Problem.echo(input.panel.assets[asset])) is \(variance).")
            }
        }
        let clustering = try HierarchicalClustering(input.panel, input.clustering)
        try input.checkDeadline()
        let (weights, used) = try largestUseful(clustering.order)
        var warnings: [PortfolioWarning] = []
        if used < gamma {
            warnings.append(
                PortfolioWarning(
                    code: "gamma_reduced", pointer: JSONPointer(["clustering", "gamma"]),
                    detail: "gamma is \(used): beyond it the variance does not fall any more."))
        }
        return HierarchicalSolution(
            weights: input.finished(weights), tree: clustering.tree, clusters: nil, warnings: warnings)
    }

    /// The weights at the largest gamma until which the variance falls, by a sweep and bisection of the turning point.
    private func largestUseful(_ order: [Int]) throws(Problem) -> ([Double], Double) {
        func variance(_ point: (weights: [Double], gamma: Double)?) -> Double {
            guard let point else { return .infinity }
            return Vector.dot(point.weights, input.covariance.symmetricMultiplied(by: point.weights))
        }
        guard let start = try allocation(order, gamma: 0) else {
            throw Problem(.unstable, "The covariance has a block without variance.")
        }
        guard gamma > 0, order.count > 1 else { return (start, 0) }
        let count = Int((gamma / Self.step).rounded(.up))
        var points: [(weights: [Double], gamma: Double)] = [(start, 0)]
        for i in 1...max(count, 1) {
            try input.checkDeadline()
            let next = gamma * Double(i) / Double(max(count, 1))
            let found = try allocation(order, gamma: next).map { (weights: $0, gamma: next) }
            if let found, variance(found) < variance(points.last) {
                points.append(found)
            } else {
                return try turningPoint(order, low: points[max(0, i - 2)], high: next, variance)
            }
        }
        let last = points[points.count - 1]
        let before = try allocation(order, gamma: gamma - Self.tolerance).map {
            (weights: $0, gamma: gamma - Self.tolerance)
        }
        if gamma <= Self.tolerance || variance(last) <= variance(before) { return (last.weights, last.gamma) }
        return try turningPoint(order, low: points[points.count - 2], high: gamma, variance)
    }

    private func turningPoint(
        _ order: [Int], low: (weights: [Double], gamma: Double), high: Double,
        _ variance: ((weights: [Double], gamma: Double)?) -> Double
    ) throws(Problem) -> ([Double], Double) {
        let start = low.gamma
        var (low, high) = (low, high)
        var width = high - start
        var rounds = 1
        while width > Self.tolerance {
            width /= 2
            rounds += 2
        }
        for _ in 0..<rounds {
            try input.checkDeadline()
            let middle = 0.5 * (low.gamma + high)
            let found = try allocation(order, gamma: middle).map { (weights: $0, gamma: middle) }
            var isFalling = false
            if let found, variance(found) <= variance(low) {
                let earlier = max(0, middle - Self.tolerance)
                let before = try allocation(order, gamma: earlier).map { (weights: $0, gamma: earlier) }
                isFalling = variance(found) <= variance(before)
            }
            if isFalling, let found { low = found } else { high = middle }
            if low.gamma > start, found != nil, high - low.gamma <= Self.tolerance { break }
        }
        return (low.weights, low.gamma)
    }

    /// The weights at one gamma; nil where a block is not positive definite.
    private func allocation(_ order: [Int], gamma: Double) throws(Problem) -> [Double]? {
        var covariance = input.covariance
        var bisection = RecursiveBisection(order: order, input)
        var isDefinite = true
        try bisection.run { (left, right) throws(Problem) in
            guard isDefinite else { return 0.5 }
            let A = covariance.submatrix(rows: left, columns: left)
            let D = covariance.submatrix(rows: right, columns: right)
            var (first, second) = (A, D)
            if left.count > 1, gamma > 0 {
                let B = covariance.submatrix(rows: left, columns: right)
                guard let augmented = Self.augmented(A, B, D, gamma),
                    let other = Self.augmented(D, B.transposed(), A, gamma)
                else {
                    isDefinite = false
                    return 0.5
                }
                (first, second) = (augmented, other)
                Self.write(first, to: &covariance, left)
                Self.write(second, to: &covariance, right)
            }
            return try BranchShare.first(Self.naiveVariance(first), Self.naiveVariance(second))
        }
        return isDefinite ? bisection.weights : nil
    }

    /// A(g); nil where D or the result is not positive definite.
    private static func augmented(_ A: Matrix, _ B: Matrix, _ D: Matrix, _ gamma: Double) -> Matrix? {
        guard A.rows > 1, D.rows > 1 else { return A }
        do {
            // B D^-1 = (D^-1 B')'
            let solved = try Cholesky(factorising: D).solve(B.transposed())
            var complement = A
            complement.gemm(B, solved, scale: -gamma, beta: 1)
            var R = Matrix.identity(A.rows)
            R.gemm(solved, stepUp(A.rows, D.rows), transposeFirst: true, transposeSecond: true, scale: -gamma, beta: 1)
            let raw = try LU(factorising: R).solve(complement)
            var result = raw
            for j in 0..<raw.columns {
                for i in 0..<raw.rows { result[i, j] = 0.5 * (raw[i, j] + raw[j, i]) }
            }
            _ = try Cholesky(factorising: result)
            return result
        } catch {
            return nil
        }
    }

    /// The symmetric m x n matrix, |m - n| <= 1, that takes ones to ones.
    static func stepUp(_ m: Int, _ n: Int) -> Matrix {
        if m == n { return .identity(m) }
        if m < n {
            var result = stepUp(n, m).transposed()
            for index in result.storage.indices { result.storage[index] *= Double(m) / Double(n) }
            return result
        }
        // The mean of all ways of putting a row of averages into the identity.
        var result = Matrix(rows: m, columns: n, repeating: 1 / Double(n * m))
        for row in 0..<m {
            if row < n { result[row, row] += Double(m - 1 - row) / Double(m) }
            if row > 0 { result[row, row - 1] += Double(row) / Double(m) }
        }
        return result
    }

    private static func naiveVariance(_ block: Matrix) -> Double {
        let inverse = block.diagonal.map { 1 / $0 }
        let total = inverse.reduce(0, +)
        let weights = inverse.map { $0 / total }
        return Vector.dot(weights, block.symmetricMultiplied(by: weights))
    }

    private static func write(_ block: Matrix, to covariance: inout Matrix, _ assets: [Int]) {
        for (column, j) in assets.enumerated() {
            for (row, i) in assets.enumerated() { covariance[i, j] = block[row, column] }
        }
    }
}
