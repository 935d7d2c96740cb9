public import WireFormat

/// Alpaca's Trading API v2 as text: what is sent, and what an answer means. Source: docs.alpaca.markets, Trading API, orders, account
/// activities and trade updates, as of 2026.
public enum Alpaca {
    /// The body of `POST /v2/orders`: a limit order for the day. Prices have two decimals from one dollar on and four below, rounded
    /// to the order's disadvantage.
    public static func body(
        clientID: String, symbol: String, isSale: Bool, quantity: FixedDecimal, limitPrice: FixedDecimal
    ) -> JSONValue {
        let tick = limitPrice >= 1 ? FixedDecimal(1) / 100 : FixedDecimal(1) / 10_000
        let down = limitPrice.roundedDown(to: tick)
        let price = !isSale && down < limitPrice ? down + tick : down
        return [
            "symbol": .string(symbol), "qty": .string(quantity.description), "side": .string(isSale ? "sell" : "buy"),
            "type": "limit", "time_in_force": "day", "limit_price": .string(price.description),
            "client_order_id": .string(clientID),
        ]
    }

    /// An order as the broker has it.
    public struct Order: Sendable, Equatable {
        public var id: String
        public var clientID: String
        public var symbol: String
        public var isSale: Bool
        public var quantity: FixedDecimal
        public var filled: FixedDecimal
        public var status: String
        public var submittedAt: String?
        /// The order that took this one's place.
        public var replacedBy: String?

        /// Reads an order; nil for what is none.
        public init?(json: JSONValue) {
            guard let id = json["id"]?.stringValue, let clientID = json["client_order_id"]?.stringValue,
                let symbol = json["symbol"]?.stringValue, let side = json["side"]?.stringValue,
                side == "sell" || side == "buy", let quantity = Alpaca.decimal(json["qty"]),
                let status = json["status"]?.stringValue
            else { return nil }
            self.id = id
            self.clientID = clientID
            self.symbol = symbol
            self.status = status
            self.quantity = quantity
            isSale = side == "sell"
            filled = Alpaca.decimal(json["filled_qty"]) ?? 0
            submittedAt = json["submitted_at"]?.stringValue ?? json["created_at"]?.stringValue
            replacedBy = json["replaced_by"]?.stringValue
        }

        /// Whether nothing more will be filled. A status that is not known is taken for open: it is asked for again.
        public var isClosed: Bool {
            ["filled", "done_for_day", "canceled", "expired", "replaced", "rejected", "calculated"].contains(status)
        }
        public var isRejected: Bool { status == "rejected" }

        /// Whether it is the order that was meant: no field is trusted alone.
        public func isEcho(symbol: String, isSale: Bool, quantity: FixedDecimal) -> Bool {
            self.symbol == symbol && self.isSale == isSale && self.quantity == quantity
        }
    }

    /// One fill of `GET /v2/account/activities/FILL`.
    public struct Fill: Sendable, Equatable {
        public var id: String
        public var orderID: String
        public var quantity: FixedDecimal
        public var price: FixedDecimal

        public init?(json: JSONValue) {
            guard let id = json["id"]?.stringValue, let orderID = json["order_id"]?.stringValue,
                let quantity = Alpaca.decimal(json["qty"]), let price = Alpaca.decimal(json["price"]), quantity > 0
            else { return nil }
            self.id = id
            self.orderID = orderID
            self.quantity = quantity
            self.price = price
        }
    }

    /// A message of the stream `trade_updates`. It wakes whoever waits; what happened is asked for.
    public struct TradeUpdate: Sendable, Equatable {
        public var event: String
        public var clientID: String

        public init?(json: JSONValue) {
            guard json["stream"]?.stringValue == "trade_updates", let event = json["data"]?["event"]?.stringValue,
                let clientID = json["data"]?["order"]?["client_order_id"]?.stringValue
            else { return nil }
            self.event = event
            self.clientID = clientID
        }
    }

    /// What the answer to `POST /v2/orders` proves.
    public enum Verdict: Sendable, Equatable {
        case accepted(Order)
        /// The broker says no and why: it has no such order.
        case refused(String)
        /// It proves nothing: a time-out at a gateway, too many requests, an id that is taken.
        case unknown
    }

    /// Reads the answer to an order that was sent.
    public static func verdict(status: Int, body: JSONValue?) -> Verdict {
        let code = body?["code"]?.intValue
        let message = body?["message"]?.stringValue ?? "status \(status)"
        switch status {
        case 200..<300: return body.flatMap { Order(json: $0) }.map { .accepted($0) } ?? .unknown
        case 422 where code == 40_010_001 || (message.contains("client_order_id") && message.contains("unique")):
            return .unknown
        case 400, 403, 422: return .refused(message)
        default: return .unknown
        }
    }

    /// A number that comes as text, as most do, or as a JSON number.
    static func decimal(_ value: JSONValue?) -> FixedDecimal? {
        value?.stringValue.flatMap { FixedDecimal($0) } ?? value?.intValue.map { FixedDecimal($0) }
            ?? value?.doubleValue.map { FixedDecimal($0, places: 9) }
    }
}
