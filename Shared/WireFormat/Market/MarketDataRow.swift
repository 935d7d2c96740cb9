/// One observation of one asset, as the specification writes it, with decimal figures as they were written.
public struct MarketDataRow: Sendable, Equatable {
    public var assetSymbol: String
    /// The start of the bar in UTC.
    public var timestamp: UTCTimestamp
    /// Above zero.
    public var price: JSONNumber
    public var volume: JSONNumber?
    /// The simple return since the bar before.
    public var simpleReturn: JSONNumber?
    public var createdAt: UTCTimestamp?
    /// The bar's length: `1d`, `1h`, ...
    public var interval: String
    public var source: String?

    public init(
        assetSymbol: String, timestamp: UTCTimestamp, price: JSONNumber, volume: JSONNumber? = nil,
        simpleReturn: JSONNumber? = nil, createdAt: UTCTimestamp? = nil, interval: String = "1d", source: String? = nil
    ) {
        self.assetSymbol = assetSymbol
        self.timestamp = timestamp
        self.price = price
        self.volume = volume
        self.simpleReturn = simpleReturn
        self.createdAt = createdAt
        self.interval = interval
        self.source = source
    }

    /// Reads one row; figures may be numbers or decimal strings. Whether a price is good is for the cleaning rules to say:
    /// only the form is checked here.
    public init(json: JSONValue, at pointer: JSONPointer = .root) throws(Problem) {
        let reader = MemberReader(json, at: pointer)
        let symbol = reader.string("asset_symbol", required: true, maximumLength: 128)
        let timestamp = reader.timestamp("timestamp", required: true)
        let price = reader.decimal("price", required: true)
        volume = reader.decimal("volume")
        simpleReturn = reader.decimal("return")
        createdAt = reader.timestamp("created_at")
        interval = reader.string("interval", maximumLength: 8) ?? "1d"
        source = reader.string("source", maximumLength: 32)
        try reader.finishAndThrow()
        guard let symbol, let timestamp, let price else { throw Problem(.missingMember, "The row is incomplete.") }
        assetSymbol = symbol
        self.timestamp = timestamp
        self.price = price
    }

    /// The specification's members first; absent figures are null.
    public var json: JSONValue {
        var object = JSONObject([
            ("asset_symbol", .string(assetSymbol)),
            ("timestamp", .string(timestamp.isoString)),
            ("price", .number(price)),
            ("volume", volume.map { .number($0) } ?? .null),
            ("return", simpleReturn.map { .number($0) } ?? .null),
            ("created_at", createdAt.map { .string($0.isoString) } ?? .null),
            ("interval", .string(interval)),
        ])
        if let source { object["source"] = .string(source) }
        return .object(object)
    }
}

extension MemberReader {
    /// A decimal figure: a JSON number, or a string that has the form of one. The digits are kept.
    public func decimal(_ name: String, required: Bool = false) -> JSONNumber? {
        guard let value = value(name, required: required) else { return nil }
        return decimal(value, at: pointer.appending(name))
    }

    public func decimal(_ value: JSONValue, at place: JSONPointer) -> JSONNumber? {
        switch value {
        case .number(let number): return number
        case .string(let text):
            if text.utf8.count <= 64, let number = JSONNumber(decimal: text) { return number }
            faults.record(Violation(place, .badFormat, "\"\(Problem.echo(text))\" is not a decimal number."))
            return nil
        default:
            faults.record(Violation(place, .wrongType, "Expected a decimal number, found \(value.kindInWords)."))
            return nil
        }
    }
}
