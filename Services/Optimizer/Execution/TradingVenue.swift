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

    /// The broker as the log of an execution leaves it.
    init(_ sheet: TradeSheet, seed: UInt64, log: [ExecutionEvent]) {
        venue = PaperVenue(
            cash: FixedDecimal(sheet.before.cash) ?? 0, positions: sheet.positions, quotes: sheet.quotes,
            settings: .init(commission: sheet.commission), seed: seed &+ UInt64(log.count))
        venue.restore(log, legs: sheet.legs)
    }

    func submit(_ order: VenueOrder, prepared: JSONValue?) -> VenueAnswer {
        switch venue.submit(
            clientID: order.clientID, asset: order.asset, isSale: order.isSale, quantity: order.quantity)
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
