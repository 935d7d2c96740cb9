public import WireFormat

/// A reallocation from drift to an ordered list of trades: everything a person needs to decide, in decimals.
public struct ReallocationPlan: Sendable {
    /// Where the plan stands when it is made. Raw values are the wire's words.
    public enum State: String, Sendable, CaseIterable {
        /// No rule fired, or doing nothing is best.
        case notNeeded = "NOT_NEEDED"
        /// Needed, but no trades pass the cost gate.
        case rejectedByCost = "REJECTED_BY_COST"
        case awaitingConfirm = "AWAITING_CONFIRM"
    }

    /// One trade with its lots, costs and tax.
    public struct Leg: Sendable {
        public var asset: String
        public var isSale: Bool
        public var quantity: FixedDecimal
        public var price: FixedDecimal
        public var limitPrice: FixedDecimal
        public var lots: [LotSale]
        public var cost: OrderCost
        /// What leaving this trade out would change in the year's tax.
        public var tax: FixedDecimal
        /// 1, 2, ...: when it is sent.
        public var order: Int
        public var trackingErrorAfter: Double
        public var cashAfter: FixedDecimal
        /// Nil where none was asked for, or none can be made.
        public var schedule: LegSchedule?
        /// Shares by pool, in the order of the settings; nil for an asset without pools.
        public var route: [FixedDecimal]?
    }

    /// A point of the path "trades against objective".
    public struct Alternative: Sendable, Equatable {
        public var trades: Int
        public var objective: Double
        public var cost: FixedDecimal
        public var trackingError: Double
    }

    public var state: State
    public var currency: String
    public var asOf: CalendarDate
    public var drift: WeightDrift
    public var rules: [(rule: RebalanceTrigger.Rule, fired: Bool)]
    public var isNeeded: Bool
    public var legs: [Leg]
    public var cashBefore: FixedDecimal
    public var cashAfter: FixedDecimal
    public var weightsBefore: [(asset: String, weight: FixedDecimal)]
    public var weightsAfter: [(asset: String, weight: FixedDecimal)]
    public var target: [(asset: String, weight: FixedDecimal)]
    public var trackingErrorBefore: Double
    public var trackingErrorAfter: Double
    public var costs: OrderCost
    public var gainShort: FixedDecimal
    public var gainLong: FixedDecimal
    public var tax: FixedDecimal
    public var carryValue: FixedDecimal
    /// The year before and after, where it is netted.
    public var year: (before: TaxYear, after: TaxYear)?
    public var benefit: Double
    /// Trading cost and tax less the value of carried losses, in currency.
    public var cost: Double
    public var costWeight: Double
    public var objective: Double
    public var idleObjective: Double
    public var lowerBound: Double
    public var gap: Double
    public var relaxed: [RelaxedLimit]
    public var alternatives: [Alternative]
    public var washBlocks: [(asset: String, until: CalendarDate)]
    /// Losses worth taking, the most valuable first; nil where they were not looked for.
    public var harvest: [HarvestCandidate]?
    /// Weights after each period that was looked ahead; the first took the target's place. Nil without.
    public var lookAhead: [[(asset: String, weight: Double)]]?
    /// Y of the settings, and what orders at a venue have made of half spread and impact.
    public var impactCoefficient: Double
    public var calibration: RebalanceSettings.Calibration?
    public var warnings: [PortfolioWarning]
}
