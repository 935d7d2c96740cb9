public import LinearAlgebra
public import WireFormat

/// Third and fourth central comoments of the assets' returns, divisor T.
///
/// The moments of a portfolio need no tensor: they are means of powers of its own deviations, which the contractions below give
/// with their derivatives in O(T N). The full matrices are formed only where a caller asks for them.
///
/// Source: E. Jondeau, M. Rockinger (2006), Optimal Portfolio Allocation under Higher Moments, European Financial Management 12.
public struct CoMoments: Sendable {
    /// T x N deviations from the means.
    private let deviations: Matrix

    /// Most entries of a matrix that is formed: 128 MB.
    public static let mostEntries = 1 << 24

    /// The comoments of a panel; with `isSemi` those of the deviations below zero, min(x, 0).
    public init(_ panel: ReturnPanel, isSemi: Bool = false) {
        var centred = CentredReturns.of(panel)
        if isSemi { for index in centred.storage.indices { centred.storage[index] = min(centred.storage[index], 0) } }
        deviations = centred
    }

    /// N x N^2: entry (i, j N + k) is the mean of x_i x_j x_k.
    /// - Throws: `OPT-301` beyond `mostEntries`.
    public func coskewness() throws(Problem) -> Matrix {
        let n = deviations.columns
        try check(n * n * n, "The coskewness")
        let pairs = products()
        var result = Matrix(rows: n, columns: n * n)
        result.gemm(deviations, pairs, transposeFirst: true, scale: 1 / Double(deviations.rows))
        return result
    }

    /// N^2 x N^2: entry (i N + j, k N + l) is the mean of x_i x_j x_k x_l.
    /// - Throws: `OPT-301` beyond `mostEntries`.
    public func cokurtosis() throws(Problem) -> Matrix {
        let n = deviations.columns
        try check(n * n * n * n, "The cokurtosis")
        var result = products().gram()
        for index in result.storage.indices { result.storage[index] /= Double(deviations.rows) }
        return result
    }

    /// The mean of (x'w)^power and its derivative with respect to w, without a tensor.
    /// - Parameter power: 3 or 4, or any larger whole number.
    public func contraction(_ weights: [Double], power: Int) -> (value: Double, gradient: [Double]) {
        precondition(power >= 1 && weights.count == deviations.columns)
        let series = deviations.multiplied(by: weights)
        let count = Double(series.count)
        var sum = 0.0
        var slopes = series
        for (t, x) in series.enumerated() {
            var raised = 1.0
            for _ in 1..<power { raised *= x }
            slopes[t] = Double(power) * raised / count
            sum += raised * x
        }
        return (sum / count, deviations.transposedMultiplied(by: slopes))
    }

    /// T x N^2 products of pairs, column i N + j.
    private func products() -> Matrix {
        let (periods, n) = (deviations.rows, deviations.columns)
        var result = Matrix(rows: periods, columns: n * n)
        for i in 0..<n {
            for j in 0..<n {
                let start = (i * n + j) * periods
                for t in 0..<periods {
                    result.storage[start + t] =
                        deviations.storage[i * periods + t] * deviations.storage[j * periods + t]
                }
            }
        }
        return result
    }

    private func check(_ entries: Int, _ what: String) throws(Problem) {
        let pairs = deviations.columns * deviations.columns * deviations.rows
        guard max(entries, pairs) <= Self.mostEntries else {
            throw Problem(
                .tooLargeProblem,
                "\(what) of \(deviations.columns) assets has \(entries) entries; \(Self.mostEntries) are the most. Use the contractions."
            )
        }
    }
}
