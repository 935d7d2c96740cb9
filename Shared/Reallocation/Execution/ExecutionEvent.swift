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
    /// A person or the kill switch ended it: nothing new is sent, what is open is taken back.
    case stopped(reason: String)
    /// Written before the venue is asked to take an order back.
    case cancelRequested(clientID: String, reason: String)

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
        case .stopped(let reason): ["event": "stopped", "reason": .string(reason)]
        case .cancelRequested(let id, let reason):
            ["event": "cancel_requested", "id": .string(id), "reason": .string(reason)]
        }
    }

    /// Reads a line of the log; nil for one that this version did not write.
    public init?(json: JSONValue) {
        let id = json["id"]?.stringValue
        let reason = json["reason"]?.stringValue ?? ""
        func decimal(_ name: String) -> FixedDecimal? { json[name]?.stringValue.flatMap { FixedDecimal($0) } }
        switch (json["event"]?.stringValue, id) {
        case ("intent", let id?):
            guard let leg = json["leg"]?.intValue, let attempt = json["attempt"]?.intValue,
                let quantity = decimal("quantity")
            else { return nil }
            self = .intent(leg: leg, attempt: attempt, clientID: id, quantity: quantity)
        case ("accepted", let id?): self = .accepted(clientID: id)
        case ("rejected", let id?): self = .rejected(clientID: id, reason: reason)
        case ("unanswered", let id?): self = .unanswered(clientID: id)
        case ("absent", let id?): self = .absent(clientID: id)
        case ("fill", let id?):
            guard let fill = json["fill"]?.stringValue, let quantity = decimal("quantity"), let price = decimal("price")
            else { return nil }
            self = .fill(clientID: id, fillID: fill, quantity: quantity, price: price)
        case ("closed", let id?):
            guard let filled = decimal("filled") else { return nil }
            self = .closed(clientID: id, filled: filled)
        case ("cancel_requested", let id?): self = .cancelRequested(clientID: id, reason: reason)
        case ("skipped", _):
            guard let leg = json["leg"]?.intValue else { return nil }
            self = .skipped(leg: leg, reason: reason)
        case ("halted", _): self = .halted(reason: reason)
        case ("stopped", _): self = .stopped(reason: reason)
        default: return nil
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
    /// The venue has been asked to take it back; it may still fill.
    case pendingCancel = "PENDING_CANCEL"
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
    /// The price of the decision, which a collar is measured from; nil where there is none.
    public var reference: FixedDecimal?

    public init(
        asset: String, isSale: Bool, quantity: FixedDecimal, limitPrice: FixedDecimal,
        lots: [(id: String, quantity: FixedDecimal)] = [], reference: FixedDecimal? = nil
    ) {
        self.asset = asset
        self.isSale = isSale
        self.quantity = quantity
        self.limitPrice = limitPrice
        self.lots = lots
        self.reference = reference
    }

    public static func == (a: ExecutionLeg, b: ExecutionLeg) -> Bool {
        a.asset == b.asset && a.isSale == b.isSale && a.quantity == b.quantity && a.limitPrice == b.limitPrice
            && a.lots.elementsEqual(b.lots) { $0 == $1 }
    }
}
