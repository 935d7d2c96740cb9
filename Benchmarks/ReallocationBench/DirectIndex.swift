import LinearAlgebra
import Reallocation
import WireFormat

/// A direct index: n names with four lots each, drifted from its target, with commissions, spreads, impact and the netted year.
///
/// Problems differ in the gains that the year has seen, in costs, risk aversion and limits: every second one has a turnover limit
/// or a greatest number of trades as well.
struct DirectIndex {
    private var generator: SplitMix64

    init(seed: Int) { generator = SplitMix64(seed: UInt64(seed) &* 7_919 &+ 13) }

    enum Market: String {
        case exchange
        /// Dividends bought a little of every name ten days ago: what is kept of that takes losses away.
        case reinvested
        /// Every name is traded in two liquidity pools, a constant product and three ranges, on a network that takes a dollar.
        case pools
    }

    mutating func problem(
        assets n: Int, variant: Int, isWhole: Bool = true, factors: Int = 5, market: Market = .exchange
    ) throws -> TradeProblem {
        guard let today = CalendarDate(year: 2026, month: 11, day: 20) else {
            throw Problem(.internalError, "no such day")
        }
        let value = 5_000_000.0
        var weights = (0..<n).map { _ in 0.2 + generator.uniform() }
        let total = weights.reduce(0, +) / 0.98
        weights = weights.map { $0 / total }
        let drift = (0..<n).map { _ in 1 + 0.25 * generator.normal() }
        var assets: [TradeAsset] = []
        for i in 0..<n {
            let price = FixedDecimal(20 + 300 * generator.uniform(), places: 2)
            let shares = max(4, (value * weights[i] * max(drift[i], 0.1) / price.double).rounded())
            var lots = (0..<4).map { index in
                TaxLot(
                    id: "\(i)-\(index)", acquired: today.adding(days: -40 - generator.integer(1000)) ?? today,
                    quantity: FixedDecimal(max(1, (shares / 4).rounded()), places: 0),
                    basisPerShare: FixedDecimal(price.double * (0.6 + 0.6 * generator.uniform()), places: 2))
            }
            if market == .reinvested {
                lots.append(
                    TaxLot(
                        id: "\(i)-r", acquired: today.adding(days: -10) ?? today,
                        quantity: FixedDecimal(max(1, (shares / 50).rounded()), places: 0),
                        basisPerShare: price * (FixedDecimal("0.97") ?? 1)))
            }
            assets.append(
                TradeAsset(
                    symbol: "A\(i)",
                    quote: MarketQuote(
                        price: price, halfSpread: FixedDecimal(price.double * 0.0003, places: 4),
                        dailyVolume: 1_000_000, dailyVolatility: 0.012 + 0.015 * generator.uniform()),
                    lots: lots, target: FixedDecimal(weights[i], places: 8)))
            guard market == .pools else { continue }
            let held = shares * (20 + 40 * generator.uniform())
            let depth = held * price.double.squareRoot()
            assets[i].quote.halfSpread = 0
            assets[i].quote.pools = LiquidityCurve([
                LiquidityPool(reserve: held, against: held * price.double, fee: 0.003),
                LiquidityPool(
                    price: price.double * 1.0002, fee: 0.0005,
                    ranges: [(0.8, 0.98), (0.9, 1.02), (0.98, 1.3)].map {
                        LiquidityPool.Range(
                            lower: price.double * $0.0, upper: price.double * $0.1, liquidity: depth)
                    }),
            ])
        }
        let covariance = covariance(n, factors: factors)
        var limits = TradeLimits()
        limits.lotSize = isWhole ? 1 : FixedDecimal("0.001") ?? 1
        limits.minimumTrade = isWhole ? 500 : 0
        limits.cashFloor = 20_000
        limits.participation = FixedDecimal("0.1")
        if variant % 4 == 1 { limits.turnover = FixedDecimal("0.04") }
        if variant % 4 == 3 { limits.maximumTrades = n / 5 }
        let tax = TaxSettings(
            mode: .nettedYear,
            rates: TaxRates(
                short: FixedDecimal("0.37") ?? 0, long: FixedDecimal("0.2") ?? 0, ordinary: FixedDecimal("0.37") ?? 0,
                ordinaryCap: 3000),
            realisedShort: [15_000, 0, 60_000, -5_000][variant / 2 % 4],
            realisedLong: [20_000, 0, 10_000, 40_000][variant / 2 % 4])
        return TradeProblem(
            date: today, cash: 60_000, assets: assets, covariance: covariance,
            riskAversion: variant == 0 ? 50 : 10 + 90 * generator.uniform(), horizonYears: 1,
            costs: CostModel(
                commission: isWhole
                    ? CommissionSchedule(
                        perShare: FixedDecimal("0.005") ?? 0, minimum: 1, maximumRate: FixedDecimal("0.01"))
                    : CommissionSchedule(perShare: FixedDecimal("0.005") ?? 0),
                impactCoefficient: 1, network: market == .pools ? 1 : 0),
            tax: tax, limits: limits)
    }

    private mutating func covariance(_ n: Int, factors: Int) -> Matrix {
        let loadings = (0..<n).map { _ in
            [0.15 + 0.05 * generator.normal()]
                + (1..<max(factors, 2)).map { 0.06 * min(1, 4 / Double($0)) * generator.normal() }
        }
        var sigma = Matrix(rows: n, columns: n)
        for i in 0..<n {
            for j in 0..<n { sigma[i, j] = Vector.dot(loadings[i], loadings[j]) }
        }
        for i in 0..<n {
            sigma[i, i] += (0.1 + 0.2 * generator.uniform()) * (0.1 + 0.2 * generator.uniform())
        }
        return sigma
    }
}
