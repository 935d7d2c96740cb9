public import WireFormat

/// The books of an execution: orders, fills, cash, positions and lots, made from nothing but its events.
///
/// An order's identity is deterministic, its intent is written before it is sent, and what the venue has not said is unknown, not
/// refused. So a crash at any point is followed by a lookup, never by a second order. Each fill counts once, by the venue's id.
/// Replaying the events gives the same books. Source: the write-ahead rule of Mohan et al. (1992), ARIES; the order states of FIX 4.4.
public struct ExecutionBook: Sendable {
    public struct Order: Sendable, Equatable {
        public var leg: Int
        public var attempt: Int
        public var clientID: String
        public var quantity: FixedDecimal
        public var state: OrderState
        public var filled: FixedDecimal
        public var filledValue: FixedDecimal
        /// Commission, and of a sale its fees.
        public var commission: FixedDecimal
        public var lookups: Int
    }

    /// What has to be done next.
    public enum Action: Sendable, Equatable {
        /// Write this event first; nothing is sent yet.
        case record(ExecutionEvent)
        /// Send the order; its intent is in the log.
        case submit(clientID: String, leg: Int, quantity: FixedDecimal)
        /// Ask the venue to take an order back; that it was asked for is in the log.
        case cancel(clientID: String)
        /// Ask the venue for an order by its client id.
        case lookup(clientID: String)
        /// Wait for fills, or ask for the order again.
        case await(clientID: String)
        case finished

        /// Whether an order that the venue does not have comes of it: what a pause holds back.
        public var sendsAnew: Bool {
            switch self {
            case .record(.intent), .submit: true
            default: false
            }
        }
    }

    /// What an event did.
    public enum Outcome: Sendable, Equatable {
        case applied
        /// Known already: nothing changed.
        case duplicate
    }

    public let legs: [ExecutionLeg]
    public let commission: CommissionSchedule
    /// Taken from sales.
    public let saleFees: SaleFees
    public let cashFloor: FixedDecimal
    public let minimumTrade: FixedDecimal
    public let lotSize: FixedDecimal
    public let limits: ExecutionLimits
    /// Makes the client id of a leg's attempt.
    private let identify: @Sendable (_ leg: Int, _ attempt: Int) -> String

    public private(set) var cash: FixedDecimal
    public private(set) var positions: [String: FixedDecimal]
    /// Shares left of each lot that sales consume, and shares of each lot that purchases made.
    public private(set) var lots: [String: FixedDecimal] = [:]
    public private(set) var orders: [Order] = []
    public private(set) var fills: Set<String> = []
    public private(set) var duplicates = 0
    public private(set) var halt: String?
    /// Why nothing new is sent any more; nil while it is.
    public private(set) var stop: String?
    /// Why a leg was not sent, by its number.
    public private(set) var skips: [Int: String] = [:]
    /// Intents written since the process started: those may be sent without a lookup.
    private var fresh: Set<String> = []
    /// Orders that the venue was asked to take back since the process started.
    private var asked: Set<String> = []

    public init(
        legs: [ExecutionLeg], cash: FixedDecimal, positions: [String: FixedDecimal], commission: CommissionSchedule,
        saleFees: SaleFees = SaleFees(), cashFloor: FixedDecimal = 0, minimumTrade: FixedDecimal = 0,
        lotSize: FixedDecimal = 1,
        limits: ExecutionLimits = ExecutionLimits(),
        identify: @escaping @Sendable (_ leg: Int, _ attempt: Int) -> String
    ) {
        self.legs = legs
        self.cash = cash
        self.positions = positions
        self.commission = commission
        self.saleFees = saleFees
        self.cashFloor = cashFloor
        self.minimumTrade = minimumTrade
        self.lotSize = lotSize
        self.limits = limits
        self.identify = identify
        for leg in legs { for lot in leg.lots { lots[lot.id] = lot.quantity } }
    }

    /// The books after a restart: the events alone, nothing that was in memory.
    public mutating func replay(_ events: [ExecutionEvent]) {
        for event in events { apply(event) }
        fresh = []
        asked = []
    }

    // MARK: Events

    /// Books one event that has been written to the log.
    @discardableResult
    public mutating func apply(_ event: ExecutionEvent) -> Outcome {
        switch event {
        case .intent(let leg, let attempt, let clientID, let quantity):
            guard index(clientID) == nil else { return repeated() }
            orders.append(
                Order(
                    leg: leg, attempt: attempt, clientID: clientID, quantity: quantity, state: .intent, filled: 0,
                    filledValue: 0, commission: 0, lookups: 0))
            fresh.insert(clientID)
        case .accepted(let clientID):
            guard let at = index(clientID) else {
                return unexpected("an order \(clientID) that nobody meant was accepted")
            }
            guard [.intent, .unknown, .absent].contains(orders[at].state) else { return repeated() }
            orders[at].state = orders[at].filled > 0 ? .partial : .accepted
        case .rejected(let clientID, _):
            guard let at = index(clientID) else { return repeated() }
            guard !orders[at].state.isTerminal else { return repeated() }
            guard orders[at].filled == 0 else { return unexpected("the order \(clientID) was refused after a fill") }
            orders[at].state = .rejected
        case .unanswered(let clientID):
            fresh.remove(clientID)
            guard let at = index(clientID), orders[at].state == .intent || orders[at].state == .absent else {
                return repeated()
            }
            orders[at].state = .unknown
        case .absent(let clientID):
            // Only an order whose fate is open can turn out to be absent; one that was accepted is not gone.
            guard let at = index(clientID), [.intent, .unknown].contains(orders[at].state) else { return repeated() }
            orders[at].state = .absent
            orders[at].lookups += 1
        case .fill(let clientID, let fillID, let quantity, let price):
            return book(clientID, fillID, quantity, price)
        case .closed(let clientID, let filled):
            guard let at = index(clientID), !orders[at].state.isTerminal else { return repeated() }
            // The venue's count is ahead of the fills that have arrived: they are still to come.
            guard orders[at].filled == filled else {
                return orders[at].filled > filled
                    ? unexpected("the order \(clientID) has more fills than the venue says") : .duplicate
            }
            orders[at].state = orders[at].filled == orders[at].quantity ? .filled : .closed
        case .skipped(let leg, let reason):
            guard skips[leg] == nil else { return repeated() }
            skips[leg] = reason
        case .stopped(let reason):
            guard stop == nil else { return repeated() }
            stop = reason
        case .cancelRequested(let clientID, _):
            guard let at = index(clientID), [.accepted, .partial].contains(orders[at].state) else { return repeated() }
            orders[at].state = .pendingCancel
        case .halted(let reason): halt = halt ?? reason
        }
        return .applied
    }

    private mutating func book(
        _ clientID: String, _ fillID: String, _ quantity: FixedDecimal, _ price: FixedDecimal
    ) -> Outcome {
        guard let at = index(clientID) else { return unexpected("a fill of an order \(clientID) that nobody meant") }
        guard !fills.contains(fillID) else { return repeated() }
        let leg = legs[orders[at].leg]
        guard orders[at].filled + quantity <= orders[at].quantity else {
            return unexpected("the order \(clientID) was filled beyond its quantity")
        }
        fills.insert(fillID)
        orders[at].filled += quantity
        orders[at].filledValue += price * quantity
        let due = charge(orders[at], isSale: leg.isSale)
        cash += (leg.isSale ? price * quantity : -(price * quantity)) - (due - orders[at].commission)
        orders[at].commission = due
        positions[leg.asset, default: 0] += leg.isSale ? -quantity : quantity
        if leg.isSale {
            var rest = quantity
            for lot in leg.lots where rest > 0 {
                let taken = min(rest, lots[lot.id] ?? 0)
                lots[lot.id, default: 0] -= taken
                rest -= taken
            }
        } else {
            lots["\(clientID).\(fillID)", default: 0] += quantity
        }
        if orders[at].filled == orders[at].quantity {
            orders[at].state = .filled
        } else if !orders[at].state.isTerminal, orders[at].state != .pendingCancel {
            orders[at].state = .partial
        }
        return .applied
    }

    /// Commission, and of a sale the fees, of what an order has filled.
    private func charge(_ order: Order, isSale: Bool) -> FixedDecimal {
        commission.commission(shares: order.filled, value: order.filledValue)
            + (isSale ? saleFees.fee(shares: order.filled, value: order.filledValue) : 0)
    }

    /// Sale fees of all orders: some brokers take them at the end of the day only.
    public var saleFeesCharged: FixedDecimal {
        orders.filter { legs[$0.leg].isSale }.map { saleFees.fee(shares: $0.filled, value: $0.filledValue) }
            .reduce(.zero, +)
    }

    private func index(_ clientID: String) -> Int? { orders.firstIndex { $0.clientID == clientID } }

    private mutating func repeated() -> Outcome {
        duplicates += 1
        return .duplicate
    }

    /// What cannot be explained stops everything: nothing more is sent until a person has looked.
    private mutating func unexpected(_ reason: String) -> Outcome {
        halt = halt ?? reason
        return .applied
    }

    // MARK: Decisions

    /// Notes that the venue has been asked to take an order back: it is not asked twice without a restart.
    public mutating func noteAsked(_ clientID: String) { asked.insert(clientID) }

    /// The next step: legs in their order, each only after the one before has ended and is known to have.
    public func next() -> Action {
        if halt != nil { return .finished }
        if stop != nil { return orders.first { !$0.state.isTerminal }.map { closing($0) } ?? .finished }
        for leg in legs.indices where skips[leg] == nil {
            guard let order = orders.last(where: { $0.leg == leg }) else { return open(leg, attempt: 1) }
            switch order.state {
            case .intent:
                // Written before a crash, or by this process just now: only the latter is certainly not sent.
                return fresh.contains(order.clientID)
                    ? .submit(clientID: order.clientID, leg: leg, quantity: order.quantity)
                    : .lookup(clientID: order.clientID)
            case .unknown: return .lookup(clientID: order.clientID)
            case .absent: return .submit(clientID: order.clientID, leg: leg, quantity: order.quantity)
            case .accepted, .partial: return .await(clientID: order.clientID)
            case .pendingCancel: return closing(order)
            case .closed where order.attempt < limits.attempts: return open(leg, attempt: order.attempt + 1)
            case .filled, .closed, .rejected: continue
            }
        }
        return .finished
    }

    /// How an order that is not wanted any more comes to its end.
    private func closing(_ order: Order) -> Action {
        switch order.state {
        case .intent where fresh.contains(order.clientID), .absent:
            // Never sent, or known not to have arrived: there is nothing to take back.
            return .record(.closed(clientID: order.clientID, filled: order.filled))
        case .intent, .unknown: return .lookup(clientID: order.clientID)
        case .accepted, .partial:
            return .record(.cancelRequested(clientID: order.clientID, reason: stop ?? "not wanted any more"))
        default:
            return asked.contains(order.clientID)
                ? .await(clientID: order.clientID) : .cancel(clientID: order.clientID)
        }
    }

    /// Shares of a leg that all its orders have filled.
    public func filled(_ leg: Int) -> FixedDecimal {
        orders.filter { $0.leg == leg }.map { $0.filled }.reduce(.zero, +)
    }

    /// Value of all orders at their limit prices, those that ended short counted by what was filled.
    public var spent: FixedDecimal {
        orders.map { order in
            let price = limits.limitPrice(legs[order.leg], attempt: order.attempt)
            return price * (order.state.isTerminal ? order.filled : order.quantity)
        }.reduce(.zero, +)
    }

    private func open(_ leg: Int, attempt: Int) -> Action {
        let wanted = legs[leg]
        let rest = wanted.quantity - filled(leg)
        let price = limits.limitPrice(wanted, attempt: attempt)
        let quantity = wanted.isSale ? rest : min(rest, affordable(rest, price))
        guard quantity > 0, price * quantity >= minimumTrade || quantity == wanted.quantity else {
            return .record(.skipped(leg: leg, reason: "cash covers \(quantity) of \(rest)"))
        }
        if let reason = limits.refusal(wanted, price: price, quantity: quantity, spent: spent) {
            return .record(.skipped(leg: leg, reason: reason))
        }
        return .record(.intent(leg: leg, attempt: attempt, clientID: identify(leg, attempt), quantity: quantity))
    }

    /// The most whole lots that cash covers at the limit price with their commission.
    private func affordable(_ wanted: FixedDecimal, _ price: FixedDecimal) -> FixedDecimal {
        let purse = cash - cashFloor
        guard purse > 0, price > 0 else { return 0 }
        var quantity = min(wanted, purse / price).roundedDown(to: lotSize)
        for _ in 0..<1000 where quantity > 0 {
            let value = price * quantity
            if value + commission.commission(shares: quantity, value: value) <= purse { return quantity }
            quantity -= lotSize
        }
        return 0
    }

    /// How the books differ from what the venue reports; empty where they agree.
    ///
    /// - Parameter inFlight: fees in the books that the venue may not have taken yet.
    public func differences(
        venueCash: FixedDecimal, venuePositions: [String: FixedDecimal], inFlight: FixedDecimal = 0
    ) -> [String] {
        var found: [String] = []
        let ahead = venueCash - cash
        if ahead < -FixedDecimal(1) / 100 || ahead > FixedDecimal(1) / 100 + inFlight {
            found.append("cash: \(cash) here, \(venueCash) there")
        }
        for asset in Set(positions.keys).union(venuePositions.keys).sorted()
        where (positions[asset] ?? 0) != (venuePositions[asset] ?? 0) {
            found.append("\(asset): \(positions[asset] ?? 0) here, \(venuePositions[asset] ?? 0) there")
        }
        return found
    }

    /// Everything in the books as one text: equal books, equal bytes.
    public var json: JSONValue {
        [
            "cash": JSONValue(cash), "halt": JSONValue(halt), "stop": JSONValue(stop),
            "positions": .object(
                JSONObject(positions.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) })),
            "lots": .object(JSONObject(lots.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) })),
            "orders": .array(
                orders.map {
                    [
                        "id": .string($0.clientID), "leg": JSONValue($0.leg), "quantity": JSONValue($0.quantity),
                        "state": .string($0.state.rawValue), "filled": JSONValue($0.filled),
                        "commission": JSONValue($0.commission),
                    ]
                }),
        ]
    }
}
