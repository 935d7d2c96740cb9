import LinearAlgebra
import WireFormat

/// j-LoGo: the covariance whose inverse is sparse on the triangulated maximally filtered graph of the correlations.
///
/// ```
/// J = sum over cliques of (S_c)^-1 - sum over separators of (S_s)^-1,   Sigma = J^-1
/// ```
/// S is the sample covariance; similarities are 1 - D^2 with D = sqrt((1 - rho) / 2). Only blocks of three and four assets are
/// inverted, so T >= 5 is enough for any N. With four assets or fewer it is the sample covariance.
///
/// Source: W. Barfuss, G. P. Massara, T. Di Matteo, T. Aste (2016), Parsimonious Modeling with Information Filtering Networks,
/// Physical Review E 94.
struct LocalGlobalCovariance: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let sample = SampleCovariance.estimate(panel)
        let n = sample.rows
        guard n > 4 else { return CovarianceEstimate(sample) }
        var similarities = Correlation(of: sample).matrix
        for index in similarities.storage.indices {
            let distance = min(max((1 - similarities.storage[index]) / 2, 0), 1).squareRoot()
            similarities.storage[index] = 1 - distance * distance
        }
        let graph = TriangulatedMaximallyFilteredGraph(similarities: similarities)
        var inverse = Matrix(rows: n, columns: n)
        for clique in graph.cliques { try add(1, clique, of: sample, to: &inverse, panel) }
        for separator in graph.separators { try add(-1, separator, of: sample, to: &inverse, panel) }
        let factor = try CovarianceFactor(
            inverse, for: "jlogo", observations: .max, place: ["covariance_estimator"])
        return CovarianceEstimate(factor.inverse())
    }

    private func add(
        _ sign: Double, _ members: [Int], of sample: Matrix, to sum: inout Matrix, _ panel: ReturnPanel
    ) throws(Problem) {
        let block = sample.submatrix(rows: members, columns: members)
        let factor = try CovarianceFactor(
            block, for: "jlogo", observations: panel.observations, place: ["covariance_estimator"])
        let inverse = factor.inverse()
        for (a, i) in members.enumerated() { for (b, j) in members.enumerated() { sum[i, j] += sign * inverse[a, b] } }
    }
}
