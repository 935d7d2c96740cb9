import LinearAlgebra
import TestSupport
import Testing
import WireFormat
@testable import Reallocation

/// Seeded trade problems.
struct RandomTrades {
    var generator: SplitMix64

    init(seed: UInt64) { generator = SplitMix64(seed: seed &* 7_919 &+ 13) }

    mutating func covariance(_ n: Int, factors: Int = 3, loading: Double = 0.06) -> Matrix {
        let loadings = (0..<n).map { _ in
            [0.15 + 0.05 * generator.normal()] + (1..<max(factors, 2)).map { _ in loading * generator.normal() }
        }
        var sigma = Matrix(rows: n, columns: n)
        for i in 0..<n {
            for j in 0..<n { sigma[i, j] = Vector.dot(loadings[i], loadings[j]) }
        }
        for i in 0..<n { sigma[i, i] += (0.1 + 0.2 * generator.uniform()) * (0.1 + 0.2 * generator.uniform()) }
        return sigma
    }

    /// A problem that can be enumerated: at most 8 assets, few steps each.
    mutating func small() throws -> TradeProblem {
        let n = 1 + generator.integer(8)
        let reach = [0, 60, 18, 8, 5, 3, 2, 1, 1][n]
        let isTaxed = generator.chance(0.5)
        let today = try day("2026-11-20")
        var weights = (0...n).map { _ in 0.05 + generator.uniform() }
        let total = weights.reduce(0, +)
        weights = weights.map { $0 / total }
        let value = 20_000.0
        var assets: [TradeAsset] = []
        for i in 0..<n {
            let price = FixedDecimal(5 + 200 * generator.uniform(), places: 2)
            let shares = 1 + generator.integer(Int(value * weights[i] / price.double) + 1)
            let lots = try (0..<(isTaxed ? 1 + generator.integer(3) : 1)).map { index in
                TaxLot(
                    id: "\(i)-\(index)",
                    acquired: try #require(today.adding(days: -generator.integer(generator.chance(0.3) ? 32 : 800))),
                    quantity: FixedDecimal(1 + (index == 0 ? shares : generator.integer(4))),
                    basisPerShare: FixedDecimal(price.double * (0.6 + 0.8 * generator.uniform()), places: 2))
            }
            var asset = TradeAsset(
                symbol: "A\(i)",
                quote: MarketQuote(
                    price: price, halfSpread: FixedDecimal(0.001 * price.double * generator.uniform(), places: 4),
                    dailyVolume: FixedDecimal(10 * reach), dailyVolatility: 0.01 + 0.02 * generator.uniform()),
                lots: lots, target: FixedDecimal(weights[i], places: 4))
            if generator.chance(0.1) { asset.canBuy = false }
            if generator.chance(0.1) { asset.lockedLots = [lots[0].id] }
            if generator.chance(0.1) { asset.highestWeight = FixedDecimal(weights[i] * 1.2, places: 4) }
            if generator.chance(0.1) { asset.expectedReturn = 0.05 * generator.normal() }
            assets.append(asset)
        }
        var costs = CostModel(
            impactCoefficient: generator.chance(0.5) ? 1 : 0, ticket: FixedDecimal(generator.integer(4)))
        if generator.chance(0.7) {
            costs.commission = CommissionSchedule(
                perOrder: FixedDecimal(generator.integer(2)), perShare: dec("0.02"),
                rate: generator.chance(0.3) ? dec("0.001") : 0,
                minimum: dec("0.35"), maximumRate: generator.chance(0.5) ? dec("0.01") : nil)
        }
        if generator.chance(0.3) {
            costs.saleFees = SaleFees(rate: dec("0.0000278"), perShare: dec("0.01"), perShareCap: dec("0.15"))
        }
        var tax = TaxSettings.none
        if isTaxed {
            tax = TaxSettings(
                mode: generator.chance(0.75) ? .nettedYear : .lotRates,
                rates: TaxRates(
                    short: dec("0.37"), long: dec("0.2"), ordinary: dec("0.35"),
                    ordinaryCap: FixedDecimal(50 + generator.integer(200))))
            if generator.chance(0.3) { tax.method = [.fifo, .lifo, .hifo][generator.integer(3)] }
            tax.realisedShort = FixedDecimal(generator.integer(400) - 200)
            tax.realisedLong = FixedDecimal(generator.integer(400) - 200)
            if generator.chance(0.3) {
                (tax.carryShort, tax.carryLong) = (
                    FixedDecimal(generator.integer(200)), FixedDecimal(generator.integer(200))
                )
            }
            if generator.chance(0.2) { (tax.carryValueShort, tax.carryValueLong) = (dec("0.1"), dec("0.08")) }
            if generator.chance(0.4) { tax.washSale = nil }
        }
        var limits = TradeLimits()
        limits.participation = dec("0.1")
        if generator.chance(0.5) { limits.minimumTrade = FixedDecimal(generator.integer(150)) }
        if generator.chance(0.4) { limits.maximumTrades = 1 + generator.integer(n) }
        if generator.chance(0.3) { limits.turnover = FixedDecimal(0.02 + 0.1 * generator.uniform(), places: 3) }
        if generator.chance(0.2), isTaxed { limits.taxBudget = FixedDecimal(generator.integer(60) - 20) }
        if generator.chance(0.2), n > 1 {
            limits.groups = [
                TradeGroup(
                    name: "g", members: [0, 1], lowest: dec("0.05"),
                    highest: FixedDecimal((weights[0] + weights[1]) * 1.1, places: 3))
            ]
        }
        let cash = FixedDecimal(value * weights[n] * (0.5 + generator.uniform()), places: 2)
        limits.cashFloor = generator.chance(0.5) ? cash * dec("0.8") : 0
        return TradeProblem(
            date: today, cash: cash, assets: assets, covariance: covariance(n),
            riskAversion: 2 + 20 * generator.uniform(),
            horizonYears: 1, costs: costs, tax: tax, limits: limits)
    }
}

extension RandomTrades {
    /// A small problem whose assets are mostly traded in pools, some of which are soon empty, on a network that takes a fee.
    mutating func pooled() throws -> TradeProblem {
        var problem = try small()
        problem.costs.network = FixedDecimal(3 * generator.uniform(), places: 4)
        for index in problem.assets.indices where generator.chance(0.8) {
            let price = problem.assets[index].quote.price.double
            let pools = (0..<(1 + generator.integer(3))).map { _ in
                let fee = generator.chance(0.2) ? 0 : 0.0004 + 0.01 * generator.uniform()
                let own = price * (1 + 0.99 * fee * (2 * generator.uniform() - 1))
                guard generator.chance(0.5) else {
                    let reserve = 20 + 2000 * generator.uniform()
                    return LiquidityPool(reserve: reserve, against: reserve * own, fee: fee)
                }
                let depth = (1 + 60 * generator.uniform()) * price.squareRoot()
                return LiquidityPool(
                    price: own, fee: fee,
                    ranges: [
                        LiquidityPool.Range(lower: own * 0.95, upper: own * 1.03, liquidity: depth),
                        LiquidityPool.Range(
                            lower: own * 0.7, upper: own * (1.01 + 0.2 * generator.uniform()), liquidity: depth / 2),
                        LiquidityPool.Range(lower: own * 1.4, upper: .infinity, liquidity: depth / 4),
                    ])
            }
            problem.assets[index].quote.pools = LiquidityCurve(pools)
        }
        return problem
    }

    /// A direct index: n names with four lots each, drifted from its target, with commissions, spreads, impact and the netted year.
    mutating func large(_ n: Int) throws -> TradeProblem {
        let today = try day("2026-11-20")
        let value = 5_000_000.0
        var weights = (0..<n).map { _ in 0.2 + generator.uniform() }
        let total = weights.reduce(0, +) / 0.98
        weights = weights.map { $0 / total }
        let drift = (0..<n).map { _ in 1 + 0.25 * generator.normal() }
        var assets: [TradeAsset] = []
        for i in 0..<n {
            let price = FixedDecimal(20 + 300 * generator.uniform(), places: 2)
            let shares = max(4, (value * weights[i] * max(drift[i], 0.1) / price.double).rounded())
            let lots = try (0..<4).map { index in
                TaxLot(
                    id: "\(i)-\(index)", acquired: try #require(today.adding(days: -40 - generator.integer(1000))),
                    quantity: FixedDecimal(max(1, (shares / 4).rounded()), places: 0),
                    basisPerShare: FixedDecimal(price.double * (0.6 + 0.6 * generator.uniform()), places: 2))
            }
            assets.append(
                TradeAsset(
                    symbol: "A\(i)",
                    quote: MarketQuote(
                        price: price, halfSpread: FixedDecimal(price.double * 0.0003, places: 4),
                        dailyVolume: 1_000_000,
                        dailyVolatility: 0.012 + 0.015 * generator.uniform()),
                    lots: lots, target: FixedDecimal(weights[i], places: 8)))
        }
        var limits = TradeLimits()
        limits.minimumTrade = 500
        limits.cashFloor = 20_000
        limits.participation = dec("0.1")
        let tax = TaxSettings(
            mode: .nettedYear,
            rates: TaxRates(short: dec("0.37"), long: dec("0.2"), ordinary: dec("0.37"), ordinaryCap: 3000),
            realisedShort: 15_000, realisedLong: 20_000)
        return TradeProblem(
            date: today, cash: 60_000, assets: assets, covariance: covariance(n, factors: 5), riskAversion: 50,
            horizonYears: 1,
            costs: CostModel(
                commission: CommissionSchedule(perShare: dec("0.005"), minimum: 1, maximumRate: dec("0.01")),
                impactCoefficient: 1),
            tax: tax, limits: limits)
    }
}
