import Reallocation
import WireFormat

/// An order as it is sent.
struct VenueOrder: Sendable, Equatable {
    var clientID: String
    var asset: String
    var isSale: Bool
    var quantity: FixedDecimal
    var limitPrice: FixedDecimal
}

/// What a venue said to an order that was sent.
enum VenueAnswer: Sendable, Equatable {
    case accepted
    case rejected(String)
    /// No answer, or one that proves nothing: a time-out, a 5xx, a duplicate id.
    case unknown
}

/// An order as the venue has it.
struct VenueOrderState: Sendable, Equatable {
    struct Fill: Sendable, Equatable {
        var id: String
        var quantity: FixedDecimal
        var price: FixedDecimal
    }
    var filled: FixedDecimal
    /// Nothing more will be filled.
    var isClosed: Bool
    /// Nil where it was not refused.
    var rejection: String?
    /// Fills so far, in any order; those that `filled` counts and are not here yet are still to come.
    var fills: [Fill]
}

/// Cash and positions as the venue has them.
struct VenueAccount: Sendable, Equatable {
    var cash: FixedDecimal
    var positions: [String: FixedDecimal]
}

/// Why a venue could not be asked; nothing is known then.
struct VenueError: Error, CustomStringConvertible {
    var description: String
    /// Whether asking again would be of no use.
    var isFinal: Bool

    init(_ description: String, isFinal: Bool = false) {
        self.description = description
        self.isFinal = isFinal
    }
}

/// A place to trade. What it has not said is unknown, never refused.
protocol TradingVenue: Sendable {
    var name: String { get }
    /// How long to wait before looking again.
    var patience: Duration { get }
    /// Waits before an order is looked at again: at least `least` where something failed, at most `most` where it may not wait longer.
    func pause(for clientID: String?, atLeast least: Duration, atMost most: Duration) async throws
    /// What has to be kept before an order is sent, to find it again after a crash; nil where its client id is enough.
    func prepare(_ order: VenueOrder) async throws(VenueError) -> JSONValue?
    /// Sends an order. `prepared` is what was kept for it.
    func submit(_ order: VenueOrder, prepared: JSONValue?) async -> VenueAnswer
    /// The order of a client id; nil only where the venue proves that there is none.
    func lookup(_ order: VenueOrder, prepared: JSONValue?) async throws(VenueError) -> VenueOrderState?
    /// Asks for an order to be taken back. What comes of it shows in `lookup`.
    func cancel(_ order: VenueOrder) async throws(VenueError)
    /// Cash and the positions in some assets; nil for a venue that holds none of ours.
    func account(of assets: [String]) async throws(VenueError) -> VenueAccount
}

extension TradingVenue {
    func pause(for clientID: String?, atLeast least: Duration, atMost most: Duration) async throws {
        try await rest(atLeast: least)
    }

    /// A venue that tells nothing is asked, at the pace that it allows.
    func rest(atLeast least: Duration) async throws { try await Task.sleep(for: max(patience, least)) }

    func prepare(_ order: VenueOrder) async throws(VenueError) -> JSONValue? { nil }
}

/// The embedded paper broker. It lives in the process: after a crash it knows what the log knows.
actor PaperDesk: TradingVenue {
    nonisolated let name = "paper"
    nonisolated let patience = Duration.zero
    private var venue: PaperVenue
    /// Of a leg's order: its limit price, or how far the collar lets it go; nil where any price will do.
    private let limit: @Sendable (_ isSale: Bool, _ limit: FixedDecimal, _ reference: FixedDecimal?) -> FixedDecimal?
    private let references: [String: FixedDecimal]

    /// The broker as the log of an execution leaves it.
    init(_ sheet: TradeSheet, _ settings: ExecutionSettings, log: [ExecutionEvent]) {
        let paper = settings.paper
        var broker = PaperVenue.Settings(
            commission: sheet.commission, saleFees: sheet.saleFees, impactCoefficient: paper.impactFactor,
            partialShare: paper.partialShare, rejectShare: paper.rejectShare)
        broker.depthNoise = paper.depthNoise
        broker.permanentShare = paper.permanentShare
        broker.latency = paper.latency
        // The volume of a quote is the order's own size here: others come and trade a good part of it at each look.
        broker.flowShare = 0.05
        let quotes = sheet.quotes.mapValues { quote in
            var real = quote
            real.halfSpread = quote.halfSpread * paper.spreadFactor
            return real
        }
        venue = PaperVenue(
            cash: FixedDecimal(sheet.before.cash) ?? 0, positions: sheet.positions, quotes: quotes, settings: broker,
            seed: settings.seed)
        let (isLimited, collar) = (paper.isLimited, settings.limits.collar)
        limit = { isSale, limit, reference in
            if isLimited { return limit }
            guard let collar, let reference else { return nil }
            return isSale ? reference - collar * reference : reference + collar * reference
        }
        references = Dictionary(
            sheet.legs.compactMap { leg in leg.reference.map { (leg.asset, $0) } }, uniquingKeysWith: { a, _ in a })
        let limits = settings.limits
        let limit = limit
        venue.restore(log, legs: sheet.legs) { leg, attempt in
            limit(leg.isSale, limits.limitPrice(leg, attempt: attempt), leg.reference)
        }
    }

    func submit(_ order: VenueOrder, prepared: JSONValue?) -> VenueAnswer {
        switch venue.submit(
            clientID: order.clientID, asset: order.asset, isSale: order.isSale, quantity: order.quantity,
            limit: limit(order.isSale, order.limitPrice, references[order.asset]))
        {
        case .accepted: .accepted
        case .rejected(let reason): .rejected(reason)
        case .duplicate: .unknown
        }
    }

    /// Looking lets time pass: the order fills, or a part of it.
    func lookup(_ order: VenueOrder, prepared: JSONValue?) -> VenueOrderState? {
        guard venue.lookup(order.clientID) != nil else { return nil }
        _ = venue.trade(order.clientID)
        guard let state = venue.lookup(order.clientID) else { return nil }
        return VenueOrderState(
            filled: state.filled, isClosed: state.isClosed, rejection: state.isRejected ? "refused by the venue" : nil,
            fills: venue.fills(of: order.clientID).map {
                VenueOrderState.Fill(id: $0.fillID, quantity: $0.quantity, price: $0.price)
            })
    }

    func cancel(_ order: VenueOrder) { _ = venue.cancel(order.clientID) }

    func account(of assets: [String]) -> VenueAccount { VenueAccount(cash: venue.cash, positions: venue.positions) }
}
