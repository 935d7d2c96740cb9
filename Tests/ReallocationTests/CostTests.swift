import Reallocation
import TestSupport
import Testing
import WireFormat

@Suite("Costs and impact")
struct CostTests {
    @Test(
        "scenario D4b: components of an order's cost",
        .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenarioCosts() throws {
        let part = try #require(try Scenarios.load("D4")["parts"]?["b"])
        let inputs = try #require(part["inputs"])
        let schedule = try #require(inputs["commission"])
        let model = CostModel(
            commission: CommissionSchedule(
                perShare: try schedule.decimal("per_share"), minimum: try schedule.decimal("minimum"),
                maximumRate: try schedule.decimal("max_rate")),
            impactCoefficient: 1)
        for (trade, expected) in zip(try inputs.list("trades"), try part.list("expected")) {
            let (bid, ask) = (try trade.decimal("bid"), try trade.decimal("ask"))
            let quote = MarketQuote(
                price: (bid + ask) / 2, halfSpread: (ask - bid) / 2,
                dailyVolume: try trade.decimal("average_daily_volume"),
                dailyVolatility: try trade.decimal("daily_volatility").double)
            let shares = try trade.decimal("shares") * (try trade.text("side") == "buy" ? 1 : -1)
            let cost = model.cost(of: shares, quote)
            #expect(cost.value.description == (try expected.text("value")))
            #expect(cost.commission.description == (try expected.text("commission")))
            #expect(cost.spread.description == (try expected.text("spread")))
            #expect((cost.impact.double - (try expected.double("impact"))).magnitude < 1e-6)
            #expect((cost.total.double - (try expected.double("total"))).magnitude < 1e-6)
        }
    }

    @Test("the cap beats the minimum, fees fall on sales only")
    func schedules() {
        let schedule = CommissionSchedule(perShare: dec("0.005"), minimum: 1, maximumRate: dec("0.01"))
        #expect(schedule.commission(shares: 1, value: 20) == dec("0.2"))
        #expect(schedule.commission(shares: 0, value: 0) == 0)
        #expect(CommissionSchedule(perOrder: 2, rate: dec("0.0025")).commission(shares: 5, value: 1000) == dec("4.5"))
        let model = CostModel(
            saleFees: SaleFees(rate: dec("0.0000278"), perShare: dec("0.000166"), perShareCap: dec("8.30")))
        let quote = MarketQuote(price: 10)
        #expect(model.cost(of: 100_000, quote).fees == 0)
        #expect(model.cost(of: -100_000, quote).fees == dec("27.8") + dec("8.30"))
        #expect(model.cost(of: 0, quote).total == 0)
    }

    @Test(
        "scenario D5a: an execution schedule",
        .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenarioSchedule() throws {
        let part = try #require(try Scenarios.load("D5")["parts"]?["a"])
        let inputs = try #require(part["inputs"])
        let problem = AlmgrenChriss(
            shares: try inputs.double("X"), horizon: try inputs.double("T"), intervals: Int(try inputs.double("N")),
            sigma: try inputs.double("sigma"), epsilon: try inputs.double("epsilon"), eta: try inputs.double("eta"),
            gamma: try inputs.double("gamma"))
        for expected in try part.list("expected") {
            let schedule = try #require(problem.schedule(riskAversion: try expected.double("risk_aversion")))
            #expect((schedule.kappa - (try expected.double("kappa"))).magnitude < 1e-9)
            for (found, wanted) in zip(schedule.slices, try expected.list("slices")) {
                #expect((found - (try #require(wanted.doubleValue))).magnitude < 1e-8 * found.magnitude + 1e-6)
            }
            #expect(schedule.wholeShares == (try expected.list("whole_share_slices").compactMap { $0.intValue }))
            #expect(
                (schedule.expectedCost - (try expected.double("expected_cost"))).magnitude < 1e-8
                    * schedule.expectedCost)
            #expect(
                (schedule.standardDeviation - (try expected.double("standard_deviation"))).magnitude < 1e-8
                    * schedule.standardDeviation)
        }
    }

    @Test("the published set of Almgren and Chriss")
    func published() throws {
        // Their section 3.4: E 662,500 and sd 1,040,673 at lambda 0; 911,227 and 603,431 at 1e-6.
        let problem = AlmgrenChriss(
            shares: 1e6, horizon: 5, intervals: 5, sigma: 0.95, epsilon: 0.0625, eta: 2.5e-6, gamma: 2.5e-7)
        let even = try #require(problem.schedule(riskAversion: 0))
        #expect((even.expectedCost - 662_500).magnitude < 1)
        #expect((even.standardDeviation - 1_040_673).magnitude < 1)
        let fast = try #require(problem.schedule(riskAversion: 1e-6))
        #expect((fast.expectedCost - 911_227).magnitude < 1 && (fast.standardDeviation - 603_431).magnitude < 1)
        let frontier = problem.frontier(riskAversions: [1e-5, 0, 1e-7, 1e-6])
        for (a, b) in zip(frontier, frontier.dropFirst()) {
            #expect(a.expectedCost < b.expectedCost && a.standardDeviation > b.standardDeviation)
        }
        #expect(
            frontier.allSatisfy {
                ($0.slices.reduce(0, +) - 1e6).magnitude < 1e-6 && $0.wholeShares.reduce(0, +) == 1_000_000
            })
    }

    @Test("a schedule stays right in extreme cases")
    func extremes() throws {
        var problem = AlmgrenChriss(shares: -1001, horizon: 1, intervals: 7, sigma: 50, epsilon: 0, eta: 1e-6, gamma: 0)
        let all = try #require(problem.schedule(riskAversion: 1e6))
        #expect(all.wholeShares == [-1001, 0, 0, 0, 0, 0, 0])
        #expect(all.slices.allSatisfy { $0.isFinite })
        problem.gamma = 1
        #expect(problem.schedule(riskAversion: 1) == nil)
        problem.intervals = 0
        #expect(problem.schedule(riskAversion: 1) == nil)
    }

    @Test(
        "scenario D5b: a swap in whole units",
        .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenarioSwap() throws {
        let part = try #require(try Scenarios.load("D5")["parts"]?["b"])
        let inputs = try #require(part["inputs"])
        func units(_ name: String) throws -> UInt64 { try #require(UInt64(try inputs.text(name))) }
        let pool = try #require(
            ConstantProductPool(
                reserveIn: try units("reserve_in"), reserveOut: try units("reserve_out"),
                feePPM: UInt32(try inputs.double("fee_ppm"))))
        let swap = pool.swap(try units("amount_in"))
        #expect(String(swap.netIn) == part["expected"]?["net_in"]?.stringValue)
        #expect(String(swap.out) == part["expected"]?["out"]?.stringValue)
        let least = ConstantProductPool.minimumOut(
            swap.out, slippageBasisPoints: UInt32(try inputs.double("slippage_bps")))
        #expect(least.map { String($0) } == part["expected"]?["minimum_out"]?.stringValue)
    }

    @Test("whole units: no product shrinks")
    func product() throws {
        var generator = SplitMix64(seed: 2)
        for _ in 0..<2000 {
            let pool = try #require(
                ConstantProductPool(
                    reserveIn: generator.next() >> 20 + 1, reserveOut: generator.next() >> 24 + 1, feePPM: 2500))
            let amount = generator.next() >> 22
            let swap = pool.swap(amount)
            let before = pool.reserveIn.multipliedFullWidth(by: pool.reserveOut)
            let after = (pool.reserveIn + amount).multipliedFullWidth(by: pool.reserveOut - swap.out)
            #expect((after.high, after.low) >= (before.high, before.low))
        }
        #expect(
            try #require(ConstantProductPool(reserveIn: .max, reserveOut: .max, feePPM: 0)).swap(.max).out == .max / 2)
    }

    @Test("network fees")
    func network() {
        #expect(NetworkFee.lamports(signatures: 1, computeUnits: 200_000, microLamportsPerUnit: 1_001) == 5_201)
        #expect(NetworkFee.lamports(signatures: .max, computeUnits: .max, microLamportsPerUnit: .max) == nil)
        #expect(NetworkFee.computeLimit(simulated: 100_001) == 120_002)
        #expect(NetworkFee.computeLimit(simulated: .max) == 1_400_000)
    }

    @Test("realised costs correct the coefficient")
    func calibration() {
        #expect(CostModel.calibrated(coefficient: 1, predicted: [1, 2, 3], realised: [1.5, 3, 4.5]) == 1.5)
        #expect(CostModel.calibrated(coefficient: 1, predicted: [], realised: []) == nil)
    }
}
