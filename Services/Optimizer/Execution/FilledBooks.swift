import PostgresClient
import Reallocation
import WireFormat

/// What a fill changes in the books: written with it, or not at all.
///
/// A reference: values of this size that crossed generic async calls crashed optimised builds of Swift 6.3.1.
final class FilledBooks: Sendable {
    private let fill: String
    private let asset: String
    private let isSale: Bool
    private let quantity: FixedDecimal
    private let price: FixedDecimal
    /// The asset and those that the law takes for the same.
    private let family: Set<String>
    private let booking: TaxBooking
    private let holdings: Holdings

    init(
        fill: String, asset: String, isSale: Bool, quantity: FixedDecimal, price: FixedDecimal, family: Set<String>,
        booking: TaxBooking, holdings: Holdings
    ) {
        self.fill = fill
        self.asset = asset
        self.isSale = isSale
        self.quantity = quantity
        self.price = price
        self.family = family
        self.booking = booking
        self.holdings = holdings
    }

    /// Cash, positions and lots, realised results, wash sales, and a link of the audit chain.
    func write(_ plan: String, _ record: ExecutionRecord, on connection: PostgresConnection) async throws {
        try await HoldingStore.replace(family, in: holdings, of: record.portfolioID, on: connection)
        try await GainStore.replace(booking, of: plan, assets: family, portfolio: record.portfolioID, on: connection)
        try await PortfolioStore.raiseVersion(of: record.portfolioID, on: connection)
        let sold = booking.realised.filter { $0.fill == fill }
        var detail = JSONObject([
            ("fill", .string(fill)), ("asset", .string(asset)), ("side", .string(isSale ? "sell" : "buy")),
            ("quantity", JSONValue(quantity)), ("price", JSONValue(price)), ("cash", .string(holdings.cash)),
        ])
        if isSale {
            detail["lots"] = .array(
                sold.map {
                    [
                        "id": .string($0.lot), "quantity": JSONValue($0.quantity), "gain": JSONValue($0.gain),
                        "term": .string($0.term.rawValue),
                    ]
                })
        }
        let washed = booking.adjustments.filter { family.contains($0.asset) }
        if !washed.isEmpty {
            detail["disallowed"] = JSONValue(washed.map { $0.disallowed }.reduce(.zero, +))
        }
        try await PortfolioStore.audit(
            actor: record.actor, action: "rebalance.fill", object: plan, detail: .object(detail),
            requestID: record.requestID, on: connection)
    }
}
