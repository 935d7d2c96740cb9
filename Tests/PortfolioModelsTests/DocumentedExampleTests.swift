import Foundation
import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// The requests that docs/risk-measures.md shows.
@Suite("Documented examples")
struct DocumentedExampleTests {
    private static func blocks(_ path: String) throws -> [JSONValue] {
        let url = RepositoryRoot.url.appendingPathComponent(path)
        let lines = try String(contentsOf: url, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        var blocks: [String] = []
        var isInside = false
        for line in lines {
            if line == "```json" {
                isInside = true
                blocks.append("")
            } else if line == "```" {
                isInside = false
            } else if isInside {
                blocks[blocks.count - 1] += line + "\n"
            }
        }
        return try blocks.map { try StrictJSON.parse($0) }
    }

    @Test("there is one for each measure that can be optimised, and it is answered")
    func measures() throws {
        var seen: Set<RiskMeasureCode> = []
        for block in try Self.blocks("docs/risk-measures.md") {
            let request = try OptimizeRequest(json: block)
            seen.insert(request.riskMeasure)
            let random = try randomPanel(assets: request.assets.count, observations: 150, seed: 71)
            let columns = request.assets.indices.map { random.column($0) }
            let made = try madePanel(columns)
            let panel = try ReturnPanel(assets: request.assets, dates: made.dates, returns: made.returns)
            let result = try PortfolioOptimization.run(request, panel: panel)
            try Verification.check(request, panel: panel, result: result)
        }
        #expect(seen == Set(RiskMeasureCode.optimisable))
    }
}
