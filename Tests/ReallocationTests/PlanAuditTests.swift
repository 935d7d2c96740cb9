import Reallocation
import TestSupport
import Testing
import WireFormat

/// Random requests as JSON, and their plans as JSON, counted again by a reading of the law and of the objective that shares nothing with the
/// library: dates by hand, netting by hand, every set of trades and of lots tried.
@Suite("Plans counted again by hand")
struct PlanAuditTests {
    private struct Lot {
        var id: String
        var date: (year: Int, month: Int, day: Int)
        var shares: Int
        var basis: Double
        var isLong: Bool
        var isRecent: Bool
    }

    private struct Case {
        var request: JSONValue
        var prices: [Double]
        var spreads: [Double]
        var targets: [Double]
        var lots: [[Lot]]
        var cash: Double
        var floor: Double
        var method: String
        var isWashed: Bool
        var blocked: Int?
        var realised: (short: Double, long: Double)
        var carry: (short: Double, long: Double)
        var carryValue: (short: Double, long: Double)
        var cap: Double
        var fee: Double
        var perShare: Double
        var mostTrades: Int?
        var leastTrade: Double
        var turnover: Double?
        var highest: Double?
        var aversion: Double
        var sigma: [[Double]]
        var value: Double {
            cash + zip(prices, lots).reduce(0) { $0 + $1.0 * Double($1.1.reduce(0) { $0 + $1.shares }) }
        }
    }

    private static let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    private static func isLeap(_ year: Int) -> Bool {
        year.isMultiple(of: 4) && !year.isMultiple(of: 100) || year.isMultiple(of: 400)
    }
    /// Days since 1 January 2020.
    private static func number(_ date: (year: Int, month: Int, day: Int)) -> Int {
        var days = 0
        for year in 2020..<date.year { days += isLeap(year) ? 366 : 365 }
        for month in 1..<date.month { days += lengths[month - 1] + (month == 2 && isLeap(date.year) ? 1 : 0) }
        return days + date.day - 1
    }
    private static func text(_ date: (year: Int, month: Int, day: Int)) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(date.year)-\(two(date.month))-\(two(date.day))"
    }
    /// Long-term from the day after the anniversary; 29 February has its own on the 28th.
    private static func isLong(
        _ bought: (year: Int, month: Int, day: Int), _ sold: (year: Int, month: Int, day: Int)
    ) -> Bool {
        let day = bought.month == 2 && bought.day == 29 && !isLeap(bought.year + 1) ? 28 : bought.day
        return number(sold) > number((bought.year + 1, bought.month, day))
    }

    private func make(_ seed: UInt64) -> Case {
        var random = SplitMix64(seed: seed &* 31 &+ 7)
        func pick<T>(_ list: [T]) -> T { list[random.integer(list.count)] }
        func cents(_ low: Int, _ high: Int) -> Double { Double(low + random.integer(high - low + 1)) / 100 }
        let today: (year: Int, month: Int, day: Int) = pick([
            (2025, 2, 28), (2025, 3, 1), (2026, 11, 20), (2024, 2, 29),
        ])
        let method = pick(["min_tax", "min_tax", "fifo", "lifo", "hifo", "specific"])
        var made = Case(
            request: .null, prices: [], spreads: [], targets: [], lots: [], cash: cents(2_000, 30_000), floor: 0,
            method: method, isWashed: random.chance(0.7), blocked: random.chance(0.2) ? random.integer(2) : nil,
            realised: (Double(random.integer(200) - 100), Double(random.integer(200) - 100)),
            carry: random.chance(0.5) ? (Double(random.integer(90)), Double(random.integer(90))) : (0, 0),
            carryValue: random.chance(0.4) ? (0.12, 0.07) : (0, 0), cap: Double(20 + random.integer(80)),
            fee: random.chance(0.5) ? 0.35 : 0, perShare: random.chance(0.5) ? 0.02 : 0,
            mostTrades: random.chance(0.3) ? 1 : nil, leastTrade: random.chance(0.3) ? Double(random.integer(150)) : 0,
            turnover: random.chance(0.2) ? 0.25 : nil, highest: random.chance(0.2) ? 0.55 : nil,
            aversion: 1 + 12 * random.uniform(), sigma: [])
        made.floor = random.chance(0.5) ? 15 : 0
        let (a, b) = (0.15 + 0.2 * random.uniform(), 0.15 + 0.2 * random.uniform())
        let c = a * b * (random.uniform() - 0.3)
        made.sigma = [[a * a, c], [c, b * b]]
        for asset in 0..<2 {
            made.prices.append(cents(2_000, 9_000))
            made.spreads.append(random.chance(0.5) ? cents(1, 20) : 0)
            made.lots.append(
                (0..<random.integer(4)).map { index in
                    let date = pick([
                        (2024, 2, 28), (2023, 12, 31), (2020, 2, 29), (2024, 1, 30), (2022, 6, 1),
                        (today.year - 1, today.month, min(today.day, 28)), (2024, 2, 1), (2021, 3, 1),
                    ])
                    let recent = random.chance(0.25) ? (today.year, today.month, 1) : date
                    return Lot(
                        id: "\(asset)-\(index)", date: recent, shares: 1 + random.integer(4),
                        basis: cents(1_500, 11_000),
                        isLong: Self.isLong(recent, today),
                        isRecent: Self.number(today) - Self.number(recent) <= 30)
                })
        }
        let share = Double(20 + random.integer(60)) / 100
        made.targets = [share, (0.95 - share) * (random.chance(0.2) ? 0 : 1)]
        made.targets[1] = (made.targets[1] * 100).rounded() / 100
        func figure(_ value: Double) -> JSONValue { .string(FixedDecimal(value, places: 6).description) }
        var tax = JSONObject([
            ("rate_short", "0.37"), ("rate_long", "0.2"), ("rate_ordinary", "0.35"), ("ordinary_cap", figure(made.cap)),
            ("realised_short", figure(made.realised.short)), ("realised_long", figure(made.realised.long)),
            ("carry_short", figure(made.carry.short)), ("carry_long", figure(made.carry.long)),
            ("carry_value_short", figure(made.carryValue.short)), ("carry_value_long", figure(made.carryValue.long)),
            ("lot_method", .string(method)), ("wash_sale", .bool(made.isWashed)),
        ])
        if let blocked = made.blocked {
            tax["recent_loss_sales"] = [["asset": .string(["A", "B"][blocked]), "date": .string(Self.text(today))]]
        }
        var limits = JSONObject([("cash_floor", figure(made.floor)), ("min_trade", figure(made.leastTrade))])
        if let most = made.mostTrades { limits["max_trades"] = JSONValue(most) }
        if let turnover = made.turnover { limits["turnover"] = figure(turnover) }
        if let highest = made.highest { limits["upper_bound"] = figure(highest) }
        made.request = [
            "as_of": .string(Self.text(today)), "cash": figure(made.cash),
            "holdings": .array(
                made.lots.enumerated().filter { !$0.element.isEmpty }.map { asset, lots in
                    [
                        "asset": .string(["A", "B"][asset]),
                        "lots": .array(
                            lots.map {
                                [
                                    "id": .string($0.id), "acquired": .string(Self.text($0.date)),
                                    "quantity": JSONValue($0.shares), "basis_per_share": figure($0.basis),
                                ]
                            }),
                    ]
                }),
            "target": ["A": figure(made.targets[0]), "B": figure(made.targets[1])],
            "prices": .object(
                JSONObject(
                    (0..<2).map {
                        (
                            ["A", "B"][$0],
                            ["price": figure(made.prices[$0]), "half_spread": figure(made.spreads[$0])] as JSONValue
                        )
                    })),
            "covariance": [
                "assets": ["A", "B"], "values": .array(made.sigma.map { .array($0.map { JSONValue($0) }) }),
            ],
            "settings": [
                "risk_aversion": JSONValue(made.aversion), "relax": false, "alternatives": false,
                "costs": ["commission": ["per_share": figure(made.perShare), "minimum": figure(made.fee)]],
                "tax": .object(tax), "constraints": .object(limits),
            ],
        ]
        return made
    }

    /// The tax of a year and the losses that it carries out.
    private func year(_ made: Case, _ short: Double, _ long: Double) -> (tax: Double, short: Double, long: Double) {
        let s = made.realised.short + short - made.carry.short
        let l = made.realised.long + long - made.carry.long
        let n = s + l
        if s >= 0, l >= 0 { return (0.37 * s + 0.2 * l, 0, 0) }
        if n >= 0 { return (s >= 0 ? 0.37 * n : 0.2 * n, 0, 0) }
        let deducted = min(made.cap, -n)
        if s >= 0 { return (-0.35 * deducted, 0, -n - deducted) }
        if l >= 0 { return (-0.35 * deducted, -n - deducted, 0) }
        let ofShort = min(deducted, -s)
        return (-0.35 * deducted, -s - ofShort, -l - (deducted - ofShort))
    }

    /// Lots of a sale in the order of a method.
    private func queue(_ made: Case, _ asset: Int) -> [Lot] {
        let lots = made.lots[asset]
        switch made.method {
        case "fifo": return lots.sorted { (Self.number($0.date), $0.id) < (Self.number($1.date), $1.id) }
        case "lifo": return lots.sorted { (-Self.number($0.date), $0.id) < (-Self.number($1.date), $1.id) }
        case "hifo": return lots.sorted { $0.basis > $1.basis }
        default: return lots
        }
    }

    private struct Choice {
        var shares: Int
        var short: Double
        var long: Double
    }

    /// A share sold at a loss counts unless a share of another lot, bought in the last thirty days and kept, takes its place: the oldest first.
    private func choice(_ made: Case, _ asset: Int, _ lots: [Lot], _ sold: [Int]) -> Choice {
        let price = made.prices[asset]
        let byAge = lots.indices.sorted {
            (Self.number(lots[$0].date), lots[$0].id) < (Self.number(lots[$1].date), lots[$1].id)
        }
        var kept = byAge.flatMap { at in
            made.isWashed && lots[at].isRecent ? [Int](repeating: at, count: lots[at].shares - sold[at]) : []
        }
        var choice = Choice(shares: -sold.reduce(0, +), short: 0, long: 0)
        for at in byAge {
            for _ in 0..<sold[at] {
                if lots[at].basis > price, let place = kept.firstIndex(where: { $0 != at }) {
                    kept.remove(at: place)
                } else if lots[at].isLong {
                    choice.long += price - lots[at].basis
                } else {
                    choice.short += price - lots[at].basis
                }
            }
        }
        return choice
    }

    /// Everything that may be done with one asset.
    private func choices(_ made: Case, _ asset: Int) -> [Choice] {
        let price = made.prices[asset]
        var found = [Choice(shares: 0, short: 0, long: 0)]
        let lots = queue(made, asset)
        if made.method == "min_tax" {
            func visit(_ sold: [Int]) {
                guard sold.count < lots.count else {
                    if sold.contains(where: { $0 > 0 }) { found.append(choice(made, asset, lots, sold)) }
                    return
                }
                for taken in 0...lots[sold.count].shares { visit(sold + [taken]) }
            }
            visit([])
        } else {
            for shares in 1...max(1, lots.reduce(0) { $0 + $1.shares }) where !lots.isEmpty {
                var rest = shares
                found.append(
                    choice(
                        made, asset, lots,
                        lots.map { lot in
                            let taken = min(rest, lot.shares)
                            rest -= taken
                            return taken
                        }))
            }
        }
        if !(made.isWashed && made.blocked == asset) {
            for bought in 1...60 where price * Double(bought) <= made.value {
                found.append(Choice(shares: bought, short: 0, long: 0))
            }
        }
        return found.filter { $0.shares == 0 || price * Double($0.shares.magnitude) >= made.leastTrade - 1e-9 }
    }

    private func cost(_ made: Case, _ asset: Int, _ shares: Int) -> Double {
        let size = Double(shares.magnitude)
        return size == 0 ? 0 : max(made.perShare * size, made.fee) + made.spreads[asset] * size
    }

    /// The objective of one choice for each asset; nil where a limit is broken.
    private func objective(_ made: Case, _ a: Choice, _ b: Choice) -> Double? {
        let value = made.value
        let pair = [a, b]
        var cash = made.cash
        var (costs, traded) = (0.0, 0.0)
        var deviations = [0.0, 0.0]
        for (asset, choice) in pair.enumerated() {
            let own = cost(made, asset, choice.shares)
            costs += own
            cash -= made.prices[asset] * Double(choice.shares) + own
            traded += made.prices[asset] * Double(choice.shares.magnitude)
            let held = made.lots[asset].reduce(0) { $0 + $1.shares } + choice.shares
            let weight = made.prices[asset] * Double(held) / value
            if let highest = made.highest, weight > highest + 1e-9 { return nil }
            deviations[asset] = weight - made.targets[asset]
        }
        guard cash >= made.floor - 1e-9 else { return nil }
        if let most = made.mostTrades, pair.filter({ $0.shares != 0 }).count > most { return nil }
        if let turnover = made.turnover, traded / 2 > turnover * value + 1e-9 { return nil }
        var risk = 0.0
        for i in 0..<2 { for j in 0..<2 { risk += deviations[i] * made.sigma[i][j] * deviations[j] } }
        let (before, after) = (year(made, 0, 0), year(made, a.short + b.short, a.long + b.long))
        return made.aversion * value / 2 * risk + costs + after.tax - before.tax
            - made.carryValue.short * (after.short - before.short) - made.carryValue.long * (after.long - before.long)
    }

    private func double(_ value: JSONValue?) throws -> Double {
        try #require(value?.stringValue.flatMap { FixedDecimal($0) }?.double ?? value?.doubleValue)
    }

    @Test(
        "the plan is the best of all trades and lots, and every figure is right to the cent", arguments: UInt64(0)..<5)
    func audit(block: UInt64) throws {
        var (plans, losses, washed) = (0, 0, 0)
        for seed in (block * 40)..<(block * 40 + 40) {
            let made = make(seed)
            guard made.value > 60 else { continue }
            let (first, second) = (choices(made, 0), choices(made, 1))
            var best: Double?
            for a in first {
                for b in second {
                    if let found = objective(made, a, b), found < best ?? .infinity { best = found }
                }
            }
            let request = try RebalanceRequest(json: made.request)
            let plan: JSONValue
            do throws(Problem) {
                plan = try ReallocationPlanner.plan(request).json
            } catch {
                #expect(best == nil && error.code == "OPT-101", "\(seed): \(error) where \(best ?? 0) is possible")
                continue
            }
            let optimum = try #require(best, "\(seed): a plan where none keeps to the limits")
            let found = try double(plan["objective"])
            #expect((found - optimum).magnitude <= 1e-6 * max(1, optimum.magnitude), "\(seed): \(found) for \(optimum)")
            #expect(try double(plan["lower_bound"]) <= optimum + 1e-6)
            plans += 1
            try check(made, plan, seed, &losses, &washed)
        }
        #expect(plans > 15 && losses > 0 && washed > 0)
    }

    /// Lots, terms, gains, tax, costs and cash of a plan.
    private func check(_ made: Case, _ plan: JSONValue, _ seed: UInt64, _ losses: inout Int, _ washed: inout Int) throws
    {
        var (cash, short, long, commission) = (made.cash, 0.0, 0.0, 0.0)
        for leg in plan["legs"]?.arrayValue ?? [] {
            let asset = leg["asset"]?.stringValue == "A" ? 0 : 1
            let quantity = Int(try double(leg["quantity"]))
            let isSale = leg["side"]?.stringValue == "sell"
            let own = cost(made, asset, quantity)
            cash += (isSale ? 1 : -1) * made.prices[asset] * Double(quantity) - own
            commission += max(made.perShare * Double(quantity), made.fee)
            #expect((try double(leg["costs"]?["total"]) - own).magnitude < 1e-7)
            guard isSale else { continue }
            var (left, disallowed) = (quantity, 0.0)
            var sold = made.lots[asset].map { _ in 0 }
            let order = queue(made, asset)
            for (place, sale) in (leg["lots"]?.arrayValue ?? []).enumerated() {
                let lot = try #require(order.first { $0.id == sale["id"]?.stringValue }, "\(seed)")
                let taken = Int(try double(sale["quantity"]))
                let gain = (made.prices[asset] - lot.basis) * Double(taken)
                #expect((try double(sale["gain"]) - gain).magnitude < 1e-9, "\(seed)")
                #expect(sale["term"]?.stringValue == (lot.isLong ? "long" : "short"), "\(seed) \(lot)")
                sold[try #require(made.lots[asset].firstIndex { $0.id == lot.id })] += taken
                if gain < 0 { losses += 1 }
                disallowed += try double(sale["disallowed"] ?? "0")
                if made.method != "min_tax" {
                    // Equal keys may stand in either order; lots that differ stand in the method's.
                    #expect(
                        place >= order.count || order[place].basis == lot.basis || order[place].id == lot.id, "\(seed)")
                    #expect(taken == min(left, lot.shares))
                }
                left -= taken
            }
            #expect(left == 0, "\(seed)")
            let counted = choice(made, asset, made.lots[asset], sold)
            short += counted.short
            long += counted.long
            let gross = zip(made.lots[asset], sold).reduce(0) { $0 + (made.prices[asset] - $1.0.basis) * Double($1.1) }
            #expect((counted.short + counted.long - gross - disallowed).magnitude < 1e-9, "\(seed)")
            if disallowed > 0 { washed += 1 }
        }
        let (before, after) = (year(made, 0, 0), year(made, short, long))
        func isCent(_ value: JSONValue?, _ exact: Double) throws -> Bool {
            (try double(value) - exact).magnitude <= 0.005 + 1e-9
        }
        #expect(try isCent(plan["tax"]?["tax"], after.tax - before.tax), "\(seed)")
        #expect(try isCent(plan["tax"]?["gain_short"], short) && isCent(plan["tax"]?["gain_long"], long), "\(seed)")
        #expect(try isCent(plan["tax"]?["year_after"]?["tax"], after.tax), "\(seed)")
        #expect(try isCent(plan["tax"]?["year_after"]?["carry_out_short"], after.short), "\(seed)")
        #expect(try isCent(plan["tax"]?["year_after"]?["carry_out_long"], after.long), "\(seed)")
        #expect((try double(plan["cash_after"]) - cash).magnitude < 1e-7, "\(seed)")
        #expect((try double(plan["costs"]?["commission"]) - commission).magnitude < 1e-7, "\(seed)")
    }
}
