public import WireFormat

/// An embedded broker for trying plans out: a seeded limit order book for each asset, latency, partial fills and refusals, commissions and sale
/// fees, and an answer for each client id.
///
/// A marketable order walks the book, so that on average over seeds it pays half the spread and the square-root impact. What an order has
/// taken stays taken while it is worked, since the law is one of whole orders; between orders the book heals, up to `permanentShare`.
/// What a limit keeps from trading rests in the book, behind what was there before, and is served by others who come.
/// The same seed and the same client ids give the same fills, also after a crash.
public struct PaperVenue: Sendable {
    public struct Settings: Sendable {
        public var commission: CommissionSchedule
        /// Taken from sales.
        public var saleFees: SaleFees
        /// Y of the books, whatever a plan takes it for.
        public var impactCoefficient: Double
        /// How far the depth of a book may be from its mean.
        public var depthNoise = 0.5
        /// How much of the price move of an order stays for the orders after it.
        public var permanentShare = 0.0
        /// Chance that a look meets a part of the book only.
        public var partialShare: Double
        /// Chance that an order is refused.
        public var rejectShare: Double
        /// Looks that pass, at most, before an order has reached the book.
        public var latency = 0
        /// Shares that others trade against a resting order at a look, on average: this share of the day's volume.
        public var flowShare = 0.002

        public init(
            commission: CommissionSchedule = CommissionSchedule(), saleFees: SaleFees = SaleFees(),
            impactCoefficient: Double = 1, partialShare: Double = 0.3, rejectShare: Double = 0
        ) {
            self.commission = commission
            self.saleFees = saleFees
            self.impactCoefficient = impactCoefficient
            self.partialShare = partialShare
            self.rejectShare = rejectShare
        }
    }

    public struct Fill: Sendable, Equatable {
        public var clientID: String
        public var fillID: String
        public var quantity: FixedDecimal
        /// Of all that was matched at one look, on average.
        public var price: FixedDecimal
    }

    public struct Order: Sendable {
        public var clientID: String
        public var asset: String
        public var isSale: Bool
        public var quantity: FixedDecimal
        public var filled: FixedDecimal
        var filledValue: FixedDecimal
        /// Commission and fees so far.
        var charged: FixedDecimal
        public var isRejected: Bool
        /// Nil for an order that takes any price.
        public var limit: FixedDecimal?
        public var isCanceled = false
        /// Looks until it has reached the book.
        var delay = 0
        /// Whether its rest waits in the book.
        public internal(set) var isResting = false
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
    /// By asset, from the first order on.
    public private(set) var books: [String: LimitOrderBook] = [:]
    private let quotes: [String: MarketQuote]
    private let settings: Settings
    private let seed: UInt64
    /// For what time brings: parts, and others' orders.
    private var clock: SeededUniform

    public init(
        cash: FixedDecimal, positions: [String: FixedDecimal], quotes: [String: MarketQuote], settings: Settings,
        seed: UInt64
    ) {
        self.cash = cash
        self.positions = positions
        self.quotes = quotes
        self.settings = settings
        self.seed = seed
        clock = SeededUniform(seed: seed)
    }

    public mutating func submit(
        clientID: String, asset: String, isSale: Bool, quantity: FixedDecimal, limit: FixedDecimal? = nil
    ) -> Answer {
        guard orders[clientID] == nil else { return .duplicate }
        guard quotes[asset] != nil else { return .rejected("no such asset") }
        guard quantity > 0 else { return .rejected("nothing to trade") }
        if isSale, positions[asset] ?? 0 < quantity { return .rejected("more than is held") }
        var order = Order(
            clientID: clientID, asset: asset, isSale: isSale, quantity: quantity, filled: 0, filledValue: 0,
            charged: 0, isRejected: false, limit: limit)
        enter(&order)
        orders[clientID] = order
        return order.isRejected ? .rejected("refused by the venue") : .accepted
    }

    /// What the seed says of an order: whether it is refused, how long it takes, and the book that it meets.
    private mutating func enter(_ order: inout Order) {
        var own = SeededUniform(seed: seed, text: order.clientID)
        order.isRejected = own.next() < settings.rejectShare
        order.delay = Int(own.next() * Double(settings.latency + 1))
        guard !order.isRejected, let quote = quotes[order.asset],
            !orders.values.contains(where: { $0.asset == order.asset && !$0.isClosed })
        else { return }
        var book = LimitOrderBook(
            shape(quote, order.asset), depthNoise: settings.depthNoise, random: &own)
        book.fill(order.isSale ? .bid : .ask, random: &own)
        books[order.asset] = book
    }

    /// The asset's book as it heals to: moved by what stays of the orders before.
    private func shape(_ quote: MarketQuote, _ asset: String) -> LimitOrderBook.Shape {
        var shape = LimitOrderBook.Shape(quote, coefficient: settings.impactCoefficient)
        guard settings.permanentShare > 0 else { return shape }
        for order in orders.values where order.asset == asset && order.filled > 0 {
            let move = FixedDecimal(
                settings.permanentShare * 1.5 * shape.impact * order.filled.double.squareRoot(), places: 9)
            shape.mid += order.isSale ? -move : move
        }
        return shape
    }

    /// The order of a client id; nil where there is none.
    public func lookup(_ clientID: String) -> Order? { orders[clientID] }

    /// Fills of an order so far, oldest first.
    public func fills(of clientID: String) -> [Fill] { fills.filter { $0.clientID == clientID } }

    /// Takes over what a log says that this broker did before: orders that it accepted or refused, and their fills.
    public mutating func restore(
        _ log: [ExecutionEvent], legs: [ExecutionLeg],
        limit: (ExecutionLeg, _ attempt: Int) -> FixedDecimal? = { _, _ in nil }
    ) {
        var intents: [String: (leg: Int, attempt: Int, quantity: FixedDecimal)] = [:]
        for event in log {
            switch event {
            case .intent(let leg, let attempt, let clientID, let quantity):
                intents[clientID] = (leg, attempt, quantity)
            case .accepted(let clientID), .rejected(let clientID, _):
                guard orders[clientID] == nil, let intent = intents[clientID], legs.indices.contains(intent.leg) else {
                    continue
                }
                let leg = legs[intent.leg]
                var order = Order(
                    clientID: clientID, asset: leg.asset, isSale: leg.isSale, quantity: intent.quantity, filled: 0,
                    filledValue: 0, charged: 0, isRejected: false, limit: limit(leg, intent.attempt))
                enter(&order)
                if case .rejected = event { order.isRejected = true } else { order.isRejected = false }
                order.delay = 0
                orders[clientID] = order
            case .fill(let clientID, let fillID, let quantity, let price):
                guard let order = orders[clientID], !fills.contains(where: { $0.fillID == fillID }) else { continue }
                // What it had taken of the book is gone.
                _ = books[order.asset]?.take(quantity, from: order.isSale ? .bid : .ask)
                book(order, quantity, price, fillID: fillID)
            case .closed(let clientID, _):
                if orders[clientID]?.isClosed == false { orders[clientID]?.isCanceled = true }
            default: continue
            }
        }
    }

    /// Commission, and of a sale the fees, of so much of an order.
    private func charge(_ order: Order, _ filled: FixedDecimal, _ value: FixedDecimal) -> FixedDecimal {
        settings.commission.commission(shares: filled, value: value)
            + (order.isSale ? settings.saleFees.fee(shares: filled, value: value) : 0)
    }

    private mutating func book(
        _ order: Order, _ part: FixedDecimal, _ price: FixedDecimal, fillID: String
    ) {
        var order = order
        order.filled += part
        order.filledValue += price * part
        let due = charge(order, order.filled, order.filledValue)
        cash += (order.isSale ? price * part : -(price * part)) - (due - order.charged)
        order.charged = due
        positions[order.asset, default: 0] += order.isSale ? -part : part
        fills.append(Fill(clientID: order.clientID, fillID: fillID, quantity: part, price: price))
        if order.isClosed { books[order.asset]?.withdraw(order.clientID) }
        orders[order.clientID] = order
    }

    /// Takes an order back; false where there is none that is open.
    public mutating func cancel(_ clientID: String) -> Bool {
        guard let order = orders[clientID], !order.isClosed else { return false }
        orders[clientID]?.isCanceled = true
        books[order.asset]?.withdraw(clientID)
        return true
    }

    /// Lets time pass for one order: it comes nearer, walks the book, or waits in it.
    public mutating func trade(_ clientID: String) -> [Fill] {
        guard var order = orders[clientID], !order.isClosed, var book = books[order.asset] else { return [] }
        guard order.delay == 0 else {
            orders[clientID]?.delay -= 1
            return []
        }
        let rest = order.quantity - order.filled
        var matches: [LimitOrderBook.Match]
        if order.isResting {
            matches = served(order, &book)
        } else {
            var part = rest
            if clock.next() < settings.partialShare, rest > 1 {
                part = max(1, (rest * FixedDecimal(clock.next(), places: 4)).roundedDown(to: 1))
            }
            matches = book.take(part, from: order.isSale ? .bid : .ask, limit: order.limit)
            let taken = matches.map { $0.quantity }.reduce(.zero, +)
            if taken < part {
                if let limit = order.limit {
                    let side = order.isSale ? LimitOrderBook.Side.ask : .bid
                    // Those who wanted the same before stand before it.
                    if book.orders(side).isEmpty { book.fill(side, random: &clock) }
                    book.rest(clientID, side, limit, rest - taken)
                    order.isResting = true
                } else {
                    // Nobody is left to trade with at any price.
                    order.isCanceled = true
                }
            }
        }
        let affordable = order.isSale ? matches : paid(order, matches)
        if affordable != matches {
            // The account covers no more: the broker keeps what it could buy and drops the rest.
            order.isCanceled = true
            matches = affordable
        }
        books[order.asset] = book
        orders[clientID] = order
        let quantity = matches.map { $0.quantity }.reduce(.zero, +)
        guard quantity > 0 else {
            if order.isClosed { books[order.asset]?.withdraw(clientID) }
            return []
        }
        let value = matches.map { $0.quantity * $0.price }.reduce(.zero, +)
        self.book(
            order, quantity, (value / quantity).rounded(places: 8), fillID: "\(clientID)-\(fills.count + 1)")
        return Array(fills.suffix(1))
    }

    /// What others, who come and take from the book, leave for a resting order.
    private mutating func served(_ order: Order, _ book: inout LimitOrderBook) -> [LimitOrderBook.Match] {
        let flow = -settings.flowShare * book.shape.volume * naturalLogarithm(1 - clock.next())
        let coming =
            book.shape.volume > 0 ? FixedDecimal(flow, places: 0) + 1 : order.quantity
        return book.take(coming, from: order.isSale ? .ask : .bid).filter { $0.owner == order.clientID }
    }

    /// As much of the matches of a purchase as the account covers with commission: whole shares where the order is for such.
    private func paid(_ order: Order, _ matches: [LimitOrderBook.Match]) -> [LimitOrderBook.Match] {
        func first(_ quantity: FixedDecimal) -> [LimitOrderBook.Match] {
            var left = quantity
            var part: [LimitOrderBook.Match] = []
            for match in matches where left > 0 {
                part.append(.init(owner: match.owner, quantity: min(left, match.quantity), price: match.price))
                left -= match.quantity
            }
            return part
        }
        func isCovered(_ matches: [LimitOrderBook.Match]) -> Bool {
            let value = matches.map { $0.quantity * $0.price }.reduce(.zero, +)
            let filled = order.filled + matches.map { $0.quantity }.reduce(.zero, +)
            return value + charge(order, filled, order.filledValue + value) - order.charged <= cash
        }
        guard !isCovered(matches) else { return matches }
        let step = order.quantity.isMultiple(of: 1) ? FixedDecimal(1) : FixedDecimal(1) / 1_000_000
        let all = matches.map { $0.quantity }.reduce(.zero, +)
        var (low, high) = (FixedDecimal.zero, all.roundedDown(to: step))
        while high - low >= step {
            let middle = ((low + high + step) / 2).roundedDown(to: step)
            if isCovered(first(middle)) { low = middle } else { high = middle - step }
        }
        return first(low)
    }
}
