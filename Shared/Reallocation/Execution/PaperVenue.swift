public import WireFormat

/// An embedded broker for trying plans out: seeded, with spread, impact, partial fills and refusals, and an answer for each client id.
///
/// A taker pays half the spread and, on average over the order, the square-root impact; each fill's impact is drawn evenly between half
/// and one and a half times that, so that the mean of realised costs is the model's. The same seed gives the same fills.
public struct PaperVenue: Sendable {
    public struct Settings: Sendable {
        public var commission: CommissionSchedule
        public var impactCoefficient: Double
        /// Chance that an order is filled in several parts.
        public var partialShare: Double
        /// Chance that an order is refused.
        public var rejectShare: Double

        public init(
            commission: CommissionSchedule = CommissionSchedule(), impactCoefficient: Double = 1,
            partialShare: Double = 0.3,
            rejectShare: Double = 0
        ) {
            self.commission = commission
            self.impactCoefficient = impactCoefficient
            self.partialShare = partialShare
            self.rejectShare = rejectShare
        }
    }

    public struct Fill: Sendable, Equatable {
        public var clientID: String
        public var fillID: String
        public var quantity: FixedDecimal
        public var price: FixedDecimal
    }

    public struct Order: Sendable {
        public var clientID: String
        public var asset: String
        public var isSale: Bool
        public var quantity: FixedDecimal
        public var filled: FixedDecimal
        var filledValue: FixedDecimal
        var commission: FixedDecimal
        public var isRejected: Bool
        /// Nil for an order that takes any price.
        public var limit: FixedDecimal?
        public var isCanceled = false
        public var isClosed: Bool { isRejected || isCanceled || filled == quantity }
    }

    public enum Answer: Sendable, Equatable {
        case accepted
        case rejected(String)
        /// An order of this client id exists.
        case duplicate
    }

    public private(set) var orders: [String: Order] = [:]
    public private(set) var fills: [Fill] = []
    public private(set) var cash: FixedDecimal
    public private(set) var positions: [String: FixedDecimal]
    private let quotes: [String: MarketQuote]
    private let settings: Settings
    private var state: UInt64

    public init(
        cash: FixedDecimal, positions: [String: FixedDecimal], quotes: [String: MarketQuote], settings: Settings,
        seed: UInt64
    ) {
        self.cash = cash
        self.positions = positions
        self.quotes = quotes
        self.settings = settings
        state = seed
    }

    /// SplitMix64, in [0, 1). Source: Steele, Lea and Flood (2014).
    private mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }

    public mutating func submit(
        clientID: String, asset: String, isSale: Bool, quantity: FixedDecimal, limit: FixedDecimal? = nil
    ) -> Answer {
        guard orders[clientID] == nil else { return .duplicate }
        guard quotes[asset] != nil else { return .rejected("no such asset") }
        guard quantity > 0 else { return .rejected("nothing to trade") }
        if isSale, positions[asset] ?? 0 < quantity { return .rejected("more than is held") }
        let isRejected = uniform() < settings.rejectShare
        orders[clientID] = Order(
            clientID: clientID, asset: asset, isSale: isSale, quantity: quantity, filled: 0, filledValue: 0,
            commission: 0, isRejected: isRejected, limit: limit)
        return isRejected ? .rejected("refused by the venue") : .accepted
    }

    /// The order of a client id; nil where there is none.
    public func lookup(_ clientID: String) -> Order? { orders[clientID] }

    /// Fills of an order so far, oldest first.
    public func fills(of clientID: String) -> [Fill] { fills.filter { $0.clientID == clientID } }

    /// Takes over what a log says that this broker did before: orders that it accepted or refused, and their fills.
    public mutating func restore(_ log: [ExecutionEvent], legs: [ExecutionLeg]) {
        var intents: [String: (leg: Int, quantity: FixedDecimal)] = [:]
        for event in log {
            switch event {
            case .intent(let leg, _, let clientID, let quantity): intents[clientID] = (leg, quantity)
            case .accepted(let clientID), .rejected(let clientID, _):
                guard orders[clientID] == nil, let intent = intents[clientID], legs.indices.contains(intent.leg) else {
                    continue
                }
                var isRejected = false
                if case .rejected = event { isRejected = true }
                orders[clientID] = Order(
                    clientID: clientID, asset: legs[intent.leg].asset, isSale: legs[intent.leg].isSale,
                    quantity: intent.quantity, filled: 0, filledValue: 0, commission: 0, isRejected: isRejected)
            case .fill(let clientID, let fillID, let quantity, let price):
                guard let order = orders[clientID], !fills.contains(where: { $0.fillID == fillID }) else { continue }
                book(order, quantity, price, fillID: fillID)
            case .closed(let clientID, _):
                if orders[clientID]?.isClosed == false { orders[clientID]?.isCanceled = true }
            default: continue
            }
        }
    }

    private mutating func book(
        _ order: Order, _ part: FixedDecimal, _ price: FixedDecimal, fillID: String
    ) {
        var order = order
        order.filled += part
        order.filledValue += price * part
        let due = settings.commission.commission(shares: order.filled, value: order.filledValue)
        cash += (order.isSale ? price * part : -(price * part)) - (due - order.commission)
        order.commission = due
        positions[order.asset, default: 0] += order.isSale ? -part : part
        fills.append(Fill(clientID: order.clientID, fillID: fillID, quantity: part, price: price))
        orders[order.clientID] = order
    }

    /// Takes an order back; false where there is none that is open.
    public mutating func cancel(_ clientID: String) -> Bool {
        guard orders[clientID]?.isClosed == false else { return false }
        orders[clientID]?.isCanceled = true
        return true
    }

    /// Lets time pass for one order: fills it, or a part of it.
    public mutating func trade(_ clientID: String) -> [Fill] {
        guard let order = orders[clientID], !order.isClosed, let quote = quotes[order.asset] else { return [] }
        let rest = order.quantity - order.filled
        var part = rest
        if uniform() < settings.partialShare, rest > 1 {
            part = max(1, (rest * FixedDecimal(uniform(), places: 4)).roundedDown(to: 1))
        }
        let average = SquareRootImpact.cost(
            coefficient: settings.impactCoefficient, dailyVolatility: quote.dailyVolatility ?? 0,
            shares: order.quantity.double,
            volume: quote.dailyVolume?.double ?? 0, value: quote.price.double)
        let impact = FixedDecimal(average * (0.5 + uniform()), places: 8)
        let edge = quote.halfSpread + impact
        let price = order.isSale ? quote.price - edge : quote.price + edge
        // A price beyond the order's limit fills nothing this time.
        if let limit = order.limit, order.isSale ? price < limit : price > limit { return [] }
        book(order, part, price, fillID: "\(clientID)-\(fills.count + 1)")
        return Array(fills.suffix(1))
    }
}
