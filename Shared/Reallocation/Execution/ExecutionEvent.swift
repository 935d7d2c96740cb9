public import WireFormat

/// What happened to an order, in the order in which it was written down. A book is nothing but its events.
public enum ExecutionEvent: Sendable, Equatable {
    /// Written before anything goes over the wire.
    case intent(leg: Int, attempt: Int, clientID: String, quantity: FixedDecimal)
    case accepted(clientID: String)
    case rejected(clientID: String, reason: String)
    /// No answer, or one that says nothing about the order: a time-out, a 504, a duplicate id. Not a refusal.
    case unanswered(clientID: String)
    /// The venue knows no order of this id.
    case absent(clientID: String)
    case fill(clientID: String, fillID: String, quantity: FixedDecimal, price: FixedDecimal)
    /// The venue will not fill the order any further; `filled` is its own count.
    case closed(clientID: String, filled: FixedDecimal)
    /// A leg that is not sent: too little cash, or too small a trade.
    case skipped(leg: Int, reason: String)
    case halted(reason: String)

    /// One line of the log. Equal events, equal bytes.
    public var json: JSONValue {
        switch self {
        case .intent(let leg, let attempt, let id, let quantity):
            [
                "event": "intent", "leg": JSONValue(leg), "attempt": JSONValue(attempt), "id": .string(id),
                "quantity": JSONValue(quantity),
            ]
        case .accepted(let id): ["event": "accepted", "id": .string(id)]
        case .rejected(let id, let reason): ["event": "rejected", "id": .string(id), "reason": .string(reason)]
        case .unanswered(let id): ["event": "unanswered", "id": .string(id)]
        case .absent(let id): ["event": "absent", "id": .string(id)]
        case .fill(let id, let fill, let quantity, let price):
            [
                "event": "fill", "id": .string(id), "fill": .string(fill), "quantity": JSONValue(quantity),
                "price": JSONValue(price),
            ]
        case .closed(let id, let filled): ["event": "closed", "id": .string(id), "filled": JSONValue(filled)]
        case .skipped(let leg, let reason): ["event": "skipped", "leg": JSONValue(leg), "reason": .string(reason)]
        case .halted(let reason): ["event": "halted", "reason": .string(reason)]
        }
    }
}

/// Where an order stands.
public enum OrderState: String, Sendable, CaseIterable {
    case intent = "INTENT"
    case unknown = "UNKNOWN"
    case absent = "ABSENT"
    case accepted = "ACCEPTED"
    case partial = "PARTIAL"
    case filled = "FILLED"
    case closed = "CLOSED"
    case rejected = "REJECTED"

    /// Whether nothing more is asked of the venue. A fill after the end is legal and still booked.
    public var isTerminal: Bool { self == .filled || self == .closed || self == .rejected }
}

/// One trade of a confirmed plan as it is executed.
public struct ExecutionLeg: Sendable, Equatable {
    public var asset: String
    public var isSale: Bool
    public var quantity: FixedDecimal
    public var limitPrice: FixedDecimal
    /// Lots of a sale, in the order in which fills consume them.
    public var lots: [(id: String, quantity: FixedDecimal)]

    public init(
        asset: String, isSale: Bool, quantity: FixedDecimal, limitPrice: FixedDecimal,
        lots: [(id: String, quantity: FixedDecimal)] = []
    ) {
        self.asset = asset
        self.isSale = isSale
        self.quantity = quantity
        self.limitPrice = limitPrice
        self.lots = lots
    }

    public static func == (a: ExecutionLeg, b: ExecutionLeg) -> Bool {
        a.asset == b.asset && a.isSale == b.isSale && a.quantity == b.quantity && a.limitPrice == b.limitPrice
            && a.lots.elementsEqual(b.lots) { $0 == $1 }
    }
}
