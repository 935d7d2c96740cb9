import TestSupport
import Testing
import WireFormat

@testable import Reallocation

@Suite("Lots beside recent purchases")
struct WashedLotsTests {
    /// A handful of lots with a step of one share, some of them bought in the last thirty days, some of those locked.
    private struct Case {
        var lots: [TaxLot]
        var locked: Set<String>
        var washed: WashedLots
        let price = FixedDecimal(100)
        let today: CalendarDate

        init?(_ random: inout SplitMix64) throws {
            let today = try day("2026-11-20")
            self.today = today
            lots = []
            for index in 0..<(2 + random.integer(4)) {
                let isRecent = random.chance(0.45)
                let age = isRecent ? random.integer(31) : 31 + random.integer(random.chance(0.5) ? 300 : 900)
                lots.append(
                    TaxLot(
                        id: "L\(index)", acquired: try #require(today.adding(days: -age)),
                        quantity: FixedDecimal(1 + random.integer(4)),
                        basisPerShare: FixedDecimal(60 + 10 * random.integer(9))))
            }
            locked = random.chance(0.2) ? [lots[random.integer(lots.count)].id] : []
            lots.sort { ($0.acquired, $0.id) < ($1.acquired, $1.id) }
            let locked = locked
            let open = lots.filter { !locked.contains($0.id) }
            let places = Dictionary(uniqueKeysWithValues: open.enumerated().map { ($1.id, $0) })
            func isRecent(_ lot: TaxLot) -> Bool { today.daysSinceEpoch - lot.acquired.daysSinceEpoch <= 30 }
            washed = WashedLots(
                lots: open.map { lot in
                    WashedLots.Lot(
                        id: lot.id, gain: (FixedDecimal(100) - lot.basisPerShare).double, size: lot.quantity.double,
                        isShort: HoldingPeriod.years(1).term(acquired: lot.acquired, sold: today) == .short,
                        isRecent: isRecent(lot))
                }, purchases: lots.filter(isRecent).map { (places[$0.id], $0.quantity.double) })
            guard !open.isEmpty else { return nil }
        }

        /// Every number of steps from each lot.
        var choices: [[Double]] {
            washed.lots.reduce([[]]) { found, lot in
                found.flatMap { taken in (0...Int(lot.size)).map { taken + [Double($0)] } }
            }
        }
    }

    @Test("the matching is that of the law in decimals, and an order's pieces are it step by step")
    func matching() throws {
        var random = SplitMix64(seed: 71)
        var disallowed = 0
        for _ in 0..<400 {
            guard let made = try Case(&random) else { continue }
            for taken in made.choices where random.chance(0.2) {
                let open = made.lots.filter { !made.locked.contains($0.id) }
                let wash = WashSale(
                    sold: zip(open, taken).map {
                        WashSale.Sold(
                            lot: $0, quantity: FixedDecimal($1, places: 0), gainPerShare: made.price - $0.basisPerShare)
                    }, on: made.today,
                    purchases: made.lots.map { lot in
                        let sold = zip(open, taken).first { $0.0.id == lot.id }.map { FixedDecimal($1, places: 0) } ?? 0
                        return WashSale.Purchase(
                            id: lot.id, date: lot.acquired, quantity: lot.quantity - sold,
                            costPerShare: lot.basisPerShare)
                    }, rule: .unitedStates)
                let gains = zip(made.washed.lots, taken).reduce(0) { $0 + max(0, $1.0.gain) * $1.1 }
                let found = made.washed.results(taken)
                #expect((found.short + found.long - gains + wash.allowedLoss.double).magnitude < 1e-9)
                if wash.disallowedLoss > 0 { disallowed += 1 }
            }
            // Lots one after the other, in any order and in parts.
            var queue: [(lot: Int, size: Double)] = []
            var left = made.washed.lots.map { $0.size }
            while let lot = left.indices.filter({ left[$0] > 0 }).randomElement(using: &random) {
                let part = min(left[lot], Double(1 + random.integer(3)))
                queue.append((lot, part))
                left[lot] -= part
            }
            let order = made.washed.order(queue)
            var taken = left
            var steps = 0.0
            for part in queue {
                for _ in 0..<Int(part.size) {
                    taken[part.lot] += 1
                    steps += 1
                    let (wanted, found) = (made.washed.results(taken), order.gains(steps))
                    #expect(
                        (wanted.short - found.short).magnitude < 1e-9 && (wanted.long - found.long).magnitude < 1e-9)
                    let shorts = zip(made.washed.lots, taken).reduce(0) { $0 + ($1.0.isShort ? $1.1 : 0) }
                    let recents = zip(made.washed.lots, taken).reduce(0) { $0 + ($1.0.isRecent ? $1.1 : 0) }
                    #expect(order.shortSteps(steps) == shorts && order.recentSteps(steps) == recents)
                }
            }
        }
        #expect(disallowed > 100)
    }

    @Test(
        "the lots chosen are the best of all, no order for a bound costs more, and the order of a search is one of them"
    )
    func best() throws {
        var random = SplitMix64(seed: 72)
        var (exact, orders) = (0, 0)
        for round in 0..<600 {
            guard let made = try Case(&random) else { continue }
            let washed = made.washed
            let sign = random.chance(0.2) ? -1.0 : 1
            let (short, long) = (sign * random.uniform(), (random.chance(0.5) ? sign : 1) * random.uniform())
            let total = Int(washed.lots.reduce(0) { $0 + $1.size })
            var best = [Double](repeating: .infinity, count: total + 1)
            for taken in made.choices {
                let results = washed.results(taken)
                let steps = Int(taken.reduce(0, +))
                best[steps] = min(best[steps], short * results.short + long * results.long)
            }
            let (bound, order) = (washed.bound(short: short, long: long), washed.order(short: short, long: long))
            for steps in 1...total {
                let x = Double(steps)
                func price(_ gains: (short: Double, long: Double)) -> Double { short * gains.short + long * gains.long }
                #expect(price(bound.gains(x)) <= best[steps] + 1e-9, "round \(round), \(steps) steps")
                #expect(price(order.gains(x)) >= best[steps] - 1e-9)
                guard short >= 0, long >= 0, washed.lots.filter({ $0.isRecent && $0.gain < 0 }).count <= 1 else {
                    continue
                }
                let chosen = washed.recentEnds(x).flatMap { recent in
                    washed.shortEnds(x, fromRecent: recent).map { m -> Double in
                        let taken = washed.taken(x, fromShort: m, fromRecent: recent)
                        #expect((taken.reduce(0, +) - x).magnitude < 1e-9)
                        let results = washed.results(taken)
                        return short * results.short + long * results.long
                    }
                }
                #expect(((chosen.min() ?? .infinity) - best[steps]).magnitude < 1e-9, "round \(round), \(steps) steps")
                orders += 1
                if price(order.gains(x)) < best[steps] + 1e-9 { exact += 1 }
            }
        }
        // The search's order is good, not always the best.
        #expect(exact * 10 > orders * 9, "\(exact) of \(orders)")
    }

    @Test("what a plan says of wash sales is what the booking of its fills does")
    func booking() throws {
        var disallowed = 0
        for seed in 0..<400 {
            var random = RandomTrades(seed: UInt64(30_000 + seed))
            var problem = try random.small()
            guard problem.tax.mode != .none else { continue }
            problem.tax.washSale = .unitedStates
            if problem.assets.count > 1, seed % 2 == 0 { problem.identical = [[0, 1]] }
            guard let solution = try TradeSolver.solve(problem) else { continue }
            let costing = PlanCosting(problem.locking(solution), solution)
            let legs = costing.trades.map { trade in
                ExecutionLeg(
                    asset: problem.assets[trade.asset].symbol, isSale: trade.shares < 0,
                    quantity: trade.shares.magnitude, limitPrice: 1,
                    lots: trade.lots.map { ($0.lot.id, $0.quantity) })
            }
            let fills = costing.trades.enumerated().map { leg, trade in
                let quote = problem.assets[trade.asset].quote
                // A plan counts the fees of a sale as less proceeds, and nothing else.
                return TaxBooking.Fill(
                    id: "\(leg)", leg: leg, date: problem.date, quantity: trade.shares.magnitude, price: quote.price,
                    commission: trade.shares < 0
                        ? (quote.price - problem.netPrice(quote)) * trade.shares.magnitude : 0,
                    lot: trade.shares < 0 ? "" : "new \(leg)")
            }
            let booking = TaxBooking(
                fills, legs: legs, lots: Dictionary(uniqueKeysWithValues: problem.assets.map { ($0.symbol, $0.lots) }),
                rules: TaxBooking.Rules(
                    holdingPeriod: problem.tax.holdingPeriod, washSale: .unitedStates,
                    identical: problem.identical.map { Set($0.map { problem.assets[$0].symbol }) }))
            for (term, planned) in [(HoldingTerm.short, costing.gainShort), (.long, costing.gainLong)] {
                let booked = booking.gain(term) + booking.disallowed(term)
                #expect((booked - planned).magnitude < dec("0.000001"), "seed \(seed): \(booked) for \(planned)")
            }
            if !booking.adjustments.isEmpty { disallowed += 1 }
        }
        #expect(disallowed > 10, "\(disallowed)")
    }
}
