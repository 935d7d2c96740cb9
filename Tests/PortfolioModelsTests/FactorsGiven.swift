import WireFormat

@testable import PortfolioModels

/// Returns of two factors, F and G, and of assets with given loadings on them, and the request's part that names both.
func factorsGiven(seed: UInt64, _ loadings: [[Double]]) throws -> (panel: ReturnPanel, factors: FactorRequest) {
    var numbers = RepeatableNumbers(seed: seed)
    let factors = (0..<2).map { _ in (0..<120).map { _ in 0.01 * numbers.normal() } }
    let panel = try madePanel(
        loadings.map { row in
            (0..<120).map { t in row[0] * factors[0][t] + row[1] * factors[1][t] + 0.002 * numbers.normal() }
        })
    var wanted = FactorRequest()
    wanted.panel = InlinePanel(
        kind: .returns, dates: panel.dates, assets: ["F", "G"], values: factors.map { $0.map { Optional($0) } })
    wanted.loadings = zip(panel.assets, loadings).map { asset, row in
        (
            asset: asset,
            factors: [ConstraintRequest.AssetValue("F", row[0]), ConstraintRequest.AssetValue("G", row[1])]
        )
    }
    return (panel, wanted)
}
