import TestSupport
import Testing
import WireFormat

@testable import Reallocation

/// Plans of assets that are traded in liquidity pools on a network that takes a fee.
@Suite("Plans with pools")
struct PooledPlanTests {
    private static func request(_ changes: [([String], JSONValue?)] = []) -> JSONValue {
        var body: JSONValue = [
            "as_of": "2026-11-20", "currency": "USD", "cash": "10000",
            "holdings": [["asset": "JUP", "quantity": "8000"]],
            "target": ["JUP": "0.2", "SOL": "0.5", "CASH": "0.3"],
            "prices": ["JUP": ["price": "1", "volatility": 0.9], "SOL": ["price": "200", "volatility": 0.7]],
            "settings": [
                "risk_aversion": 1_000_000,
                "costs": [
                    "pools": [
                        "SOL": [
                            ["fee": "0.0025", "reserves": ["asset": "3000", "cash": "600000"]],
                            ["fee": "0.0025", "reserves": ["asset": "1000"]],
                        ],
                        "JUP": [
                            [
                                "fee": "0.004", "price": "1.001",
                                "ranges": [["lower": "0.8", "upper": "1.2", "liquidity": "900000"]],
                            ]
                        ],
                    ],
                    "network": ["compute_units": 200_000, "micro_lamports_per_unit": 50_000, "tip": 1_000_000],
                ],
            ],
        ]
        for (path, value) in changes { body = body.setting(path, value) }
        return body
    }

    private func decimal(_ value: JSONValue?) throws -> Double {
        try #require(value?.stringValue.flatMap { FixedDecimal($0) }).double
    }

    @Test("worked: two pools by depth, a range, and the network's fee in SOL")
    func worked() throws {
        let plan = try ReallocationPlanner.plan(try RebalanceRequest(json: Self.request())).json
        let legs = plan["legs"]?.arrayValue ?? []
        let buy = try #require(legs.first { $0["side"] == "buy" })
        let sale = try #require(legs.first { $0["side"] == "sell" })
        #expect(buy["asset"] == "SOL" && sale["asset"] == "JUP")
        // Equal prices and fees: the pools are one of 4,000 against 800,000, and each serves by its depth.
        let bought = try decimal(buy["quantity"])
        #expect(
            (try decimal(buy["costs"]?["impact"]) - (800_000 * bought / (4000 - bought) / 0.9975 - 200 * bought))
                .magnitude < 1e-7)
        let route = try (buy["route"]?.arrayValue ?? []).map { try decimal($0) }
        #expect(route.count == 2 && (route[0] - 0.75 * bought).magnitude < 1e-8 && route[0] + route[1] == bought)
        // 1/s = 1/s0 + 0.996 x / L, cash = L (s0 - s).
        let sold = try decimal(sale["quantity"])
        let (root, depth) = (1.001.squareRoot(), 900_000.0)
        let brought = depth * (root - 1 / (1 / root + 0.996 * sold / depth))
        #expect((try decimal(sale["costs"]?["impact"]) - (sold - brought)).magnitude < 1e-7)
        // 5,000 + 200,000 x 50,000 / 10^6 + 1,000,000 lamports at 200.00 a SOL: 0.203 a trade, not out of the cash.
        #expect(buy["costs"]?["network"] == "0.203" && sale["costs"]?["network"] == "0.203")
        let cash = 10_000 - 200 * bought + sold - (try decimal(buy["costs"]?["impact"])) - (sold - brought)
        #expect((try decimal(plan["cash_after"]) - cash).magnitude < 1e-6)
        let costs = try #require(plan["costs"])
        #expect(try decimal(costs["network"]) == 0.406)
        #expect(
            (try decimal(costs["total"]) - (try decimal(costs["impact"])) - 0.406).magnitude < 1e-8)
        #expect((try decimal(plan["cost"]) - (try decimal(costs["total"]))).magnitude < 1e-7)
        #expect(plan["summary"]?.stringValue?.contains("network 0.4060") == true)
    }

    @Test("a shallow pool keeps the trade small, and never trades what it has not")
    func shallow() throws {
        func bought(_ pool: JSONValue) throws -> Double {
            let plan = try ReallocationPlanner.plan(
                try RebalanceRequest(
                    json: Self.request([
                        (["settings", "costs", "pools", "SOL"], [pool]), (["settings", "risk_aversion"], 2),
                        (["settings", "constraints"], ["lot_size": "0.001"]),
                    ]))
            ).json
            return try plan["legs"]?.arrayValue?.first { $0["asset"] == "SOL" }.map { try decimal($0["quantity"]) } ?? 0
        }
        let deep = try bought(["fee": "0.0025", "reserves": ["asset": "3000000"]])
        let shallow = try bought(["fee": "0.0025", "reserves": ["asset": "300"]])
        let dear = try bought(["fee": "0.3", "reserves": ["asset": "3000000"]])
        #expect(deep > 20 && shallow > 0 && shallow < 0.8 * deep && dear < 0.8 * deep)
        // 4 of liquidity between 200 and 202: 4 (1/sqrt 200 - 1/sqrt 202) is all there is.
        let all = try bought([
            "fee": 0, "price": "200", "ranges": [["lower": "190", "upper": "202", "liquidity": "4000"]],
        ])
        #expect(all <= 4000 * (1 / 200.0.squareRoot() - 1 / 202.0.squareRoot()) && all > 1)
    }

    @Test("a drop of liquidity beside all the money there is", arguments: ["0.0000001", "3", "1000000000000000"])
    func drop(asset: String) throws {
        for cash in ["1", "100000000000000"] {
            let plan = try ReallocationPlanner.plan(
                try RebalanceRequest(
                    json: Self.request([
                        (["cash"], .string(cash)), (["settings", "constraints"], ["lot_size": "0.001"]),
                        (
                            ["settings", "costs", "pools", "SOL"],
                            [["fee": "0.0025", "reserves": ["asset": .string(asset)]]]
                        ),
                    ])))
            #expect(plan.objective.isFinite && plan.gap >= 0 && plan.cashAfter >= 0 && plan.costs.total >= 0)
        }
    }

    @Test("a floor that the pools cannot reach gives, and is named")
    func unreachable() throws {
        let changes: [([String], JSONValue?)] = [
            (
                ["settings", "costs", "pools", "SOL"],
                [["fee": 0, "price": "200", "ranges": [["lower": "190", "upper": "202", "liquidity": "4000"]]]]
            ), (["settings", "constraints"], ["lower_bound": ["SOL": "0.4"]]),
        ]
        let plan = try ReallocationPlanner.plan(try RebalanceRequest(json: Self.request(changes))).json
        #expect(plan["relaxed"]?[0]?["constraint"] == "lower_bound.SOL")
        var strict = Self.request(changes)
        strict = strict.setting(["settings", "relax"], false)
        #expect(throws: Problem.self) { try ReallocationPlanner.plan(try RebalanceRequest(json: strict)) }
    }

    @Test(
        "what does not fit is said with its place",
        arguments: [
            (["settings", "costs", "pools", "SOL", "0", "reserves", "cash"], "590000", "/settings/costs/pools/SOL/0"),
            (["settings", "costs", "pools", "JUP", "0", "price"], "1.1", "/settings/costs/pools/JUP/0"),
            (
                ["settings", "costs", "pools", "JUP", "0", "reserves"], ["asset": "1"],
                "/settings/costs/pools/JUP/0/ranges"
            ),
            (["settings", "costs", "pools", "JUP", "0", "ranges"], nil, "/settings/costs/pools/JUP/0/reserves"),
            (["settings", "costs", "pools", "SOL", "0", "price"], "200", "/settings/costs/pools/SOL/0/price"),
            (["settings", "costs", "pools", "SOL", "0", "fee"], 1, "/settings/costs/pools/SOL/0/fee"),
            (["settings", "costs", "pools", "SOL"], [], "/settings/costs/pools/SOL"),
            (
                ["settings", "costs", "pools", "JUP", "0", "ranges", "0", "upper"], "0.7",
                "/settings/costs/pools/JUP/0/ranges/0/upper"
            ), (["settings", "costs", "network", "signatures"], 0, "/settings/costs/network/signatures"),
            (["settings", "costs", "network", "compute_unit"], 1, "/settings/costs/network/compute_unit"),
        ] as [([String], JSONValue?, String)])
    func faults(_ path: [String], _ value: JSONValue?, _ place: String) {
        let error = #expect(throws: Problem.self) {
            try ReallocationPlanner.plan(try RebalanceRequest(json: Self.request([(path, value)])))
        }
        #expect(
            error?.errors.contains { $0.pointer.description == "#" + place } == true, "\(String(describing: error))")
    }

    @Test("without SOL its price is asked for, and pools of nothing traded are a warning")
    func missing() throws {
        let changes: [([String], JSONValue?)] = [
            (["target"], ["JUP": "0.2", "CASH": "0.8"]), (["prices", "SOL"], nil),
        ]
        let error = #expect(throws: Problem.self) {
            try ReallocationPlanner.plan(try RebalanceRequest(json: Self.request(changes)))
        }
        #expect(error?.errors.first?.pointer.description == "#/settings/costs/network/sol_price")
        let plan = try ReallocationPlanner.plan(
            try RebalanceRequest(
                json: Self.request(changes + [(["settings", "costs", "network", "sol_price"], "150")]))
        ).json
        #expect(plan["warnings"]?.arrayValue?.contains { $0["code"] == "pool_not_applied" } == true)
        #expect(plan["legs"]?[0]?["costs"]?["network"] == "0.15225")
    }
}
