import LinearAlgebra
import Reallocation
import TestSupport
import Testing
import WireFormat

@Suite("Harvest and look-ahead")
struct HarvestTests {
    private func problem(realised: FixedDecimal = 10_000) throws -> TradeProblem {
        let today = try day("2026-11-20")
        func asset(_ name: String, price: FixedDecimal, basis: FixedDecimal, bought: String) throws -> TradeAsset {
            TradeAsset(
                symbol: name, quote: MarketQuote(price: price, halfSpread: dec("0.01")),
                lots: [TaxLot(id: name, acquired: try day(bought), quantity: 100, basisPerShare: basis)],
                target: dec("0.25"))
        }
        let assets = [
            try asset("A", price: 100, basis: 130, bought: "2026-03-01"),
            try asset("B", price: 50, basis: 40, bought: "2024-03-01"),
            try asset("C", price: 80, basis: 90, bought: "2024-03-01"),
        ]
        var sigma = Matrix(rows: 3, columns: 3)
        let volatility = [0.2, 0.2, 0.25]
        let correlation = [[1, 0.95, 0.5], [0.95, 1, 0.5], [0.5, 0.5, 1]]
        for i in 0..<3 { for j in 0..<3 { sigma[i, j] = correlation[i][j] * volatility[i] * volatility[j] } }
        return TradeProblem(
            date: today, cash: 1000, assets: assets, covariance: sigma, riskAversion: 4, horizonYears: 1,
            costs: CostModel(),
            tax: TaxSettings(
                mode: .nettedYear,
                rates: TaxRates(short: dec("0.37"), long: dec("0.2"), ordinary: dec("0.37"), ordinaryCap: 3000),
                realisedShort: realised), limits: TradeLimits())
    }

    @Test("a candidate's value is the tax saved at the margin less tax later, trading and risk, by hand")
    func value() throws {
        var settings = HarvestSettings()
        settings.discountRate = 0
        let found = Harvest.candidates(try problem(), settings)
        let first = try #require(found.first)
        #expect(first.asset == "A" && first.substitute == "B")
        // 3,000 short-term loss against 10,000 short-term gain: 37 %; all of 20 % comes back without a discount.
        #expect(first.taxSaved == 1110 && first.lossShort == 3000 && first.taxLater == 600)
        // Half spreads of 100 A and 200 B, there and back.
        #expect(first.cost == 6)
        let residual = 0.04 + 0.04 - 2 * 0.95 * 0.04
        #expect((first.residualVolatility * first.residualVolatility - residual).magnitude < 1e-12)
        let risk = 2 * residual * 10_000 * 10_000 / 24_000 * 31 / 365
        #expect((first.riskPrice - risk).magnitude < 1e-9)
        #expect((first.value - (1110 - 600 - 6 - risk)).magnitude < 1e-9)
        #expect(first.blockedUntil == (try day("2026-12-21")))
    }

    @Test("no substitute that is identical, blocked or sold at a loss itself; a floor; nothing without a tax to save")
    func rules() throws {
        var settings = HarvestSettings()
        settings.identical = [["A", "B"]]
        #expect(Harvest.candidates(try problem(), settings).first?.substitute == "C")
        var blocked = try problem()
        blocked.assets[1].canBuy = false
        #expect(Harvest.candidates(blocked, HarvestSettings()).first?.substitute == "C")
        // Pools that do not hold what the proceeds of 10,000 buy.
        var shallow = try problem()
        shallow.assets[1].quote.pools = LiquidityCurve([LiquidityPool(reserve: 200, against: 10_000, fee: 0.003)])
        #expect(Harvest.candidates(shallow, HarvestSettings()).first?.substitute == "C")
        shallow.assets[1].quote.pools = LiquidityCurve([LiquidityPool(reserve: 2e6, against: 1e8, fee: 0.0001)])
        #expect(Harvest.candidates(shallow, HarvestSettings()).first?.substitute == "B")
        settings.substitutes = []
        #expect(Harvest.candidates(try problem(), settings).first?.substitute == nil)
        settings.floor = 5000
        #expect(Harvest.candidates(try problem(), settings).isEmpty)
        // Deep in losses already, and none carried out is worth anything: another loss saves nothing.
        #expect(Harvest.candidates(try problem(realised: -50_000), HarvestSettings()).isEmpty)
        var untaxed = try problem()
        untaxed.tax = .none
        #expect(Harvest.candidates(untaxed, HarvestSettings()).isEmpty)
    }

    private func ahead(cost: Double, forecasts: [[Double]], start: [Double] = [0.6, 0.4]) -> LookAhead {
        var sigma = Matrix(rows: 2, columns: 2)
        (sigma[0, 0], sigma[1, 1], sigma[0, 1], sigma[1, 0]) = (0.04, 0.09, 0.01, 0.01)
        return LookAhead(
            start: start, target: [0.5, 0.5], covariance: sigma, riskAversion: 4, period: 0.25, forecasts: forecasts,
            costs: [cost, cost], lowest: [0, 0], highest: [1, 1], cashFloor: 0)
    }

    @Test("without costs the first period goes to the target, with high ones nowhere")
    func lookAhead() throws {
        let free = try #require(ahead(cost: 0, forecasts: []).weights(periods: 3))
        for period in free { for w in period { #expect((w - 0.5).magnitude < 1e-4) } }
        let dear = try #require(ahead(cost: 1, forecasts: []).weights(periods: 3))
        #expect((dear[0][0] - 0.6).magnitude < 1e-6 && (dear[2][1] - 0.4).magnitude < 1e-6)
    }

    @Test("an asset that may not be traded stays, and pulls at the others as before")
    func frozen() throws {
        var sigma = Matrix(rows: 2, columns: 2)
        (sigma[0, 0], sigma[0, 1], sigma[1, 0], sigma[1, 1]) = (0.04, 0.02, 0.02, 0.05)
        func made(_ room: Double) -> LookAhead {
            LookAhead(
                start: [0.5, 0.3], target: [0.3, 0.4], covariance: sigma, riskAversion: 5, period: 0.25,
                forecasts: [[0.01, 0.02]], costs: [0.001, 0.001], lowest: [0.5 - room, 0], highest: [0.5 + room, 1],
                cashFloor: 0)
        }
        let fixed = try #require(made(0).weights(periods: 3))
        let nearly = try #require(made(1e-6).weights(periods: 3))
        for (a, b) in zip(fixed, nearly) {
            #expect(a[0] == 0.5 && (a[1] - b[1]).magnitude < 1e-4)
        }
        // Nothing may be traded at all.
        let still = LookAhead(
            start: [0.5, 0.5], target: [0.3, 0.7], covariance: sigma, riskAversion: 5, period: 0.25, forecasts: [],
            costs: [0, 0], lowest: [0.5, 0.5], highest: [0.5, 0.5], cashFloor: 0)
        #expect(still.weights(periods: 2) == [[0.5, 0.5], [0.5, 0.5]])
    }

    @Test("a forecast that lasts is traded for, one that fades is not")
    func fading() throws {
        let cost = 0.004
        let lasting = try #require(
            ahead(cost: cost, forecasts: [[0.02, 0]], start: [0.5, 0.5]).weights(periods: 4))
        let fading = try #require(
            ahead(cost: cost, forecasts: [[0.02, 0], [0, 0]], start: [0.5, 0.5]).weights(periods: 4))
        #expect(lasting[0][0] > 0.5 + 1e-3)
        #expect((fading[0][0] - 0.5).magnitude < 1e-4)
        #expect(ahead(cost: 0, forecasts: [[1]]).weights(periods: 2) == nil)
    }

    @Test("the no-trade region is where the subgradient says")
    func region() {
        var sigma = Matrix(rows: 2, columns: 2)
        (sigma[0, 0], sigma[1, 1]) = (0.04, 0.09)
        // One asset: |d| <= c / (lambda sigma^2 H).
        func isLeft(_ d: Double) -> Bool {
            NoTradeRegion.isLeft(
                deviations: [d, 0], covariance: sigma, riskAversion: 5, horizonYears: 1, expectedReturns: [0, 0],
                costs: [0.002, 0.002])
        }
        #expect(!isLeft(0.0099) && isLeft(0.0101) && isLeft(-0.0101))
    }
}

@Suite("Policies after tax")
struct PolicySimulationTests {
    private func simulation(seed: UInt64, tax: TaxSettings) throws -> PolicySimulation {
        var random = SplitMix64(seed: seed)
        let n = 4
        var prices = [Double](repeating: 100, count: n)
        let start = try day("2020-01-06")
        var days: [(date: CalendarDate, prices: [FixedDecimal])] = []
        for week in 0..<160 {
            let market = 0.02 * random.normal()
            for i in 0..<n where week > 0 { prices[i] *= 1.001 + market + 0.03 * random.normal() }
            days.append(
                (try #require(start.adding(days: 7 * week)), prices.map { FixedDecimal(max($0, 1), places: 2) }))
        }
        var sigma = Matrix(rows: n, columns: n)
        for i in 0..<n { for j in 0..<n { sigma[i, j] = 52 * (0.0004 + (i == j ? 0.0009 : 0)) } }
        return PolicySimulation(
            symbols: ["A", "B", "C", "D"], days: days, target: [dec("0.25"), dec("0.25"), dec("0.25"), dec("0.24")],
            cash: 100_000, covariance: sigma, riskAversion: 10,
            costs: CostModel(
                commission: CommissionSchedule(perShare: dec("0.005"), minimum: 1), impactCoefficient: 0),
            tax: tax, halfSpread: dec("0.0005"))
    }

    private let netted = TaxSettings(
        mode: .nettedYear,
        rates: TaxRates(short: dec("0.37"), long: dec("0.2"), ordinary: dec("0.37"), ordinaryCap: 3000))

    @Test("on one flat path nothing is earned and only the costs are lost")
    func flat() throws {
        var simulation = try simulation(seed: 1, tax: netted)
        simulation.days = simulation.days.map { (date: $0.date, prices: [100, 100, 100, 100]) }
        for policy in [RebalancePolicy.never, .calendar(days: 30), .optimised(days: 60)] {
            let outcome = try #require(try simulation.run(policy))
            #expect(outcome.value == 100_000 - outcome.costs)
            #expect(outcome.turnover < 0.01)
        }
    }

    @Test("value, costs and taxes add up; what pays no tax after all pays none")
    func books() throws {
        let untaxed = try simulation(seed: 3, tax: .none)
        for policy in [RebalancePolicy.never, .calendar(days: 28), .band(halfL1: dec("0.05"), days: 7)] {
            let outcome = try #require(try untaxed.run(policy))
            #expect(outcome.value == outcome.valueAfterTax && outcome.taxes.allSatisfy { $0.tax == 0 })
        }
        let taxed = try simulation(seed: 3, tax: netted)
        let often = try #require(try taxed.run(.calendar(days: 28)))
        let never = try #require(try taxed.run(.never))
        #expect(often.trades > never.trades && often.trackingError < never.trackingError)
        #expect(never.taxes.map { $0.year } == [2020, 2021, 2022])
        #expect(try taxed.run(.calendar(days: 28)) == often)
    }

    @Test("a loss that the next month's purchase takes away waits in its basis: later tax, and in the end as much")
    func washSale() throws {
        func run(from start: String, washSale: WashSaleRule?) throws -> PolicySimulation.Outcome {
            var simulation = try simulation(seed: 1, tax: netted)
            let first = try day(start)
            simulation.symbols = ["A", "B"]
            simulation.target = [dec("0.5"), dec("0.5")]
            simulation.covariance = Matrix(rows: 2, columns: 2)
            for i in 0..<2 { simulation.covariance[i, i] = 0.04 }
            // A is sold below its price, and bought again twenty-eight days later.
            let prices: [[FixedDecimal]] = [[100, 100], [90, 60], [60, 60], [80, 70]]
            simulation.days = try prices.enumerated().map { (try #require(first.adding(days: 28 * $0)), $1) }
            simulation.tax = TaxSettings(
                mode: .lotRates,
                rates: TaxRates(short: dec("0.3"), long: dec("0.3"), ordinary: dec("0.3"), ordinaryCap: 3000),
                washSale: washSale)
            return try #require(try simulation.run(.calendar(days: 28)))
        }
        let (washed, free) = (
            try run(from: "2025-02-03", washSale: .unitedStates), try run(from: "2025-02-03", washSale: nil)
        )
        #expect(washed.trades == free.trades && washed.costs == free.costs)
        #expect((washed.valueAfterTax - free.valueAfterTax).magnitude < dec("0.000001"))
        // With the year's end before the last prices, the tax of its losses is saved later.
        let (late, early) = (
            try run(from: "2025-11-03", washSale: .unitedStates), try run(from: "2025-11-03", washSale: nil)
        )
        let (saved, most) = (try #require(late.taxes.first).tax, try #require(early.taxes.first).tax)
        #expect(most < -100 && saved > most + 50, "\(saved) and \(most)")
    }

    @Test("over seeded paths the optimised policy leaves more after tax than the calendar, mostly")
    func optimised() throws {
        // It may trade more where that takes losses: costs alone say nothing.
        var better = 0
        for seed in UInt64(0)..<6 {
            let simulation = try simulation(seed: seed, tax: netted)
            let calendar = try #require(try simulation.run(.calendar(days: 28)))
            let optimised = try #require(try simulation.run(.optimised(days: 28)))
            if optimised.valueAfterTax >= calendar.valueAfterTax { better += 1 }
        }
        #expect(better >= 3)
    }
}
