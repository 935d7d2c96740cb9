import LinearAlgebra
import WireFormat

/// A regression on the leading principal components of standardised factors, told in terms of the factors.
///
/// Components are kept until their share of the variance is above `components`, or as many as that where it is one or more.
/// Factors are standardised with the divisor T for the components, and coefficients are taken back with the divisor T - 1, as
/// Riskfolio-Lib does.
///
/// Source: I. T. Jolliffe (2002), Principal Component Analysis, chapter 8.
struct PrincipalComponentRegression {
    let constant: Double
    let coefficients: [Double]

    /// - Throws: `OPT-202` where a factor does not move or the components do not regress.
    init(_ series: [Double], factors: Matrix, components: Double) throws(Problem) {
        let (count, k) = (factors.rows, factors.columns)
        var standard = factors
        var deviations: [Double] = []
        for j in 0..<k {
            let centred = SeriesMath.centred(factors.column(j))
            let deviation = SeriesMath.rootMeanSquare(centred, divisor: Double(count))
            guard deviation > 0 else { throw Problem(.unstable, "PCR: factor \(j) is constant.") }
            deviations.append(deviation * (Double(count) / Double(max(count - 1, 1))).squareRoot())
            standard.storage.replaceSubrange((j * count)..<((j + 1) * count), with: centred.map { $0 / deviation })
        }
        let eigen = try PositiveSemidefinite.decompose(standard.gram())
        let order = Array(eigen.values.indices.reversed())
        let total = eigen.values.reduce(0) { $0 + max($1, 0) }
        var kept = min(Int(components), k)
        if components < 1 {
            var share = 0.0
            kept = 0
            while kept < k {
                share += max(eigen.values[order[kept]], 0) / total
                kept += 1
                if share > components { break }
            }
        }
        let vectors = eigen.vectors.selecting(columns: Array(order.prefix(max(kept, 1))))
        guard let fit = OrdinaryLeastSquares(series, on: standard * vectors, hasConstant: true) else {
            throw Problem(
                .tooLittleHistory, "PCR: \(count) periods do not determine \(kept) components; ask for fewer.")
        }
        let standardised = vectors.multiplied(by: fit.coefficients)
        let beta = zip(standardised, deviations).map { $0 / $1 }
        coefficients = beta
        let means = (0..<k).map { SeriesMath.mean(factors.column($0)) }
        constant = SeriesMath.mean(series) - Vector.dot(beta, means)
    }
}
