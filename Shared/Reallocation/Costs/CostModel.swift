public import WireFormat

/// What is known about trading one asset.
public struct MarketQuote: Sendable, Equatable {
    /// Mid price.
    public var price: FixedDecimal
    /// Half the quoted spread, price units.
    public var halfSpread: FixedDecimal
    /// Average shares a day; nil where unknown, and then there is no impact and no participation limit.
    public var dailyVolume: FixedDecimal?
    /// Daily volatility, a fraction; nil where unknown.
    public var dailyVolatility: Double?
    /// Where the asset is traded in liquidity pools: they say the impact then, and no law of volumes does.
    public var pools: LiquidityCurve?

    public init(
        price: FixedDecimal, halfSpread: FixedDecimal = 0, dailyVolume: FixedDecimal? = nil,
        dailyVolatility: Double? = nil, pools: LiquidityCurve? = nil
    ) {
        self.price = price
        self.halfSpread = halfSpread
        self.dailyVolume = dailyVolume
        self.dailyVolatility = dailyVolatility
        self.pools = pools
    }

    /// The shares of an order that each pool serves at the least cost; nil for an asset without pools.
    func route(_ shares: FixedDecimal) -> [FixedDecimal]? {
        guard let pools else { return nil }
        var parts = pools.split(shares.double).map { FixedDecimal($0, places: 9) }
        // What rounding leaves goes to the largest.
        if let largest = parts.indices.max(by: { parts[$0] < parts[$1] }) {
            parts[largest] += shares.magnitude - parts.reduce(0, +)
        }
        return parts
    }

    /// Whether the pools hold what an order takes or brings: a purchase has no price beyond, and the rest of a sale brings nothing.
    func covers(_ shares: FixedDecimal) -> Bool {
        guard let pools, shares != 0 else { return true }
        return (shares < 0 ? pools.selling : pools.buying).holds(shares.magnitude.double)
    }
}

/// The cost of one order by its parts, in currency.
public struct OrderCost: Sendable, Equatable {
    public var value: FixedDecimal
    public var commission: FixedDecimal
    public var fees: FixedDecimal
    public var spread: FixedDecimal
    /// An estimate, rounded at the eighth decimal; of pools their fees and the move of their prices.
    public var impact: FixedDecimal
    /// Paid by the wallet that signs, in the network's own coin.
    public var network: FixedDecimal
    public var ticket: FixedDecimal

    static let zero = OrderCost(value: 0, commission: 0, fees: 0, spread: 0, impact: 0, network: 0, ticket: 0)

    /// What leaves the cash account.
    public var paid: FixedDecimal { commission + fees + spread + impact }
    /// What trading takes: everything but the wish for few trades.
    public var spent: FixedDecimal { paid + network }
    /// What the plan counts.
    public var total: FixedDecimal { spent + ticket }

    static func += (sum: inout OrderCost, order: OrderCost) {
        sum.value += order.value
        sum.commission += order.commission
        sum.fees += order.fees
        sum.spread += order.spread
        sum.impact += order.impact
        sum.network += order.network
        sum.ticket += order.ticket
    }
}

/// Everything an order costs, by named settings.
public struct CostModel: Sendable, Equatable {
    public var commission: CommissionSchedule
    public var saleFees: SaleFees
    /// Y of the square-root law.
    public var impactCoefficient: Double
    /// What the network takes for an order's transaction, in the plan's currency.
    public var network: FixedDecimal
    /// What one more trade has to be worth, beyond what it costs.
    public var ticket: FixedDecimal

    public init(
        commission: CommissionSchedule = CommissionSchedule(), saleFees: SaleFees = SaleFees(),
        impactCoefficient: Double = 0, network: FixedDecimal = 0, ticket: FixedDecimal = 0
    ) {
        self.commission = commission
        self.saleFees = saleFees
        self.impactCoefficient = impactCoefficient
        self.network = network
        self.ticket = ticket
    }

    /// The cost of buying (positive) or selling (negative) so many shares.
    public func cost(of shares: FixedDecimal, _ quote: MarketQuote) -> OrderCost {
        let size = shares.magnitude
        let value = quote.price * size
        guard size > 0 else { return .zero }
        let impact =
            quote.pools?.cost(of: shares.double, at: quote.price.double)
            ?? SquareRootImpact.cost(
                coefficient: impactCoefficient, dailyVolatility: quote.dailyVolatility ?? 0, shares: size.double,
                volume: quote.dailyVolume?.double ?? 0, value: value.double)
        return OrderCost(
            value: value, commission: commission.commission(shares: size, value: value),
            fees: shares < 0 ? saleFees.fee(shares: size, value: value) : 0, spread: quote.halfSpread * size,
            impact: FixedDecimal(impact, places: 8), network: network, ticket: ticket)
    }

    /// The coefficient that would have made predictions right on average: realised over predicted, by least squares through zero.
    /// Nil without a prediction.
    public static func calibrated(coefficient: Double, predicted: [Double], realised: [Double]) -> Double? {
        let square = predicted.reduce(0) { $0 + $1 * $1 }
        guard square > 0, predicted.count == realised.count else { return nil }
        return coefficient * zip(predicted, realised).reduce(0) { $0 + $1.0 * $1.1 } / square
    }
}
