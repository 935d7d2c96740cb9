import Reallocation
import TestSupport
import Testing
import WireFormat

/// Every figure here is worked out by hand in the comment beside it.
@Suite("Booking of fills")
struct TaxBookingTests {
    private func day(_ text: String) -> CalendarDate { CalendarDate(iso: text) ?? .earliest }

    private func lot(_ id: String, _ acquired: String, _ quantity: FixedDecimal, _ basis: String) -> TaxLot {
        TaxLot(id: id, acquired: day(acquired), quantity: quantity, basisPerShare: dec(basis))
    }

    private func fill(
        _ id: String, _ date: String, _ quantity: FixedDecimal, _ price: String, _ commission: String, lot: String = "",
        leg: Int = 0
    ) -> TaxBooking.Fill {
        TaxBooking.Fill(
            id: id, leg: leg, date: day(date), quantity: quantity, price: dec(price),
            commission: dec(commission), lot: lot)
    }

    private static let unitedStates = TaxBooking.Rules(holdingPeriod: .years(1), washSale: .unitedStates)

    private func sale(_ lots: [(id: String, quantity: FixedDecimal)]) -> ExecutionLeg {
        ExecutionLeg(
            asset: "A", isSale: true, quantity: lots.map { $0.quantity }.reduce(.zero, +), limitPrice: 1, lots: lots)
    }

    @Test("two fills of a loss against a recent lot: share by share, basis and days carried")
    func partial() {
        let lots = ["A": [lot("L1", "2025-01-10", 100, "50"), lot("L2", "2026-11-01", 60, "40")]]
        let fills = [
            // 50 x 45.00 - 0.50 = 2,249.50 against 2,500.00: -250.50, 5.01 a share.
            fill("f1", "2026-11-20", 50, "45.00", "0.50"),
            // 30 x 44.90 - 0.30 = 1,346.70 against 1,500.00: -153.30, 5.11 a share.
            fill("f2", "2026-11-20", 30, "44.90", "0.30"),
        ]
        let booking = TaxBooking(fills, legs: [sale([("L1", 80)])], lots: lots, rules: Self.unitedStates)
        #expect(booking.realised.map { $0.gain } == [dec("-250.50"), dec("-153.30")])
        #expect(booking.realised.allSatisfy { $0.term == .long && $0.lot == "L1" })
        // Sixty recent shares take over fifty of the first fill and ten of the second: 250.50 + 51.10.
        #expect(booking.adjustments.map { $0.quantity } == [50, 10])
        #expect(booking.adjustments.map { $0.disallowed } == [dec("250.50"), dec("51.10")])
        #expect(booking.disallowed(.long) == dec("301.60") && booking.disallowed(.short) == 0)
        // 2025-01-10 to 2026-11-20: 679 days; 679 days before 2026-11-01 is 2024-12-22.
        #expect(booking.adjustments.allSatisfy { $0.daysCarried == 679 })
        #expect(
            booking.lots["A"] == [
                lot("L1", "2025-01-10", 20, "50"), lot("L2.w1", "2024-12-22", 50, "45.01"),
                lot("L2.w2", "2024-12-22", 10, "45.11"),
            ])
        // What is left of the loss for the year: -403.80 + 301.60.
        #expect(booking.gain(.long) + booking.disallowed(.long) == dec("-102.20"))
        // The first fill alone is booked the same way, and the second does not move what the first made.
        let first = TaxBooking(Array(fills.prefix(1)), legs: [sale([("L1", 80)])], lots: lots, rules: Self.unitedStates)
        #expect(first.adjustments == Array(booking.adjustments.prefix(1)))
        #expect(first.lots["A"]?.last == (lot("L2", "2026-11-01", 10, "40")))
    }

    @Test("a purchase after a loss of an earlier plan takes it over within thirty days, and not a day later")
    func later() {
        func book(sold: String) -> TaxBooking {
            let loss = TaxBooking.Realised(
                fill: "old", lot: "X", asset: "A", sold: day(sold), acquired: day("2026-06-01"), quantity: 40,
                proceeds: 1800, basis: 2000, term: .short)
            let leg = ExecutionLeg(asset: "A", isSale: false, quantity: 30, limitPrice: 50)
            return TaxBooking(
                // 30 x 48.00 + 0.30 = 1,440.30: 48.01 a share.
                [fill("f", "2026-11-25", 30, "48.00", "0.30", lot: "N")], legs: [leg], lots: ["A": []],
                earlier: [loss], rules: Self.unitedStates)
        }
        let near = book(sold: "2026-10-26")
        // Thirty of forty shares at 5.00; the days from 2026-06-01 to 2026-10-26 are 147, before 2026-11-25 that is 2026-07-01.
        #expect(near.disallowed(.short) == 150 && near.adjustments.first?.fill == "old")
        #expect(near.lots["A"] == [lot("N.w1", "2026-07-01", 30, "53.01")])
        let far = book(sold: "2026-10-25")
        #expect(far.adjustments.isEmpty && far.lots["A"] == [lot("N", "2026-11-25", 30, "48.01")])
    }

    @Test("a lot that has taken over a loss takes no second one")
    func once() {
        let lots = ["A": [lot("L1", "2026-02-01", 10, "60"), lot("L2.w1", "2026-11-10", 10, "55")]]
        let booking = TaxBooking(
            [fill("f", "2026-11-20", 10, "50", "0")], legs: [sale([("L1", 10)])], lots: lots, replaced: ["L2.w1"],
            rules: Self.unitedStates)
        #expect(booking.adjustments.isEmpty && booking.gain(.short) == -100)
        let without = TaxBooking(
            [fill("f", "2026-11-20", 10, "50", "0")], legs: [sale([("L1", 10)])], lots: lots,
            rules: Self.unitedStates)
        #expect(without.disallowed(.short) == 100)
    }

    @Test("an identical asset that the plan buys takes the loss over")
    func identical() {
        let legs = [sale([("L1", 10)]), ExecutionLeg(asset: "B", isSale: false, quantity: 4, limitPrice: 200)]
        let fills = [
            // 10 x 50 - 1 = 499 against 600: -101, 10.10 a share.
            fill("s", "2026-11-20", 10, "50", "1"),
            // 4 x 120 + 2 = 482: 120.50 a share.
            fill("b", "2026-11-20", 4, "120", "2", lot: "N", leg: 1),
        ]
        var rules = Self.unitedStates
        rules.identical = [["A", "B"]]
        let lots = ["A": [lot("L1", "2026-11-01", 10, "60")], "B": []]
        let booking = TaxBooking(fills, legs: legs, lots: lots, rules: rules)
        #expect(booking.disallowed(.short) == dec("40.40"))
        // 120.50 + 10.10; nineteen days earlier.
        #expect(booking.lots["B"] == [lot("N.w1", "2026-11-01", 4, "130.60")])
        #expect(TaxBooking(fills, legs: legs, lots: lots, rules: Self.unitedStates).adjustments.isEmpty)
    }

    @Test("a recent lot that the same day sells after all replaces nothing")
    func soldAfterAll() {
        let lots = ["A": [lot("L1", "2025-01-10", 10, "60"), lot("L2", "2026-11-10", 10, "45")]]
        let leg = sale([("L1", 10), ("L2", 10)])
        let first = fill("f1", "2026-11-20", 10, "50", "0")
        let second = fill("f2", "2026-11-20", 10, "50", "0")
        let half = TaxBooking([first], legs: [leg], lots: lots, rules: Self.unitedStates)
        #expect(half.disallowed(.long) == 100 && half.lots["A"]?.map { $0.id } == ["L2.w1"])
        let whole = TaxBooking([first, second], legs: [leg], lots: lots, rules: Self.unitedStates)
        #expect(whole.adjustments.isEmpty && whole.lots["A"] == [])
        #expect(whole.gain(.long) == -100 && whole.gain(.short) == 50)
        // A day later the first has been booked: the lot has taken the loss over and is sold with it.
        let next = TaxBooking(
            [first, fill("f2", "2026-11-21", 10, "50", "0")], legs: [leg], lots: lots, rules: Self.unitedStates)
        #expect(next.disallowed(.long) == 100 && next.realised.last?.lot == "L2.w1")
        // 50 - (45 + 10), held for long through the days carried over.
        #expect(next.realised.last?.gain == -50 && next.realised.last?.term == .long)
    }

    @Test("average cost: what the shares cost together stays")
    func average() {
        let lots = ["A": [lot("L1", "2020-01-01", 10, "10"), lot("L2", "2021-01-01", 10, "20")]]
        let rules = TaxBooking.Rules(holdingPeriod: .none, washSale: .canada, isAveraging: true)
        let booking = TaxBooking(
            [fill("f", "2026-11-20", 10, "18", "0")], legs: [sale([("L1", 10)])], lots: lots, rules: rules)
        // 300 for twenty shares: 15 each, so 30 of gain, and 15 each for those that stay.
        #expect(booking.gain(.short) == 30)
        #expect(booking.lots["A"] == [lot("L2", "2021-01-01", 10, "15")])
    }

    @Test("a purchase in several fills is one lot a day, with its commissions; lots that nobody named go oldest first")
    func purchases() {
        let buy = ExecutionLeg(asset: "A", isSale: false, quantity: 30, limitPrice: 50)
        let fills = [
            fill("f1", "2026-11-20", 10, "48", "1", lot: "N.20261120"),
            fill("f2", "2026-11-20", 10, "50", "0.50", lot: "N.20261120"),
            fill("f3", "2026-11-23", 10, "49", "0.25", lot: "N.20261123"),
        ]
        let booking = TaxBooking(fills, legs: [buy], lots: ["A": []], rules: Self.unitedStates)
        // (480 + 1 + 500 + 0.50) / 20 and (490 + 0.25) / 10.
        #expect(
            booking.lots["A"] == [
                lot("N.20261120", "2026-11-20", 20, "49.075"), lot("N.20261123", "2026-11-23", 10, "49.025"),
            ])
        let held = ["A": [lot("L2", "2022-01-01", 5, "9"), lot("L1", "2021-01-01", 5, "7")]]
        let unnamed = TaxBooking(
            [fill("s", "2026-11-20", 6, "10", "0")], legs: [sale([("gone", 6)])], lots: held,
            rules: Self.unitedStates)
        #expect(unnamed.realised.map { $0.lot } == ["L1", "L2"] && unnamed.lots["A"]?.first?.quantity == 4)
        // A position without lots has nothing to book.
        #expect(TaxBooking(fills, legs: [buy], lots: [:], rules: Self.unitedStates).lots.isEmpty)
    }

    @Test("parts of a fill add up to it, and lots to the position, whatever the order", arguments: 0..<200)
    func adds(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var lots: [TaxLot] = []
        for n in 0..<6 {
            let days = Int(random.next() % 90)
            lots.append(
                TaxLot(
                    id: "L\(n)", acquired: day("2026-11-20").adding(days: -days) ?? .earliest,
                    quantity: FixedDecimal(1 + Int(random.next() % 20)),
                    basisPerShare: FixedDecimal(30 + Int(random.next() % 40)) + FixedDecimal(Int(random.next() % 100))
                        / 100))
        }
        let held = lots.map { $0.quantity }.reduce(.zero, +)
        let leg = sale(lots.shuffled(using: &random).prefix(4).map { ($0.id, $0.quantity) })
        var fills: [TaxBooking.Fill] = []
        var rest = leg.quantity
        while rest > 0 {
            let part = min(rest, FixedDecimal(1 + Int(random.next() % 7)))
            fills.append(
                fill(
                    "f\(fills.count)", random.next() % 2 == 0 ? "2026-11-20" : "2026-11-21", part, "49.37",
                    "0.\(10 + random.next() % 80)"))
            rest -= part
        }
        fills.sort { $0.date < $1.date }
        let booking = TaxBooking(fills, legs: [leg], lots: ["A": lots], rules: Self.unitedStates)
        let left = booking.lots["A"] ?? []
        #expect(left.map { $0.quantity }.reduce(.zero, +) == held - leg.quantity)
        for fill in fills {
            let own = booking.realised.filter { $0.fill == fill.id }
            #expect(own.map { $0.quantity }.reduce(.zero, +) == fill.quantity)
            let proceeds = own.map { $0.proceeds }.reduce(.zero, +)
            #expect(
                (proceeds - (fill.price * fill.quantity - fill.commission)).magnitude < FixedDecimal(1)
                    / 1_000_000_000_000)
        }
        // Nothing is lost: what was paid for all lots is in the basis of what was sold and what stays, and what was disallowed stays too.
        let paid = lots.map { $0.basisPerShare * $0.quantity }.reduce(.zero, +)
        let gone = booking.realised.map { $0.basis }.reduce(.zero, +)
        let stays = left.map { $0.basisPerShare * $0.quantity }.reduce(.zero, +)
        let disallowed = booking.disallowed(.short) + booking.disallowed(.long)
        #expect((gone + stays - paid - disallowed).magnitude < FixedDecimal(1) / 1_000_000_000)
    }

    @Test("losses carried from year to year: the cap eats short losses first, gains of later years use them")
    func carries() {
        // 2024: -10,000 short, 4,000 long: net -6,000, of which 3,000 are deducted and 3,000 short carried.
        // 2025: 1,000 long: -3,000 + 1,000 = -2,000, all deducted.
        let results: [Int: (short: FixedDecimal, long: FixedDecimal)] = [2024: (-10_000, 4000), 2025: (0, 1000)]
        #expect(TaxYear.carry(into: 2024, from: results, cap: 3000) == (0, 0))
        #expect(TaxYear.carry(into: 2025, from: results, cap: 3000) == (3000, 0))
        #expect(TaxYear.carry(into: 2026, from: results, cap: 3000) == (0, 0))
        // Both sides lose: 3,000 of the 5,000 short are deducted, 2,000 and 7,000 go on; a year without a sale deducts again.
        let both: [Int: (short: FixedDecimal, long: FixedDecimal)] = [2024: (-5000, -7000)]
        #expect(TaxYear.carry(into: 2025, from: both, cap: 3000) == (2000, 7000))
        #expect(TaxYear.carry(into: 2026, from: both, cap: 3000) == (0, 6000))
    }
}
