import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import Reallocation

/// A loss on one asset and a purchase of one that the law takes for the same are not planned together.
@Suite("Identical assets")
struct IdenticalAssetsTests {
    private func plan(
        _ tax: [(String, JSONValue)], holdings: JSONValue? = nil, target: JSONValue = ["A": 0, "B": 1]
    ) throws -> JSONValue {
        var members = JSONObject([
            ("rate_short", "0.37"), ("rate_long", "0.2"), ("realised_short", "5000"),
        ])
        for (name, value) in tax { members[name] = value }
        let request = try RebalanceRequest(json: [
            "as_of": "2026-11-20",
            "holdings": holdings ?? [
                [
                    "asset": "A",
                    "lots": [["id": "L", "acquired": "2025-01-02", "quantity": "100", "basis_per_share": "150"]],
                ]
            ], "target": target, "prices": ["A": "100", "B": "100"],
            "settings": ["risk_aversion": 1000, "tax": .object(members)],
        ])
        return try ReallocationPlanner.plan(request).json
    }

    private func legs(_ plan: JSONValue) -> [String] {
        (plan["legs"]?.arrayValue ?? []).map {
            "\($0["side"]?.stringValue ?? "") \($0["quantity"]?.stringValue ?? "") \($0["asset"]?.stringValue ?? "")"
        }
    }

    @Test("the better of the two is planned, and the other asset may not be bought for a while either")
    func worked() throws {
        // Apart, the loss of A pays for B.
        #expect(try legs(plan([])).sorted() == ["buy 100 B", "sell 100 A"])
        // The same for the law: the loss without the purchase is worth more than staying, since A is not wanted at all.
        let same = try plan([("identical", [["A", "B"]])])
        #expect(legs(same) == ["sell 100 A"])
        #expect(same["tax"]?["tax"] == "-1850.00" || (same["tax"]?["gain_long"] == "-5000.00"))
        let blocks = (same["buy_blocks"]?.arrayValue ?? []).compactMap { $0["asset"]?.stringValue }
        #expect(blocks == ["A", "B"])
        #expect(same["gap"]?.doubleValue ?? 1 < 1e-6)
        // With the window off there is nothing to keep apart.
        #expect(try legs(plan([("identical", [["A", "B"]]), ("wash_sale", false)])).count == 2)
    }

    @Test("a recent purchase of the other asset keeps losses where they are")
    func recent() throws {
        let holdings: JSONValue = [
            [
                "asset": "A",
                "lots": [["id": "L", "acquired": "2025-01-02", "quantity": "100", "basis_per_share": "150"]],
            ],
            [
                "asset": "B",
                "lots": [["id": "R", "acquired": "2026-11-01", "quantity": "100", "basis_per_share": "90"]],
            ],
        ]
        let target: JSONValue = ["A": 0, "B": 0, "CASH": 1]
        #expect(try legs(plan([], holdings: holdings, target: target)).sorted() == ["sell 100 A", "sell 100 B"])
        #expect(try legs(plan([("identical", [["A", "B"]])], holdings: holdings, target: target)) == ["sell 100 B"])
        // Thirty-one days ago is outside of the window.
        let old: JSONValue = [
            holdings[0] ?? .null,
            [
                "asset": "B",
                "lots": [["id": "R", "acquired": "2026-10-20", "quantity": "100", "basis_per_share": "90"]],
            ],
        ]
        #expect(try legs(plan([("identical", [["A", "B"]])], holdings: old, target: target)).count == 2)
    }

    @Test("equals the enumeration of all trades that keep families apart", arguments: 0..<4)
    func enumeration(block: Int) throws {
        var clashes = 0
        for index in 0..<60 {
            var random = RandomTrades(seed: UInt64(90_000 + block * 60 + index))
            var problem = try random.small()
            let n = problem.assets.count
            guard n >= 2, n <= 5, problem.tax.mode != .none else { continue }
            problem.tax.washSale = .unitedStates
            problem.identical = n > 3 ? [[0, 1], [2, 3]] : [[0, 1]]
            problem.lockReplacedLosses()
            // Every way of leaving purchases or losses of each family out: the least of their optima.
            var best: Double?
            for choice in 0..<(1 << problem.identical.count) {
                var part = problem
                for (place, family) in problem.identical.enumerated() {
                    part =
                        choice >> place & 1 == 0 ? part.withoutPurchases(of: family) : part.withoutLosses(in: family)
                }
                if let found = try Enumeration(part).best() { best = min(best ?? found, found) }
            }
            let free = try Enumeration(problem).best()
            let solution = try TradeSolver.solve(problem)
            guard let best else {
                #expect(solution == nil)
                continue
            }
            if let free, free < best - 1e-9 { clashes += 1 }
            let found = try #require(solution, "\(index)")
            let scale = max(1, best.magnitude)
            #expect((found.objective - best).magnitude <= 1e-7 * scale, "\(index): \(found.objective) for \(best)")
            #expect(found.lowerBound <= best + 1e-7 * scale)
            let costing = ReallocationPlanner.costing(problem, found)
            #expect(costing.violations(problem).isEmpty)
        }
        #expect(clashes > 0)
    }
}
