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

    @Test("a recent purchase of the other asset takes away as many shares of a loss as stay of it")
    func recent() throws {
        func plan(
            _ recent: String, acquired: String = "2026-11-01", target: JSONValue, isSame: Bool = true
        ) throws
            -> JSONValue
        {
            try self.plan(
                isSame ? [("identical", [["A", "B"]])] : [],
                holdings: [
                    [
                        "asset": "A",
                        "lots": [["id": "L", "acquired": "2025-01-02", "quantity": "100", "basis_per_share": "150"]],
                    ],
                    [
                        "asset": "B",
                        "lots": [
                            [
                                "id": "R", "acquired": .string(acquired), "quantity": .string(recent),
                                "basis_per_share": "90",
                            ]
                        ],
                    ],
                ], target: target)
        }
        func disallowed(_ plan: JSONValue) -> String? {
            plan["legs"]?.arrayValue?.first { $0["asset"] == "A" }?["lots"]?[0]?["disallowed"]?.stringValue
        }
        // Both go, and nothing is left to replace the loss.
        let both = try plan("100", target: ["CASH": 1])
        #expect(legs(both).sorted() == ["sell 100 A", "sell 100 B"] && disallowed(both) == "0.00")
        #expect(both["tax"]?["gain_long"] == "-5000.00" && both["gap"]?.doubleValue ?? 1 < 1e-6)
        // Forty of B stay: they take over forty of the hundred shares, 50.00 each.
        let kept: JSONValue = ["A": 0, "B": "0.285714285714", "CASH": "0.714285714286"]
        let part = try plan("40", target: kept)
        #expect(legs(part) == ["sell 100 A"] && disallowed(part) == "2000.00")
        #expect(part["tax"]?["gain_long"] == "-3000.00")
        // Nothing is taken away by another asset that is not the same, or was bought before the window.
        #expect(try disallowed(plan("40", target: kept, isSame: false)) == "0.00")
        #expect(try disallowed(plan("40", acquired: "2026-10-20", target: kept)) == "0.00")
    }

    @Test(
        "no worse than the enumeration in which recent purchases of identical assets stay, no better than that in which they take nothing",
        arguments: 0..<4)
    func enumeration(block: Int) throws {
        var (clashes, replaced) = (0, 0)
        for index in 0..<60 {
            var random = RandomTrades(seed: UInt64(90_000 + block * 60 + index))
            var problem = try random.small()
            let n = problem.assets.count
            guard n >= 2, n <= 5, problem.tax.mode != .none else { continue }
            problem.tax.washSale = .unitedStates
            problem.identical = n > 3 ? [[0, 1], [2, 3]] : [[0, 1]]
            // Every way of leaving purchases or losses of each family out: the least of their optima.
            func best(_ problem: TradeProblem) throws -> Double? {
                var best: Double?
                for choice in 0..<(1 << problem.identical.count) {
                    var part = problem
                    for (place, family) in problem.identical.enumerated() {
                        part =
                            choice >> place & 1 == 0
                            ? part.withoutPurchases(of: family) : part.withoutLosses(in: family)
                    }
                    if let found = try Enumeration(part).best() { best = min(best ?? found, found) }
                }
                return best
            }
            let careful = try problem.keepingForeignPurchases().map(best)
            let best = try best(problem)
            let free = try Enumeration(problem).best()
            let solution = try TradeSolver.solve(problem)
            guard let best else {
                #expect(solution == nil)
                continue
            }
            if let free, free < best - 1e-9 { clashes += 1 }
            guard let found = solution else {
                // A tax budget that no plan is known to keep.
                #expect(careful == .some(nil) && problem.limits.taxBudget != nil, "\(index)")
                continue
            }
            let scale = max(1, best.magnitude)
            #expect(found.objective >= best - 1e-7 * scale, "\(index): \(found.objective) for \(best)")
            #expect(found.objective <= ((careful ?? best) ?? .infinity) + 1e-7 * scale, "\(index)")
            if let careful, let careful, careful > best + 1e-6 * scale { replaced += 1 }
            #expect(found.lowerBound <= best + 1e-7 * scale)
            let costing = ReallocationPlanner.costing(problem, found)
            #expect(costing.violations(problem).isEmpty)
            #expect((costing.objective - found.objective).magnitude <= 1e-6 * scale)
        }
        #expect(clashes > 0 && replaced > 0)
    }
}
