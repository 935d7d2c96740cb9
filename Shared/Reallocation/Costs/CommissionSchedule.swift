public import WireFormat

/// What a broker asks for an order.
///
///     commission = min(max(perOrder + perShare q + rate v, minimum), maximumRate v)
///
/// q shares, v value at the mid price; the cap beats the minimum. Source: Interactive Brokers, fixed pricing for US stocks
/// (0.005 a share, at least 1.00, at most 1 % of the value); percentages and flat fees as other venues have them.
public struct CommissionSchedule: Sendable, Equatable {
    public var perOrder: FixedDecimal
    public var perShare: FixedDecimal
    public var rate: FixedDecimal
    public var minimum: FixedDecimal
    /// Most of the order's value; nil for no cap.
    public var maximumRate: FixedDecimal?

    public init(
        perOrder: FixedDecimal = 0, perShare: FixedDecimal = 0, rate: FixedDecimal = 0, minimum: FixedDecimal = 0,
        maximumRate: FixedDecimal? = nil
    ) {
        self.perOrder = perOrder
        self.perShare = perShare
        self.rate = rate
        self.minimum = minimum
        self.maximumRate = maximumRate
    }

    public func commission(shares: FixedDecimal, value: FixedDecimal) -> FixedDecimal {
        guard shares > 0 else { return 0 }
        let asked = max(perOrder + perShare * shares + rate * value, minimum)
        return maximumRate.map { min(asked, $0 * value) } ?? asked
    }
}

/// What the law takes from a sale, in force from a day on.
public struct SaleFees: Sendable, Equatable {
    /// Of the value sold.
    public var rate: FixedDecimal
    public var perShare: FixedDecimal
    /// Most of the fee per share of one order.
    public var perShareCap: FixedDecimal

    public init(rate: FixedDecimal = 0, perShare: FixedDecimal = 0, perShareCap: FixedDecimal = 0) {
        self.rate = rate
        self.perShare = perShare
        self.perShareCap = perShareCap
    }

    public func fee(shares: FixedDecimal, value: FixedDecimal) -> FixedDecimal {
        rate * value + (perShareCap > 0 ? min(perShare * shares, perShareCap) : perShare * shares)
    }
}
