import LinearAlgebra
import WireFormat

/// What a unit of each asset owes to one factor: the row that a limit of exposure is about.
struct FactorExposure: Sendable {
    let name: String
    /// N loadings.
    let loadings: [Double]

    /// The factors that a request limits.
    /// - Throws: as `FactorLoadings`, and `DAT-003` where a factor lacks a figure on one of the panel's dates.
    static func all(_ request: OptimizeRequest, panel: ReturnPanel) throws(Problem) -> [FactorExposure] {
        let limited = request.constraints.factorExposure.map { $0.name }
        guard !limited.isEmpty, let wanted = request.factors else { return [] }
        guard wanted.loadings.isEmpty else {
            return limited.map { factor in
                FactorExposure(
                    name: factor,
                    loadings: panel.assets.map { asset in
                        let own = wanted.loadings.first { $0.asset == asset }?.factors ?? []
                        return own.reduce(0) { $1.asset == factor ? $0 + $1.value : $0 }
                    })
            }
        }
        let factors = try FactorPanel.aligned(wanted, to: panel, loaded: nil)
        let found = try FactorLoadings(wanted, panel: panel, factors: factors)
        return limited.compactMap { factor in
            factors.assets.firstIndex(of: factor).map {
                FactorExposure(name: factor, loadings: found.matrix.column($0))
            }
        }
    }
}
