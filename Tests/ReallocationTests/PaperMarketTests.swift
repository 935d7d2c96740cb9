import TestSupport
import Testing
import WireFormat

@testable import Reallocation

@Suite("Paper broker's order books")
struct PaperMarketTests {
    private static let quote = MarketQuote(
        price: 100, halfSpread: dec("0.03"), dailyVolume: 200_000, dailyVolatility: 0.02)

    private func venue(
        _ settings: PaperVenue.Settings = .init(partialShare: 0), seed: UInt64 = 1, cash: FixedDecimal = 100_000_000,
        held: FixedDecimal = 1_000_000, quote: MarketQuote = PaperMarketTests.quote
    ) -> PaperVenue {
        PaperVenue(cash: cash, positions: ["A": held], quotes: ["A": quote], settings: settings, seed: seed)
    }

    /// Works an order to its end; what it paid beyond the mid price.
    private func cost(_ venue: inout PaperVenue, _ id: String, isSale: Bool, _ quantity: FixedDecimal) -> Double {
        #expect(venue.submit(clientID: id, asset: "A", isSale: isSale, quantity: quantity) == .accepted)
        for _ in 0..<10_000 where venue.lookup(id)?.isClosed == false { _ = venue.trade(id) }
        return venue.fills(of: id).map { (isSale ? 100 - $0.price : $0.price - 100) * $0.quantity }
            .reduce(.zero, +).double
    }

    @Test("a side's depth grows with the square of the distance, and its orders stand by price and age")
    func shape() {
        var random = SeededUniform(seed: 3)
        var book = LimitOrderBook(
            .init(Self.quote, coefficient: 1), depthNoise: 0, random: &random)
        book.fill(.ask, random: &random)
        book.fill(.bid, random: &random)
        let asks = book.orders(.ask)
        #expect(zip(asks, asks.dropFirst()).allSatisfy { $0.price <= $1.price && $0.age < $1.age })
        #expect(zip(book.bids, book.bids.dropFirst()).allSatisfy { $0.price >= $1.price })
        #expect(asks.allSatisfy { $0.price.isMultiple(of: dec("0.01")) && $0.quantity > 0 })
        // V (x / (3/2 Y sigma p))^2: 30 cents are 0.1 of three dollars, so 2,000 shares; 60 cents 8,000.
        for (cents, shares) in [(30, 2_000.0), (60, 8_000), (150, 50_000)] {
            let within = book.depth(.ask, within: 100 + dec("0.03") + FixedDecimal(cents) / 100)
            // A tick and the width of one of the orders, each a fifth of what stands before it.
            #expect((within.double / shares - 1).magnitude < 0.25, "\(cents) cents: \(within)")
        }
    }

    @Test(
        "a taker pays half the spread and the square-root law on average, whatever its size and side",
        arguments: [10.0, 300, 5_000, 40_000])
    func law(shares: Double) {
        let quantity = FixedDecimal(shares, places: 0)
        let model = CostModel(impactCoefficient: 1).cost(of: quantity, Self.quote).paid.double
        for isSale in [true, false] {
            var sum = 0.0
            for seed in UInt64(0)..<600 {
                var venue = venue(.init(partialShare: 0.4), seed: seed)
                sum += cost(&venue, "x", isSale: isSale, quantity)
            }
            // Depth within +-1/2: 0.29 of the impact an order, 0.012 over six hundred; ticks of a cent on an order of four.
            #expect((sum / 600 / model - 1).magnitude < 0.04, "\(shares) \(isSale): \(sum / 600) for \(model)")
        }
    }

    @Test("many parts cost what one sweep costs: what an order has taken stays taken while it is worked")
    func parts() {
        for seed in UInt64(0)..<20 {
            var one = venue(.init(partialShare: 0), seed: seed)
            var many = venue(.init(partialShare: 1), seed: seed)
            let (whole, split) = (
                cost(&one, "x", isSale: false, 5_000), cost(&many, "x", isSale: false, 5_000)
            )
            #expect((whole - split).magnitude < 1e-3)
            #expect(one.fills.count == 1 && many.fills.count > 1)
        }
    }

    @Test("a limit keeps what is beyond it from trading; the rest waits behind others and is served at its price")
    func limits() throws {
        var venue = venue()
        #expect(
            venue.submit(clientID: "x", asset: "A", isSale: false, quantity: 5_000, limit: dec("100.20")) == .accepted)
        let first = try #require(venue.trade("x").first)
        #expect(first.price < dec("100.20") && first.quantity > 0 && first.quantity < 5_000)
        #expect(venue.books["A"]?.asks.first.map { $0.price > dec("100.20") } == true)
        #expect(venue.lookup("x")?.isResting == true && venue.books["A"]?.bids.first?.owner == "x")
        for _ in 0..<2_000 where venue.lookup("x")?.isClosed == false { _ = venue.trade("x") }
        let rest = venue.fills(of: "x").dropFirst()
        #expect(!rest.isEmpty && rest.allSatisfy { $0.price == dec("100.20") })
        #expect(venue.lookup("x")?.filled == 5_000 && venue.books["A"]?.bids.contains { $0.owner != nil } == false)
        // Behind the market's own buyers at a price that is worse than theirs.
        var patient = self.venue()
        _ = patient.submit(clientID: "y", asset: "A", isSale: false, quantity: 10, limit: dec("99.50"))
        #expect(patient.trade("y").isEmpty)
        let bids = try #require(patient.books["A"]?.bids)
        let place = try #require(bids.firstIndex { $0.owner == "y" })
        #expect(place > 3 && bids[..<place].allSatisfy { $0.price >= dec("99.50") })
        #expect(patient.cancel("y") && patient.books["A"]?.bids.contains { $0.owner == "y" } == false)
    }

    @Test("at one price the older order is served first")
    func queue() {
        var random = SeededUniform(seed: 1)
        var book = LimitOrderBook(.init(Self.quote, coefficient: 1), depthNoise: 0, random: &random)
        book.rest("old", .bid, 99, 10)
        book.rest("new", .bid, 99, 10)
        book.rest("best", .bid, dec("99.01"), 5)
        #expect(
            book.take(18, from: .bid) == [
                .init(owner: "best", quantity: 5, price: dec("99.01")), .init(owner: "old", quantity: 10, price: 99),
                .init(owner: "new", quantity: 3, price: 99),
            ])
        #expect(book.take(9, from: .bid, limit: dec("99.01")).isEmpty && book.withdraw("new") == 7)
    }

    @Test("latency, refusals, permanent impact and an account without cash")
    func behaviour() {
        var slow = PaperVenue.Settings(partialShare: 0)
        slow.latency = 5
        var looks: Set<Int> = []
        for seed in UInt64(0)..<60 {
            var venue = venue(slow, seed: seed)
            _ = venue.submit(clientID: "x", asset: "A", isSale: true, quantity: 10)
            var count = 0
            while venue.lookup("x")?.isClosed == false, count < 20 {
                _ = venue.trade("x")
                count += 1
            }
            looks.insert(count)
        }
        #expect(looks == Set(1...6))
        var refused = 0
        for seed in UInt64(0)..<400 {
            var venue = venue(.init(rejectShare: 0.25), seed: seed)
            if venue.submit(clientID: "x", asset: "A", isSale: true, quantity: 1) != .accepted { refused += 1 }
        }
        #expect(refused > 70 && refused < 130)
        // Half of the move of a purchase stays for the next: 3/2 x 0.02 x 100 x sqrt(2000/200000) = 0.30.
        var moved = PaperVenue.Settings(partialShare: 0)
        (moved.permanentShare, moved.depthNoise) = (0.5, 0)
        var venue = venue(moved)
        let first = cost(&venue, "x", isSale: false, 2_000)
        let second = cost(&venue, "y", isSale: false, 2_000)
        #expect(((second - first) / 2_000 - 0.15).magnitude < 0.011)
        // The account covers 49 shares with their commission, not fifty.
        var poor = self.venue(.init(commission: CommissionSchedule(minimum: 1), partialShare: 0), cash: 5_000)
        _ = poor.submit(clientID: "x", asset: "A", isSale: false, quantity: 60)
        _ = poor.trade("x")
        #expect(poor.lookup("x")?.isClosed == true && poor.lookup("x")?.filled == 49 && poor.cash >= 0)
    }

    @Test("a broker that comes back from the log goes on where its book was")
    func restores() throws {
        let leg = ExecutionLeg(asset: "A", isSale: false, quantity: 5_000, limitPrice: 110)
        for seed in UInt64(0)..<10 {
            var venue = venue(.init(partialShare: 1), seed: seed)
            _ = venue.submit(clientID: "x", asset: "A", isSale: false, quantity: 5_000)
            let first = try #require(venue.trade("x").first)
            var again = self.venue(.init(partialShare: 0), seed: seed)
            again.restore(
                [
                    .intent(leg: 0, attempt: 1, clientID: "x", quantity: 5_000), .accepted(clientID: "x"),
                    .fill(clientID: "x", fillID: first.fillID, quantity: first.quantity, price: first.price),
                ], legs: [leg])
            #expect(again.cash == venue.cash && again.books["A"]?.asks == venue.books["A"]?.asks)
            _ = again.trade("x")
            for _ in 0..<1_000 where venue.lookup("x")?.isClosed == false { _ = venue.trade("x") }
            #expect(again.lookup("x")?.filled == 5_000 && (again.cash - venue.cash).magnitude < dec("0.001"))
        }
    }

    @Test("sale fees are taken from sales, here and in the books alike")
    func fees() {
        let fees = SaleFees(rate: dec("0.0000278"), perShare: dec("0.000166"), perShareCap: dec("8.30"))
        var settings = PaperVenue.Settings(saleFees: fees, partialShare: 0.5)
        settings.commission = CommissionSchedule(perShare: dec("0.005"), minimum: 1)
        let legs = [
            ExecutionLeg(asset: "A", isSale: true, quantity: 3_000, limitPrice: 90),
            ExecutionLeg(asset: "A", isSale: false, quantity: 1_000, limitPrice: 110),
        ]
        var venue = venue(settings, cash: 0, held: 5_000)
        var book = ExecutionBook(
            legs: legs, cash: 0, positions: ["A": 5_000], commission: settings.commission, saleFees: fees,
            identify: { leg, _ in "o\(leg)" })
        for _ in 0..<10_000 {
            switch book.next() {
            case .record(let event): book.apply(event)
            case .submit(let id, let leg, let quantity):
                _ = venue.submit(clientID: id, asset: "A", isSale: legs[leg].isSale, quantity: quantity)
                book.apply(.accepted(clientID: id))
            case .await(let id):
                for fill in venue.trade(id) {
                    book.apply(.fill(clientID: id, fillID: fill.fillID, quantity: fill.quantity, price: fill.price))
                }
            default: break
            }
            if book.next() == .finished { break }
        }
        #expect(book.next() == .finished && book.cash == venue.cash)
        let sold = book.orders[0].filledValue
        #expect(book.saleFeesCharged == dec("0.0000278") * sold + dec("0.498"))
        #expect(book.orders[0].commission == 15 + book.saleFeesCharged && book.orders[1].commission == 5)
        // A broker that takes them in the evening is ahead by as much, and by no more.
        let late = venue.cash + book.saleFeesCharged
        #expect(!book.differences(venueCash: late, venuePositions: ["A": 3_000]).isEmpty)
        #expect(
            book.differences(venueCash: late, venuePositions: ["A": 3_000], inFlight: book.saleFeesCharged).isEmpty)
        #expect(!book.differences(venueCash: venue.cash - 1, venuePositions: ["A": 3_000], inFlight: 9).isEmpty)
    }
}

@Suite("Cost coefficients from orders")
struct CostCalibrationTests {
    /// Orders of random sizes in random assets at a paper broker whose spreads and impact are not what the settings say.
    private func taught(
        orders: Int, spread: FixedDecimal, impact: Double, seed: UInt64, storm: Double = 0
    ) -> CostCalibration {
        var random = SplitMix64(seed: seed)
        var calibration = CostCalibration()
        for index in 0..<orders {
            let quote = MarketQuote(
                price: 100, halfSpread: FixedDecimal(0.01 + 0.05 * random.uniform(), places: 4), dailyVolume: 200_000,
                dailyVolatility: 0.01 + 0.02 * random.uniform())
            var real = quote
            real.halfSpread = quote.halfSpread * spread
            var venue = PaperVenue(
                cash: 1_000_000_000, positions: ["A": 100_000], quotes: ["A": real],
                settings: .init(impactCoefficient: impact, partialShare: 0.3), seed: seed &+ UInt64(index))
            let quantity = FixedDecimal(20 + random.integer(3_000))
            let isSale = random.chance(0.5)
            _ = venue.submit(clientID: "x", asset: "A", isSale: isSale, quantity: quantity)
            for _ in 0..<1_000 where venue.lookup("x")?.isClosed == false { _ = venue.trade("x") }
            var realised = venue.fills.map { (isSale ? 100 - $0.price : $0.price - 100) * $0.quantity }
                .reduce(.zero, +).double
            let model = CostModel(impactCoefficient: 1).cost(of: quantity, quote)
            if random.chance(storm) { realised += 40 * model.paid.double }
            calibration.learn(
                .init(spread: model.spread.double, impact: model.impact.double, realised: realised))
        }
        return calibration
    }

    @Test(
        "the factors come within five per cent of what the broker really asks",
        arguments: [(dec("1.3"), 1.6), (dec("0.7"), 0.5), (1, 1), (2, 0.8)])
    func converges(truth: (spread: FixedDecimal, impact: Double)) {
        var (spread, impact) = (0.0, 0.0)
        for seed in UInt64(0)..<6 {
            let factors = taught(orders: 600, spread: truth.spread, impact: truth.impact, seed: seed).factors
            spread += factors.spread / 6
            impact += factors.impact / 6
            // Alone, too, with the noise of its last two hundred orders or so.
            #expect((factors.impact / truth.impact - 1).magnitude < 0.15)
        }
        #expect((spread / truth.spread.double - 1).magnitude < 0.05, "\(spread)")
        #expect((impact / truth.impact - 1).magnitude < 0.05, "\(impact)")
    }

    @Test("plans with the factors of four hundred orders predict the next hundred within five per cent")
    func predicts() {
        let factors = taught(orders: 400, spread: dec("1.3"), impact: 1.5, seed: 11).factors
        var (predicted, realised) = (0.0, 0.0)
        for seed in UInt64(0)..<400 {
            var quote = MarketQuote(
                price: 100, halfSpread: dec("0.03") * dec("1.3"), dailyVolume: 200_000, dailyVolatility: 0.02)
            var venue = PaperVenue(
                cash: 1_000_000_000, positions: [:], quotes: ["A": quote],
                settings: .init(impactCoefficient: 1.5, partialShare: 0.3), seed: 9_000 + seed)
            _ = venue.submit(clientID: "x", asset: "A", isSale: false, quantity: 900)
            for _ in 0..<1_000 where venue.lookup("x")?.isClosed == false { _ = venue.trade("x") }
            realised += venue.fills.map { ($0.price - 100) * $0.quantity }.reduce(.zero, +).double
            quote.halfSpread = dec("0.03") * FixedDecimal(factors.spread, places: 9)
            predicted += CostModel(impactCoefficient: factors.impact).cost(of: 900, quote).paid.double
        }
        #expect((predicted / realised - 1).magnitude < 0.05, "\(predicted) for \(realised)")
    }

    @Test("orders in a storm pull no further than others")
    func robust() {
        let calm = taught(orders: 400, spread: 1, impact: 1.5, seed: 2).factors
        let stormy = taught(orders: 400, spread: 1, impact: 1.5, seed: 2, storm: 0.03).factors
        #expect((stormy.impact / calm.impact - 1).magnitude < 0.12, "\(stormy) for \(calm)")
    }

    @Test("noise alone teaches nothing, factors stay in their range, and too few orders change no plan")
    func bounded() {
        var random = SplitMix64(seed: 5)
        var noise = CostCalibration()
        for _ in 0..<300 {
            noise.learn(.init(spread: 1, impact: 1, realised: 2 + 60 * random.normal()))
        }
        #expect((noise.factors.spread - 1).magnitude < 0.4 && (noise.factors.impact - 1).magnitude < 0.4)
        var wild = CostCalibration()
        for _ in 0..<500 { wild.learn(.init(spread: 0, impact: 1, realised: 1000)) }
        #expect(wild.factors.impact <= 5 && wild.factors.spread == 1)
        for _ in 0..<2_000 { wild.learn(.init(spread: 1, impact: 0, realised: -1000)) }
        #expect(wild.factors.spread >= 0.2 && wild.factors.impact >= 0.2)
        let before = wild
        for bad in [Double.nan, .infinity, -.infinity] {
            wild.learn(.init(spread: 1, impact: 1, realised: bad))
            wild.learn(.init(spread: bad, impact: 1, realised: 1))
        }
        wild.learn(.init(spread: 0, impact: 0, realised: 1))
        wild.learn(.init(spread: -1, impact: 2, realised: 1))
        #expect(wild == before)
        var few = CostCalibration()
        for _ in 0..<4 { few.learn(.init(spread: 1, impact: 1, realised: 4)) }
        #expect(few.factors == CostCalibration.Factors())
        few.learn(.init(spread: 1, impact: 1, realised: 4))
        #expect(few.factors.spread > 1)
    }
}
