public import WireFormat

/// A bar that passed every hard rule: what is stored.
public struct MarketBar: Sendable, Equatable {
    /// `market_data.asset_symbol`.
    public var symbol: String
    public var interval: BarInterval
    /// The start of the bar in UTC; daily equities: the trading date at 00:00Z.
    public var start: UTCTimestamp
    public var open: DecimalNumber?
    public var high: DecimalNumber?
    public var low: DecimalNumber?
    /// The close, above zero.
    public var price: DecimalNumber
    /// Nil where the source has none: not the same as zero.
    public var volume: DecimalNumber?
    /// The return as the source states it; the stored one is computed wherever the bar before is known.
    public var statedReturn: DecimalNumber?
    public var quality: QualityFlags

    public init(
        symbol: String, interval: BarInterval, start: UTCTimestamp, open: DecimalNumber? = nil, high: DecimalNumber? = nil,
        low: DecimalNumber? = nil, price: DecimalNumber, volume: DecimalNumber? = nil, statedReturn: DecimalNumber? = nil,
        quality: QualityFlags = []
    ) {
        self.symbol = symbol
        self.interval = interval
        self.start = start
        (self.open, self.high, self.low) = (open, high, low)
        self.price = price
        self.volume = volume
        self.statedReturn = statedReturn
        self.quality = quality
    }
}

/// Soft findings about a stored bar: kept, and marked.
public struct QualityFlags: OptionSet, Sendable, Hashable {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// An oracle price that fewer guardians signed than full verification asks for.
    public static let partialVerification = QualityFlags(rawValue: 1 << 0)
    /// An oracle price whose confidence interval is wider than 100 basis points.
    public static let wideConfidence = QualityFlags(rawValue: 1 << 1)
    /// A momentary price in a longer interval's bar: the latest one read, not the close.
    public static let sampled = QualityFlags(rawValue: 1 << 2)
    /// The high or the low is out of proportion to open and close.
    public static let wick = QualityFlags(rawValue: 1 << 3)

    /// Names of the flags set, in the order of their bits.
    public var names: [String] {
        let all: [(QualityFlags, String)] = [
            (.partialVerification, "partial_verification"), (.wideConfidence, "wide_confidence"), (.sampled, "sampled"),
            (.wick, "wick"),
        ]
        return all.filter { contains($0.0) }.map { $0.1 }
    }
}
