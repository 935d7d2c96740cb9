public import WireFormat

/// What an execution may do at most; nil where there is no limit.
public struct ExecutionLimits: Sendable, Equatable {
    /// Most value of one order at its limit price.
    public var order: FixedDecimal?
    /// Most value of all orders of the plan.
    public var plan: FixedDecimal?
    /// Most value of all orders of the day, `spentToday` counted.
    public var day: FixedDecimal?
    public var spentToday: FixedDecimal = 0
    /// How far a limit price may be from the price of the decision, a fraction of it.
    public var collar: FixedDecimal?
    /// How often a leg may be sent; each time after the first at a limit price that is `repriceStep` worse.
    public var attempts = 1
    /// A fraction of the limit price.
    public var repriceStep: FixedDecimal = 0

    public init() {}

    /// The limit price of an attempt: of the first the leg's own, then worse by the step, never beyond the collar.
    public func limitPrice(_ leg: ExecutionLeg, attempt: Int) -> FixedDecimal {
        let worse = repriceStep * FixedDecimal(max(0, attempt - 1)) * leg.limitPrice
        let wanted = leg.isSale ? leg.limitPrice - worse : leg.limitPrice + worse
        guard attempt > 1, let collar, let reference = leg.reference else { return wanted }
        return leg.isSale ? max(wanted, reference - collar * reference) : min(wanted, reference + collar * reference)
    }

    /// Why an order may not be sent; nil where it may.
    func refusal(_ leg: ExecutionLeg, price: FixedDecimal, quantity: FixedDecimal, spent: FixedDecimal) -> String? {
        let value = price * quantity
        if let collar, let reference = leg.reference, (price - reference).magnitude > collar * reference {
            return "a limit of \(price) is further than \(collar * 100) % from \(reference)"
        }
        if let order, value > order { return "an order over \(value) is beyond the limit of \(order)" }
        if let plan, spent + value > plan {
            return "orders over \(spent + value) are beyond the plan's limit of \(plan)"
        }
        if let day, spentToday + spent + value > day {
            return "orders over \(spentToday + spent + value) are beyond the day's limit of \(day)"
        }
        return nil
    }
}
