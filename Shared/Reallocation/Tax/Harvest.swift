import LinearAlgebra
import RealModule
public import WireFormat

/// How losses are looked for.
public struct HarvestSettings: Sendable, Equatable {
    /// Least value of a candidate, in currency.
    public var floor: FixedDecimal = 0
    /// Annual rate at which later tax is worth less.
    public var discountRate = 0.05
    /// Years after which the lower basis of the substitute is taxed.
    public var deferralYears = 10.0
    /// Days for which the substitute is held.
    public var days = 31
    /// Assets that the law takes for the same: none of a set stands in for another.
    public var identical: [Set<String>] = []
    /// Assets that may stand in; nil for all that may be bought.
    public var substitutes: Set<String>?

    public init() {}
}

/// Lots of one asset that stand at a loss, and what selling them for a substitute is worth.
public struct HarvestCandidate: Sendable, Equatable {
    public var asset: String
    /// Lots at a loss that may be sold, the largest loss a share first, with what recent purchases take away.
    public var lots: [LotSale]
    /// Losses that count, by side, not negative.
    public var lossShort: FixedDecimal
    public var lossLong: FixedDecimal
    /// What the sale brings.
    public var proceeds: FixedDecimal
    /// What stands in for the asset; nil where nothing may.
    public var substitute: String?
    /// Annual volatility of the asset against its substitute.
    public var residualVolatility: Double
    /// Tax of the year that the losses save, after those of the candidates before.
    public var taxSaved: FixedDecimal
    /// Of that, what comes back as tax on the lower basis, as of today.
    public var taxLater: Double
    /// Both trades, there and back.
    public var cost: FixedDecimal
    /// What the risk against the substitute is worth while it is held.
    public var riskPrice: Double
    /// taxSaved - taxLater - cost - riskPrice.
    public var value: Double
    /// The first day on which the asset may be bought again.
    public var blockedUntil: CalendarDate?
}

/// Losses worth taking: a loss saves tax at the margin of the netted year, and costs trading twice, risk against a substitute, and tax
/// later, since the substitute's basis is lower.
///
///     value = saved - tau_long loss (1 + r)^-T - 2 (hs_i + hs_sub) - lambda/2 sigma_res^2 X^2/V days/365
///
/// Source: Berkin and Ye (2003), Tax management, loss harvesting, and HIFO accounting; Chaudhuri, Burnham and Lo (2020), An empirical
/// evaluation of tax-loss-harvesting alpha. A model with settings, not advice.
public enum Harvest {
    /// Candidates of a problem at least as valuable as the floor, greedily: the most valuable first, each at the margin that those before
    /// leave. Blocks of earlier sales are those of the problem: an asset that may not be bought is no substitute.
    public static func candidates(_ problem: TradeProblem, _ settings: HarvestSettings) -> [HarvestCandidate] {
        guard problem.tax.mode != .none else { return [] }
        let found = problem.assets.indices.compactMap { losses(problem, $0) }
        var left = found
        var chosen: [HarvestCandidate] = []
        var (short, long) = (FixedDecimal.zero, FixedDecimal.zero)
        // Sold at a loss today: none of them may be bought, so none may stand in.
        var sold: Set<String> = []
        while !left.isEmpty {
            let rated = left.map { rate($0, problem, settings, before: (short, long), sold: sold) }
            guard let best = rated.indices.max(by: { rated[$0].value < rated[$1].value }),
                rated[best].value > 0, FixedDecimal(rated[best].value, places: 8) >= settings.floor
            else { break }
            let candidate = rated[best]
            chosen.append(candidate)
            short += candidate.lossShort
            long += candidate.lossLong
            sold.insert(candidate.asset)
            // A substitute is bought: its own losses are not taken now.
            left.remove(at: best)
            if let substitute = candidate.substitute { left.removeAll { $0.asset == substitute } }
        }
        return chosen
    }

    private static func losses(_ problem: TradeProblem, _ index: Int) -> HarvestCandidate? {
        let asset = problem.assets[index]
        let net = problem.netPrice(asset.quote)
        let lots = problem.sellableLots(asset).filter { net < $0.basisPerShare }
            .sorted { ($0.basisPerShare, $0.id) > ($1.basisPerShare, $1.id) }
        let losses = lots.map { lot in
            LotSale(
                lot: lot, quantity: lot.quantity,
                term: problem.tax.holdingPeriod.term(acquired: lot.acquired, sold: problem.date),
                gain: (net - lot.basisPerShare) * lot.quantity)
        }
        let sales = problem.washed([index: losses])[index] ?? losses
        guard sales.contains(where: { $0.realised < 0 }) else { return nil }
        let quantity = lots.map { $0.quantity }.reduce(.zero, +)
        return HarvestCandidate(
            asset: asset.symbol, lots: sales,
            lossShort: -sales.filter { $0.term == .short }.map { $0.realised }.reduce(.zero, +),
            lossLong: -sales.filter { $0.term == .long }.map { $0.realised }.reduce(.zero, +),
            proceeds: asset.quote.price * quantity, substitute: nil, residualVolatility: 0, taxSaved: 0, taxLater: 0,
            cost: 0, riskPrice: 0, value: 0,
            blockedUntil: problem.tax.washSale?.firstFreeDay(after: problem.date))
    }

    private static func rate(
        _ candidate: HarvestCandidate, _ problem: TradeProblem, _ settings: HarvestSettings,
        before: (short: FixedDecimal, long: FixedDecimal), sold: Set<String>
    ) -> HarvestCandidate {
        var rated = candidate
        let tax = problem.tax
        func price(_ short: FixedDecimal, _ long: FixedDecimal) -> FixedDecimal {
            tax.tax(ofShort: -short, long: -long) - tax.carryValue(ofShort: -short, long: -long)
        }
        rated.taxSaved =
            price(before.short, before.long)
            - price(before.short + candidate.lossShort, before.long + candidate.lossLong)
        let loss = (candidate.lossShort + candidate.lossLong).double
        let later = Double.pow(1 + max(0, settings.discountRate), -max(0, settings.deferralYears))
        // Only what saves tax now is taxed later at the long rate; a loss that saves nothing defers nothing.
        rated.taxLater = rated.taxSaved > 0 ? min(rated.taxSaved.double, tax.rates.long.double * loss) * later : 0
        guard let at = problem.assets.firstIndex(where: { $0.symbol == candidate.asset }) else { return rated }
        let stand = substitute(of: at, for: candidate.proceeds, problem, settings, sold: sold)
        let asset = problem.assets[at]
        let shares = candidate.lots.map { $0.quantity }.reduce(.zero, +)
        var cost = 2 * problem.costs.cost(of: -shares, asset.quote).spent
        let total = problem.value.double
        let exposure = candidate.proceeds.double
        if let stand {
            let other = problem.assets[stand.index]
            rated.substitute = other.symbol
            cost += 2 * problem.costs.cost(of: quantity(of: other, for: candidate.proceeds, problem), other.quote).spent
            rated.residualVolatility = stand.variance.squareRoot()
        } else {
            // In cash: the whole of the asset's risk is missed.
            rated.residualVolatility = max(0, problem.covariance[at, at]).squareRoot()
        }
        rated.cost = cost
        let variance = rated.residualVolatility * rated.residualVolatility
        rated.riskPrice =
            problem.riskAversion / 2 * variance * exposure * exposure / max(total, 1e-9) * Double(settings.days) / 365
        rated.value = rated.taxSaved.double - rated.taxLater - rated.cost.double - rated.riskPrice
        return rated
    }

    /// The whole lots that an amount buys.
    private static func quantity(
        of asset: TradeAsset, for amount: FixedDecimal, _ problem: TradeProblem
    ) -> FixedDecimal {
        (amount / asset.quote.price).roundedDown(to: problem.limits.lotSize)
    }

    /// The permitted asset whose return differs least from the asset's, share of value for share of value, and that can be bought for the
    /// proceeds.
    private static func substitute(
        of index: Int, for proceeds: FixedDecimal, _ problem: TradeProblem, _ settings: HarvestSettings,
        sold: Set<String>
    ) -> (index: Int, variance: Double)? {
        let symbol = problem.assets[index].symbol
        let same = settings.identical.filter { $0.contains(symbol) }.reduce(into: Set([symbol])) { $0.formUnion($1) }
        let sigma = problem.covariance
        return problem.assets.indices.compactMap { other -> (index: Int, variance: Double)? in
            let candidate = problem.assets[other]
            guard candidate.canBuy, !same.contains(candidate.symbol), !sold.contains(candidate.symbol),
                settings.substitutes?.contains(candidate.symbol) ?? true,
                candidate.quote.covers(quantity(of: candidate, for: proceeds, problem))
            else { return nil }
            return (other, max(0, sigma[index, index] + sigma[other, other] - 2 * sigma[index, other]))
        }.min { $0.variance < $1.variance }
    }
}

extension HarvestSettings {
    /// As a request gives them.
    init(_ settings: RebalanceSettings.Harvest) {
        floor = settings.floor
        discountRate = settings.discountRate
        deferralYears = settings.deferralYears
        days = settings.days
        identical = settings.identical.map { Set($0) }
        substitutes = settings.substitutes.map { Set($0) }
    }
}

extension HarvestCandidate {
    /// As a plan says it.
    var json: JSONValue {
        [
            "asset": .string(asset), "substitute": JSONValue(substitute),
            "lots": .array(
                lots.map {
                    [
                        "id": .string($0.lot.id), "quantity": JSONValue($0.quantity), "gain": JSONValue(money: $0.gain),
                        "disallowed": JSONValue(money: $0.disallowed), "term": .string($0.term.rawValue),
                    ]
                }),
            "loss_short": JSONValue(money: lossShort), "loss_long": JSONValue(money: lossLong),
            "proceeds": JSONValue(money: proceeds), "tax_saved": JSONValue(money: taxSaved),
            "tax_later": JSONValue(taxLater), "cost": JSONValue(money: cost), "risk_price": JSONValue(riskPrice),
            "residual_volatility": JSONValue(residualVolatility), "value": JSONValue(value),
            "blocked_until": JSONValue(blockedUntil?.description),
        ]
    }
}
