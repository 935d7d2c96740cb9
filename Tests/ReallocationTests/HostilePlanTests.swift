import ConvexSolver
import Reallocation
import TestSupport
import Testing
import WireFormat

/// Requests that somebody made to break the planner: each is a plan or a refusal with its place, never a trap, a hang or a fault of ours.
@Suite("Hostile requests for plans")
struct HostilePlanTests {
    private static let base: JSONValue = [
        "as_of": "2026-11-20", "currency": "USD", "cash": "12500.00",
        "holdings": [
            [
                "asset": "A",
                "lots": [
                    ["id": "L1", "acquired": "2024-03-01", "quantity": "120", "basis_per_share": "172.40"],
                    ["id": "L2", "acquired": "2026-11-01", "quantity": "20", "basis_per_share": "250"],
                ],
            ], ["asset": "B", "quantity": "30"],
        ],
        "target": ["A": 0.30, "B": 0.2, "C": 0.25, "CASH": 0.25],
        "prices": [
            "A": ["price": "230.10", "half_spread": "0.01", "adv": "52000000", "volatility": 0.28], "B": "110.5",
            "C": ["price": "48.50", "half_spread": "0.02", "adv": "210", "volatility": 0.26],
        ],
        "covariance": [
            "assets": ["A", "B", "C"], "values": [[0.08, 0.04, 0.01], [0.04, 0.07, 0.02], [0.01, 0.02, 0.05]],
        ],
        "expected_returns": ["A": 0.05],
        "settings": [
            "thresholds": ["half_l1": "0.03", "cooldown_days": 3, "last_rebalanced": "2026-11-01"], "risk_aversion": 40,
            "horizon_years": 1,
            "costs": [
                "commission": ["per_share": "0.005", "minimum": "1.00", "maximum_rate": "0.01"],
                "sale_fees": ["rate": "0.00002", "per_share": "0.0001", "per_share_cap": "8"], "impact_coefficient": 1,
                "ticket": "0",
                "pools": [
                    "B": [
                        ["fee": "0.003", "reserves": ["asset": "900", "cash": "99450"]],
                        [
                            "fee": "0.01", "price": "110.6",
                            "ranges": [["lower": "90", "upper": "140", "liquidity": "7000"]],
                        ],
                    ]
                ],
                "network": [
                    "signatures": 2, "compute_units": 300_000, "micro_lamports_per_unit": 9, "tip": 5,
                    "sol_price": "150",
                ],
            ],
            "tax": [
                "mode": "netted_year", "rate_short": "0.37", "rate_long": "0.20", "ordinary_cap": "3000",
                "realised_short": "10", "carry_long": "5", "carry_value_long": "0.1", "lot_method": "min_tax",
                "wash_sale": true, "recent_loss_sales": [["asset": "C", "date": "2026-11-10"]],
            ],
            "constraints": [
                "lot_size": 1, "min_trade": "100", "max_trades": 12, "cash_floor": "500", "cash_floor_weight": 0.01,
                "participation": 0.1, "participation_days": 2, "turnover": 0.4, "tax_budget": "5000",
                "locked_lots": ["L2"], "min_holding_days": 1, "restricted": ["X"], "no_buy": ["B"], "no_sell": ["C"],
                "lower_bound": ["A": 0.05], "upper_bound": 0.9, "groups": ["G": ["A", "B", "A"]],
                "group_constraints": ["G": ["min": 0.1, "max": 0.8]],
            ],
            "cost_gate": ["benefit_fraction": 0.5, "max_cost_bps": 100],
            "harvest": ["identical": [["A", "C"]], "substitutes": ["B"]],
            "look_ahead": ["periods": 3, "forecasts": [["A": 0.1], ["B": 0.2]]],
        ],
    ]

    /// Values that belong nowhere, or just about somewhere.
    private static let nasty: [JSONValue] = [
        .null, true, "", "x", 0, -1, 1, 0.5, 1e-300, 1e300, -1e300, "0.000000000000000001", "99999999999999999999",
        "170141183460469231731", "-170141183460469231731", 1_000_000_000_000, 999_999_999, "1e5", "NaN", "Infinity", [],
        [:], [[]],
        ["a": 1], "0001-01-01", "9999-12-31", "2026-02-30", "CASH", "A", ["A", "A"], ["A", "B", "C", "nobody"],
        [["A", "A"]], "\u{0}", "🂡", 3, 600, 0.1,
    ]

    /// Every place of a document.
    private static func places(_ value: JSONValue, _ path: [String] = []) -> [[String]] {
        switch value {
        case .object(let object): object.members.flatMap { places($0.value, path + [$0.key]) } + [path]
        case .array(let items): items.indices.flatMap { places(items[$0], path + [String($0)]) } + [path]
        default: [path]
        }
    }

    private func check(_ body: JSONValue, _ what: String) {
        let deadline = SolverDeadline(instant: ContinuousClock.now + .seconds(5))
        do {
            let plan = try ReallocationPlanner.plan(try RebalanceRequest(json: body), deadline: deadline)
            #expect(plan.objective.isFinite && plan.gap >= 0 && !plan.cashAfter.isOverflow, "\(what)")
            #expect(plan.state != .awaitingConfirm || !plan.legs.isEmpty, "\(what)")
            _ = plan.json.serialized()
        } catch {
            // A fault of the caller, or no time left; never one of ours.
            #expect(error.status < 500 || error.status == 504, "\(what): \(error)")
            #expect(!error.detail.isEmpty, "\(what)")
        }
    }

    @Test("each member in turn is taken away or becomes something else", arguments: 0..<8)
    func members(part: Int) {
        let places = Self.places(Self.base)
        for (index, place) in places.enumerated() where index % 8 == part && !place.isEmpty {
            check(Self.base.setting(place, nil), "without \(place.joined(separator: "/"))")
            // Every second value at every place, all of them at every other.
            for (number, value) in Self.nasty.enumerated() where (number + index / 8).isMultiple(of: 2) {
                check(Self.base.setting(place, value), "\(place.joined(separator: "/")) = \(value.serialized())")
            }
        }
    }

    @Test("two at once, seeded", arguments: 0..<8)
    func pairs(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let places = Self.places(Self.base).filter { !$0.isEmpty }
        for _ in 0..<150 {
            var body = Self.base
            var what = ""
            for _ in 0..<2 {
                let (place, value) = (
                    places[random.integer(places.count)], Self.nasty[random.integer(Self.nasty.count)]
                )
                body = body.setting(place, value)
                what += place.joined(separator: "/") + " = " + value.serialized() + "; "
            }
            check(body, what)
        }
    }

    @Test("figures at the edges of what can be computed with")
    func extremes() {
        func with(_ changes: [([String], JSONValue)]) -> JSONValue {
            changes.reduce(Self.base) { $0.setting($1.0, $1.1) }
        }
        check(with([(["cash"], "1000000000000000")]), "much cash")
        check(with([(["cash"], "-1000000000000000")]), "much debt")
        check(
            with([
                (["holdings", "0", "lots", "0", "quantity"], "1000000000000"),
                (["prices", "A", "price"], "1000000000"),
            ]), "a world")
        check(
            with([(["prices", "A", "price"], "0.000000000000000001"), (["prices", "A", "half_spread"], "0")]),
            "nearly nothing")
        check(with([(["settings", "constraints", "lot_size"], "0.000000000000000001")]), "finest lots")
        check(with([(["settings", "constraints", "lot_size"], "1000000")]), "coarsest lots")
        check(with([(["settings", "risk_aversion"], 1e-300)]), "no risk aversion")
        check(
            with([(["settings", "risk_aversion"], 1e6), (["settings", "horizon_years"], 100)]), "all risk aversion")
        check(with([(["covariance", "values"], [[0, 0, 0], [0, 0, 0], [0, 0, 0]])]), "no risk")
        check(
            with([(["covariance", "values"], [[1e300, 0, 0], [0, 1e300, 0], [0, 0, 1e300]])]), "risk without end")
        check(
            with([(["covariance", "values"], [[3e-308, 0, 0], [0, 3e-308, 0], [0, 0, 3e-308]])]),
            "risk below the least number")
        check(with([(["covariance", "values"], [[1, 1, 1], [1, 1, 1], [1, 1, 1]])]), "one factor")
        check(
            with([
                (["settings", "costs", "impact_coefficient"], 1000), (["prices", "C", "adv"], "0.000000000000000001"),
            ]), "no market")
        check(with([(["prices", "C", "adv"], "0")]), "no volume")
        check(
            with([(["as_of"], "9999-12-31"), (["settings", "thresholds", "last_rebalanced"], "0001-01-01")]),
            "the last day")
        check(with([(["as_of"], "1900-01-01"), (["holdings"], [])]), "before the law")
        check(with([(["settings", "constraints", "max_trades"], 0)]), "no trades")
        check(with([(["settings", "constraints", "turnover"], 0)]), "no turnover")
        check(with([(["settings", "constraints", "upper_bound"], 0)]), "nothing may be held")
        check(with([(["settings", "constraints", "lower_bound"], 1)]), "everything has to be held")
        check(
            with([(["target"], ["A": 1.0]), (["settings", "constraints", "restricted"], ["A", "B", "C"])]),
            "all restricted")
        check(with([(["target"], [:]), (["holdings"], [])]), "nothing")
    }

    @Test("more lots than can be counted are refused, and fine steps are not listed one by one")
    func fineSteps() throws {
        var body = Self.base.setting(["settings", "constraints", "lot_size"], "0.000000000000000001")
        #expect(throws: Problem.self) { try ReallocationPlanner.plan(try RebalanceRequest(json: body)) }
        // A token in billionths, with short-term and long-term lots to choose from.
        body = [
            "as_of": "2026-11-20", "cash": "0",
            "holdings": [
                [
                    "asset": "T",
                    "lots": [
                        ["id": "S", "acquired": "2026-06-01", "quantity": "50", "basis_per_share": "90"],
                        ["id": "L", "acquired": "2024-06-01", "quantity": "50", "basis_per_share": "88"],
                    ],
                ]
            ],
            "target": ["T": "0.5", "CASH": "0.5"], "prices": ["T": "100"],
            "settings": [
                "risk_aversion": 1000, "constraints": ["lot_size": "0.000000001"],
                "tax": ["rate_short": "0.37", "rate_long": "0.2"],
            ],
        ]
        let plan = try ReallocationPlanner.plan(try RebalanceRequest(json: body))
        #expect(plan.legs.count == 1 && plan.gap < 0.01)
    }

    @Test("a lot on the last day of the calendar, thousand lots, thousand copies of a group")
    func many() {
        let lots: [JSONValue] = (0..<1000).map {
            ["id": .string("l\($0)"), "acquired": "2020-02-29", "quantity": "0.5", "basis_per_share": .string("\($0)")]
        }
        check(Self.base.setting(["holdings", "0", "lots"], .array(lots)), "a thousand lots")
        var groups = JSONObject()
        var limits = JSONObject()
        for n in 0..<300 {
            groups["g\(n)"] = ["A", "B"]
            limits["g\(n)"] = ["min": 0.2, "max": 0.2]
        }
        var body = Self.base.setting(["settings", "constraints", "groups"], .object(groups))
        body = body.setting(["settings", "constraints", "group_constraints"], .object(limits))
        check(body, "three hundred groups")
    }
}
