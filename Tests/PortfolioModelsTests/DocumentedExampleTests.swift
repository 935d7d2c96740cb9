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
            if let refused = request.unsupported() {
                print("docs/risk-measures.md: \(request.riskMeasure.rawValue): \(refused.detail)")
                continue
            }
            let columns = (0..<request.assets.count).map { (asset: Int) -> [Double] in
                (0..<150).map { t -> Double in
                    let own = sin(Double((asset + 3) * t * t % 997))
                    return 0.001 + 0.01 * own + 0.004 * cos(Double(t))
                }
            }
            let made = try madePanel(columns)
            let panel = try ReturnPanel(assets: request.assets, dates: made.dates, returns: made.returns)
            let result = try PortfolioOptimization.run(request, panel: panel)
            try Verification.check(request, panel: panel, result: result)
        }
        #expect(seen == Set(RiskMeasureCode.optimisable))
    }
}
