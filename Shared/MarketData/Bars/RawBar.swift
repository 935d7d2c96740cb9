public import WireFormat

/// A bar as a source printed it, before any rule: figures are still text.
public struct RawBar: Sendable, Equatable {
    public var symbol: String
    public var interval: BarInterval
    /// Nil when the source's text is no time; `startText` says what it was.
    public var start: UTCTimestamp?
    public var startText: String
    public var open: String?
    public var high: String?
    public var low: String?
    public var price: String
    public var volume: String?
    public var statedReturn: String?
    public var quality: QualityFlags = []
    /// Where in the source it stood, for people: a line of a file.
    public var line: Int?

    public init(
        symbol: String, interval: BarInterval, start: UTCTimestamp?, startText: String? = nil, price: String,
        volume: String? = nil
    ) {
        self.symbol = symbol
        self.interval = interval
        self.start = start
        self.startText = startText ?? start?.isoString ?? ""
        self.price = price
        self.volume = volume
    }

    /// The row as it came, for the quarantine. The line is left out: the same row moved down is the same row.
    public var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("asset_symbol", .string(symbol)), ("interval", .string(interval.code)), ("timestamp", .string(startText)),
        ]
        let figures = [
            ("open", open), ("high", high), ("low", low), ("price", price), ("volume", volume),
            ("return", statedReturn),
        ]
        for (name, text) in figures {
            if let text { members.append((name, .string(text))) }
        }
        return .object(JSONObject(members))
    }
}
