import Reallocation
import TestSupport
import Testing
import WireFormat

/// Whole plans whose figures are worked out by hand, to the cent. Risk is priced so high that the target decides what is traded;
/// which lots, what tax and what cost is what is looked at.
@Suite("Worked plans")
struct WorkedPlanTests {
    /// A plan of assets that move independently at 20 % a year.
    private func plan(
        _ day: String = "2026-11-20", cash: String = "0", holdings: JSONValue, target: JSONValue, prices: JSONValue,
        settings: [(String, JSONValue)]
    ) throws -> JSONValue {
        var object = JSONObject([("risk_aversion", 1_000_000)])
        for (name, value) in settings { object[name] = value }
        let request = try RebalanceRequest(json: [
            "as_of": .string(day), "cash": .string(cash), "holdings": holdings, "target": target, "prices": prices,
            "settings": .object(object),
        ])
        return try ReallocationPlanner.plan(request).json
    }

    private func lot(_ id: String, _ acquired: String, _ quantity: String, _ basis: String) -> JSONValue {
        [
            "id": .string(id), "acquired": .string(acquired), "quantity": .string(quantity),
            "basis_per_share": .string(basis),
        ]
    }

    private func tax(_ members: [(String, JSONValue)]) -> (String, JSONValue) {
        var object = JSONObject([
            ("rate_short", "0.37"), ("rate_long", "0.20"), ("rate_ordinary", "0.35"), ("ordinary_cap", "3000"),
        ])
        for (name, value) in members { object[name] = value }
        return ("tax", .object(object))
    }

    private func sold(_ plan: JSONValue, _ leg: Int = 0) -> [String] {
        (plan["legs"]?[leg]?["lots"]?.arrayValue ?? []).map {
            "\($0["id"]?.stringValue ?? "") \($0["quantity"]?.stringValue ?? "") \($0["term"]?.stringValue ?? "") \($0["gain"]?.stringValue ?? "")"
        }
    }

    @Test("netting with carries on both sides")
    func carries() throws {
        let plan = try plan(
            holdings: [["asset": "A", "lots": [lot("L1", "2024-01-02", "200", "88")]]],
            target: ["A": "0.5", "CASH": "0.5"], prices: ["A": "100"],
            settings: [
                tax([
                    ("realised_short", "2000"), ("realised_long", "-500"), ("carry_short", "1500"),
                    ("carry_long", "800"),
                    ("lot_method", "fifo"),
                ])
            ])
        // 100 shares at 12.00. Before: short 500, long -1,300, net -800: -280.00. After: long -100, net 400 of short: 148.00.
        #expect(sold(plan) == ["L1 100 long 1200.00"])
        #expect(plan["tax"]?["year_before"]?["tax"] == "-280.00" && plan["tax"]?["year_after"]?["tax"] == "148.00")
        #expect(plan["tax"]?["tax"] == "428.00" && plan["legs"]?[0]?["tax"] == "428.00")
    }

    @Test("the ordinary-income cap eats short losses first, the rest is carried by side")
    func cap() throws {
        let plan = try plan(
            holdings: [
                ["asset": "A", "lots": [lot("S", "2026-06-01", "100", "120"), lot("L", "2024-06-01", "100", "140")]]
            ],
            target: ["CASH": "1"], prices: ["A": "100"],
            settings: [tax([("lot_method", "fifo"), ("carry_value_long", "0.1")])])
        // -2,000 short and -4,000 long: 3,000 deducted at 35 %, all of the short and 1,000 of the long, 3,000 long carried at 0.10.
        #expect(plan["tax"]?["gain_short"] == "-2000.00" && plan["tax"]?["gain_long"] == "-4000.00")
        #expect(plan["tax"]?["tax"] == "-1050.00" && plan["tax"]?["carry_value"] == "300.00")
        let year = plan["tax"]?["year_after"]
        #expect(year?["carry_out_short"] == "0.00" && year?["carry_out_long"] == "3000.00")
    }

    @Test("with losses to carry the least gain goes first, whatever its rate; with rates by lot the other")
    func netted() throws {
        func made(_ mode: String) throws -> JSONValue {
            try plan(
                holdings: [
                    ["asset": "A", "lots": [lot("S", "2026-06-01", "50", "90"), lot("L", "2024-06-01", "50", "88")]]
                ],
                target: ["A": "0.5", "CASH": "0.5"], prices: ["A": "100"],
                settings: [
                    tax([("mode", .string(mode)), ("realised_long", "-10000"), ("carry_value_long", "0.15")])
                ])
        }
        // Gains only eat the carry: 500 x 0.15 = 75.00 against 600 x 0.15 = 90.00.
        let year = try made("netted_year")
        #expect(sold(year) == ["S 50 short 500.00"])
        #expect(year["tax"]?["tax"] == "0.00" && year["tax"]?["carry_value"] == "-75.00")
        // 50 x 10 x 37 % = 185.00 against 50 x 12 x 20 % = 120.00.
        let rates = try made("lot_rates")
        #expect(sold(rates) == ["L 50 long 600.00"] && rates["tax"]?["tax"] == "120.00")
    }

    @Test("specific lots in the order given, then average cost in a pool")
    func methods() throws {
        let lots: JSONValue = [
            ["asset": "A", "lots": [lot("B", "2025-12-01", "50", "70"), lot("A", "2020-01-01", "50", "20")]]
        ]
        let specific = try plan(
            holdings: lots, target: ["A": "0.3", "CASH": "0.7"], prices: ["A": "80"],
            settings: [tax([("lot_method", "specific")])])
        #expect(sold(specific) == ["B 50 short 500.00", "A 20 long 1200.00"])
        // 500 x 37 % + 1,200 x 20 %.
        #expect(specific["tax"]?["tax"] == "425.00")
        let pool = try plan(
            holdings: [
                ["asset": "A", "lots": [lot("1", "2020-01-01", "10", "10"), lot("2", "2026-01-01", "30", "20")]]
            ],
            target: ["A": "0.5", "CASH": "0.5"], prices: ["A": "25"],
            settings: [tax([("regime", "ca"), ("rate_short", "0.40"), ("ordinary_cap", nil)])])
        // 700 for forty shares, 17.50 each: twenty bring 150, of which half at 40 %.
        #expect(pool["legs"]?[0]?["quantity"] == "20")
        #expect(pool["tax"]?["gain_short"] == "150.00" && pool["tax"]?["tax"] == "30.00")
    }

    @Test("29 February: the 28th of the next year is still short-term, the 1st of March is not")
    func leapDay() throws {
        for (day, term, due) in [("2025-02-28", "short", "370.00"), ("2025-03-01", "long", "200.00")] {
            let plan = try plan(
                day, holdings: [["asset": "A", "lots": [lot("L", "2024-02-29", "100", "90")]]],
                target: ["CASH": "1"], prices: ["A": "100"], settings: [tax([])])
            #expect(sold(plan) == ["L 100 \(term) 1000.00"] && plan["tax"]?["tax"] == .string(due))
        }
    }

    @Test("the cash floor holds after spread and commission, to the cent")
    func floor() throws {
        func bought(_ floor: String) throws -> (quantity: String?, cash: String?) {
            let plan = try plan(
                cash: "10000", holdings: [], target: ["A": "1"],
                prices: ["A": ["price": "100", "half_spread": "0.05"]],
                settings: [
                    ("costs", ["commission": ["per_share": "0.005", "minimum": "1"]]),
                    ("constraints", ["cash_floor": .string(floor)]),
                ])
            return (plan["legs"]?[0]?["quantity"]?.stringValue, plan["cash_after"]?.stringValue)
        }
        // Ninety shares: 9,000 + 4.50 + 1.00, which leaves 994.50.
        #expect(try bought("994.50") == ("90", "994.5"))
        // A cent more to keep: eighty-nine, 8,900 + 4.45 + 1.00.
        #expect(try bought("994.51") == ("89", "1094.55"))
    }

    @Test("lots of a thousandth of a token")
    func decimals() throws {
        let plan = try plan(
            cash: "1000", holdings: [], target: ["BTC": "0.5", "CASH": "0.5"], prices: ["BTC": "43210.55"],
            settings: [("constraints", ["lot_size": "0.001"])])
        // 0.011 misses 500 by 24.68, 0.012 by 18.53.
        #expect(plan["legs"]?[0]?["quantity"] == "0.012" && plan["cash_after"] == "481.4734")
    }

    @Test("locked lots, lots that are too young, and what may not be sold stay")
    func restricted() throws {
        let plan = try plan(
            holdings: [
                [
                    "asset": "A",
                    "lots": [
                        lot("locked", "2020-01-01", "40", "10"), lot("young", "2026-11-01", "40", "99"),
                        lot("free", "2025-01-01", "40", "50"),
                    ],
                ], ["asset": "B", "quantity": "10"],
            ],
            target: ["CASH": "1"], prices: ["A": "100", "B": "100"],
            settings: [
                tax([("wash_sale", false)]),
                (
                    "constraints",
                    ["locked_lots": ["locked"], "min_holding_days": 30, "restricted": ["B"]]
                ),
            ])
        #expect(plan["legs"]?.arrayValue?.count == 1 && sold(plan) == ["free 40 long 2000.00"])
        #expect(plan["tax"]?["tax"] == "400.00" && plan["cash_after"] == "4000")
    }

    @Test(
        "what was sold at a loss, and what is the same in the eyes of the law, is not bought until the window has closed"
    )
    func blocks() throws {
        func bought(_ day: String) throws -> [String] {
            let plan = try plan(
                day, cash: "1000", holdings: [], target: ["A": "0.3", "B": "0.3", "C": "0.4"],
                prices: ["A": "10", "B": "10", "C": "10"],
                settings: [
                    tax([("recent_loss_sales", [["asset": "A", "date": "2026-10-21"]])]),
                    ("harvest", ["identical": [["A", "B"]]]),
                ])
            return (plan["legs"]?.arrayValue ?? []).compactMap { $0["asset"]?.stringValue }.sorted()
        }
        #expect(try bought("2026-11-20") == ["C"])
        #expect(try bought("2026-11-21") == ["A", "B", "C"])
    }

    @Test("a recent lot takes as many shares of a loss away as it keeps: sold with the loss, it takes none")
    func washRows() throws {
        func plan(_ kept: String, cash: String, _ more: [(String, JSONValue)] = []) throws -> JSONValue {
            try self.plan(
                holdings: [
                    [
                        "asset": "A",
                        "lots": [
                            lot("loss", "2025-01-01", "50", "130"), lot("new", "2026-11-05", "20", "95"),
                            lot("gain", "2025-01-01", "80", "60"),
                        ],
                    ]
                ],
                target: ["A": .string(kept), "CASH": .string(cash)], prices: ["A": "100"],
                settings: [tax([("realised_long", "5000")])]
                    + (more.isEmpty ? [] : [("constraints", .object(JSONObject(more)))]))
        }
        // 15,000 in all. Seventy shares go: with the twenty new ones all fifty of the loss count, 1,500 long for 100 short.
        let whole = try plan("0.533333333333", cash: "0.466666666667")
        #expect(Set(sold(whole)) == ["loss 50 long -1500.00", "new 20 short 100.00"])
        #expect(whole["tax"]?["gain_long"] == "-1500.00" && whole["tax"]?["gain_short"] == "100.00")
        // 100 x 37 % - 1,500 x 20 %.
        #expect(whole["tax"]?["tax"] == "-263.00")
        // The new lot stays: twenty of the fifty shares at a loss are replaced, 30 x 30 count.
        let part = try plan("0.533333333333", cash: "0.466666666667", [("locked_lots", ["new"])])
        #expect(Set(sold(part)) == ["loss 50 long -1500.00", "gain 20 long 800.00"])
        let lots = part["legs"]?[0]?["lots"]?.arrayValue ?? []
        #expect(lots.first { $0["id"] == "loss" }?["disallowed"] == "600.00")
        #expect(lots.first { $0["id"] == "gain" }?["disallowed"] == "0.00")
        // (-900 + 800) x 20 %.
        #expect(part["tax"]?["gain_long"] == "-100.00" && part["tax"]?["tax"] == "-20.00")
    }

    @Test(
        "a lot does not replace itself: the only purchase, ten days ago, may be sold at its loss, all of it or a part")
    func ownPurchase() throws {
        for (target, quantity) in [("0", "50"), ("0.6", "20")] {
            let plan = try plan(
                holdings: [["asset": "A", "lots": [lot("new", "2026-11-10", "50", "130")]]],
                target: ["A": .string(target), "CASH": .string(target == "0" ? "1" : "0.4")], prices: ["A": "100"],
                settings: [tax([("realised_short", "5000")])])
            #expect(plan["legs"]?[0]?["quantity"] == .string(quantity))
            // 30.00 a share of short loss against short gains at 37 %.
            #expect(plan["tax"]?["tax"] == .string(quantity == "50" ? "-555.00" : "-222.00"))
        }
        // Two purchases of the last thirty days replace each other as long as one is kept: fifty shares sold bring no loss, all hundred the whole.
        let two = try plan(
            holdings: [
                ["asset": "A", "lots": [lot("x", "2026-11-10", "50", "130"), lot("y", "2026-11-12", "50", "130")]]
            ],
            target: ["CASH": "1"], prices: ["A": "100"], settings: [tax([("realised_short", "5000")])])
        #expect(two["tax"]?["tax"] == "-1110.00")
        let half = try plan(
            holdings: [
                ["asset": "A", "lots": [lot("x", "2026-11-10", "50", "130"), lot("y", "2026-11-12", "50", "130")]]
            ],
            target: ["A": "0.5", "CASH": "0.5"], prices: ["A": "100"], settings: [tax([("realised_short", "5000")])])
        #expect(half["tax"]?["tax"] == "0.00" && half["legs"]?[0]?["quantity"] == "50")
    }

    @Test("a trade spread over time: the published figures of Almgren and Chriss, and what is missing is said")
    func schedule() throws {
        func plan(_ quote: JSONValue) throws -> JSONValue {
            try self.plan(
                holdings: [["asset": "A", "lots": [lot("L", "2020-01-01", "1000000", "40")]]], target: ["CASH": 1],
                prices: ["A": quote],
                settings: [
                    ("schedule", ["days": 5, "intervals": 5, "risk_aversion": 0.000001]),
                    ("costs", ["impact_coefficient": 0]),
                ])
        }
        // Fifty dollars with 0.95 a day, an eighth of spread, five million shares a day.
        let volatility = JSONValue(0.95 / 50 * 252.0.squareRoot())
        let schedule = try #require(
            try plan(["price": "50", "half_spread": "0.0625", "adv": "5000000", "volatility": volatility])["legs"]?[0]?[
                "schedule"])
        #expect(((schedule["expected_cost"]?.doubleValue ?? 0) - 911_227).magnitude < 1)
        #expect(((schedule["standard_deviation"]?.doubleValue ?? 0) - 603_431).magnitude < 1)
        let slices = (schedule["slices"]?.arrayValue ?? []).compactMap { $0.stringValue.flatMap { FixedDecimal($0) } }
        #expect(slices.count == 5 && slices.reduce(0, +) == 1_000_000 && zip(slices, slices.dropFirst()).allSatisfy(>=))
        let even = schedule["frontier"]?[0]
        #expect(((even?["expected_cost"]?.doubleValue ?? 0) - 662_500).magnitude < 1)
        #expect(((even?["standard_deviation"]?.doubleValue ?? 0) - 1_040_673).magnitude < 1)
        let blind = try plan(["price": "50", "half_spread": "0.0625", "volatility": volatility])
        #expect(blind["legs"]?[0]?["schedule"] == nil)
        #expect(blind["warnings"]?.arrayValue?.contains { $0["code"] == "schedule_missing" } == true)
    }

    @Test("sale fees: a rate, a fee a share with its cap, and the gain net of them")
    func fees() throws {
        let plan = try plan(
            holdings: [["asset": "A", "lots": [lot("L", "2024-01-01", "60000", "9")]]], target: ["CASH": "1"],
            prices: ["A": "10"],
            settings: [
                (
                    "costs",
                    [
                        "sale_fees": ["rate": "0.0000278", "per_share": "0.000166", "per_share_cap": "8.30"],
                        "commission": ["per_share": "0.005", "minimum": "1", "maximum_rate": "0.0001"],
                    ]
                ), tax([("lot_method", "fifo")]),
            ])
        // 600,000 x 0.0000278 = 16.68, and 9.96 capped at 8.30; commission 300.00 capped at 60.00.
        #expect(plan["costs"]?["fees"] == "24.98" && plan["costs"]?["commission"] == "60")
        #expect(plan["cash_after"] == "599915.02")
        // 60,000 x (10 - 0.000278 - 0.000166 - 9) = 59,973.36 at 20 %.
        #expect(plan["tax"]?["gain_long"] == "59973.36" && plan["tax"]?["tax"] == "11994.67")
    }

    @Test("participation over days, turnover and a group together: each binds where it should")
    func limits() throws {
        let participation = try plan(
            cash: "100000", holdings: [], target: ["A": "1"],
            prices: ["A": ["price": "10", "adv": "1000", "volatility": 0.2]],
            settings: [("constraints", ["participation": "0.1", "participation_days": "3"])])
        // 0.1 x 1,000 x 3.
        #expect(participation["legs"]?[0]?["quantity"] == "300")
        let turnover = try plan(
            cash: "1000", holdings: [], target: ["A": "0.6", "B": "0.4"], prices: ["A": "1", "B": "1"],
            settings: [("constraints", ["turnover": "0.25"])])
        // Half the changes at most a quarter: 500 of value; the deviations 0.6 - a and 0.4 - b are evened out: 350 and 150.
        let bought = (turnover["legs"]?.arrayValue ?? []).map {
            "\($0["asset"]?.stringValue ?? "") \($0["quantity"]?.stringValue ?? "")"
        }
        #expect(Set(bought) == ["A 350", "B 150"])
        let group = try plan(
            cash: "1000", holdings: [], target: ["A": "0.6", "B": "0.4"], prices: ["A": "1", "B": "1"],
            settings: [
                ("constraints", ["groups": ["G": ["A", "B", "A"]], "group_constraints": ["G": ["max": "0.5"]]])
            ])
        let held = (group["legs"]?.arrayValue ?? []).map {
            "\($0["asset"]?.stringValue ?? "") \($0["quantity"]?.stringValue ?? "")"
        }
        #expect(Set(held) == ["A 350", "B 150"])
    }

    @Test("a tax budget is kept to the cent, and a share more would break it")
    func budget() throws {
        let plan = try plan(
            holdings: [["asset": "A", "lots": [lot("L", "2024-01-01", "1000", "60")]]], target: ["CASH": "1"],
            prices: ["A": "100"],
            settings: [tax([]), ("constraints", ["tax_budget": "1003.99"])])
        // 40 x 20 % = 8.00 a share: 125 shares are 1,000.00, one more 1,008.00.
        #expect(plan["legs"]?[0]?["quantity"] == "125" && plan["tax"]?["tax"] == "1000.00")
    }

    @Test("harvesting: the value of a loss at the margin, and no substitute that is blocked")
    func harvest() throws {
        let plan = try plan(
            holdings: [
                ["asset": "A", "lots": [lot("L", "2026-06-01", "100", "120")]], ["asset": "B", "quantity": "100"],
            ],
            target: ["A": "0.5", "B": "0.5"], prices: ["A": "100", "B": "100"],
            settings: [
                tax([("realised_short", "1000"), ("recent_loss_sales", [["asset": "B", "date": "2026-11-10"]])]),
                ("risk_aversion", 0.000001), ("harvest", ["discount_rate": 0, "deferral_years": 0]),
            ])
        let candidate = plan["harvest"]?[0]
        #expect(candidate?["lots"] != nil || candidate?["lot"] != nil, "\(plan["harvest"]?.serialized() ?? "")")
        #expect(candidate?["substitute"] == .null, "\(plan["harvest"]?.serialized() ?? "")")
        #expect(candidate?["blocked_until"] == "2026-12-21", "\(plan["harvest"]?.serialized() ?? "")")
        // 1,000 at 37 % and 1,000 at 35 % of ordinary income.
        #expect(plan["harvest"]?.serialized().contains("\"720.00\"") == true, "\(plan["harvest"]?.serialized() ?? "")")
    }
}
