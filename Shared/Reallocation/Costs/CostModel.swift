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

    public init(
        price: FixedDecimal, halfSpread: FixedDecimal = 0, dailyVolume: FixedDecimal? = nil,
        dailyVolatility: Double? = nil
    ) {
        self.price = price
        self.halfSpread = halfSpread
        self.dailyVolume = dailyVolume
        self.dailyVolatility = dailyVolatility
    }
}

/// The cost of one order by its parts, in currency.
public struct OrderCost: Sendable, Equatable {
    public var value: FixedDecimal
    public var commission: FixedDecimal
    public var fees: FixedDecimal
    public var spread: FixedDecimal
    /// An estimate, rounded at the eighth decimal.
    public var impact: FixedDecimal
    public var ticket: FixedDecimal

    /// What leaves the cash account: everything but the wish for few trades.
    public var paid: FixedDecimal { commission + fees + spread + impact }
    /// What the plan counts.
    public var total: FixedDecimal { paid + ticket }
}

/// Everything an order costs, by named settings.
public struct CostModel: Sendable, Equatable {
    public var commission: CommissionSchedule
    public var saleFees: SaleFees
    /// Y of the square-root law.
    public var impactCoefficient: Double
    /// What one more trade has to be worth, beyond what it costs.
    public var ticket: FixedDecimal

    public init(
        commission: CommissionSchedule = CommissionSchedule(), saleFees: SaleFees = SaleFees(),
        impactCoefficient: Double = 0,
        ticket: FixedDecimal = 0
    ) {
        self.commission = commission
        self.saleFees = saleFees
        self.impactCoefficient = impactCoefficient
        self.ticket = ticket
    }

    /// The cost of buying (positive) or selling (negative) so many shares.
    public func cost(of shares: FixedDecimal, _ quote: MarketQuote) -> OrderCost {
        let size = shares.magnitude
        let value = quote.price * size
        guard size > 0 else {
            return OrderCost(value: 0, commission: 0, fees: 0, spread: 0, impact: 0, ticket: 0)
        }
        let impact = SquareRootImpact.cost(
            coefficient: impactCoefficient, dailyVolatility: quote.dailyVolatility ?? 0, shares: size.double,
            volume: quote.dailyVolume?.double ?? 0, value: value.double)
        return OrderCost(
            value: value, commission: commission.commission(shares: size, value: value),
            fees: shares < 0 ? saleFees.fee(shares: size, value: value) : 0, spread: quote.halfSpread * size,
            impact: FixedDecimal(impact, places: 8), ticket: ticket)
    }

    /// The coefficient that would have made predictions right on average: realised over predicted, by least squares through zero.
    /// Nil without a prediction.
    public static func calibrated(coefficient: Double, predicted: [Double], realised: [Double]) -> Double? {
        let square = predicted.reduce(0) { $0 + $1 * $1 }
        guard square > 0, predicted.count == realised.count else { return nil }
        return coefficient * zip(predicted, realised).reduce(0) { $0 + $1.0 * $1.1 } / square
    }
}
