public import WireFormat

/// The hard rules: each bar either passes all of them or is named the first one it breaks.
public struct BarRules: Sendable {
    /// The time of the answer; bars that start more than a minute later are refused.
    public var now: UTCTimestamp
    /// High over max(open, close), or min(open, close) over low, above which a bar is marked as a wick.
    public var wickRatio = 3.0

    public init(now: UTCTimestamp) { self.now = now }

    private static let futureTolerance: Int64 = 60 * 1_000_000
    /// Sources are off by a float's last digit: yfinance shows highs 1e-10 below the close.
    private static let rangeTolerance = 1e-9

    /// - Throws: the row with the rule it broke.
    public func check(_ raw: RawBar) throws(RuleBreach) -> MarketBar {
        func breach(_ rule: HardRule) -> RuleBreach {
            RuleBreach(
                row: QuarantinedRow(
                    symbol: Self.isSymbol(raw.symbol) ? raw.symbol : nil, start: raw.start, rule: rule, raw: raw.json,
                    line: raw.line))
        }
        guard Self.isSymbol(raw.symbol) else { throw breach(.badSymbol) }
        guard let start = raw.start else { throw breach(.badTimestamp) }
        guard raw.interval.isOnGrid(start) else { throw breach(.offGrid) }
        guard start.microsecondsSinceEpoch <= now.microsecondsSinceEpoch + Self.futureTolerance else {
            throw breach(.inFuture)
        }
        guard let price = DecimalNumber(raw.price) else {
            throw breach(Self.isInfiniteOrNaN(raw.price) ? .priceNotFinite : .priceNotANumber)
        }
        guard price.isPositive else { throw breach(.priceNotPositive) }
        func figure(_ text: String?, _ rule: HardRule, allowsZero: Bool) throws(RuleBreach) -> DecimalNumber? {
            guard let text else { return nil }
            guard let number = DecimalNumber(text), number.isPositive || (allowsZero && number == .zero) else {
                throw breach(rule)
            }
            return number
        }
        let open = try figure(raw.open, .badRange, allowsZero: false)
        let high = try figure(raw.high, .badRange, allowsZero: false)
        let low = try figure(raw.low, .badRange, allowsZero: false)
        let volume = try figure(raw.volume, .badVolume, allowsZero: true)
        var statedReturn: DecimalNumber?
        if let text = raw.statedReturn {
            guard let number = DecimalNumber(text), number.double >= -1 else { throw breach(.badReturn) }
            statedReturn = number
        }
        var quality = raw.quality
        if let open, let high, let low {
            let (top, bottom) = (max(open.double, price.double), min(open.double, price.double))
            guard high.double >= top * (1 - Self.rangeTolerance), low.double <= bottom * (1 + Self.rangeTolerance)
            else {
                throw breach(.badRange)
            }
            if high.double > top * wickRatio || bottom > low.double * wickRatio { quality.insert(.wick) }
        }
        return MarketBar(
            symbol: raw.symbol, interval: raw.interval, start: start, open: open, high: high, low: low, price: price,
            volume: volume, statedReturn: statedReturn, quality: quality)
    }

    /// The pattern of `asset.symbol`: a letter or digit, then up to 31 of `A-Z a-z 0-9 . _ : / = ^ -`.
    public static func isSymbol(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...32).contains(bytes.count) else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        }
        guard let first = bytes.first, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || Self.marks.contains($0) }
    }

    private static let marks = Array("._:/=^-".utf8)

    private static func isInfiniteOrNaN(_ text: String) -> Bool {
        let word = text.lowercased().drop { $0 == "-" || $0 == "+" }
        return ["nan", "inf", "infinity"].contains(String(word))
    }
}

/// A bar's first broken rule.
public struct RuleBreach: Error, Sendable, Equatable {
    public let row: QuarantinedRow
}

extension DecimalNumber {
    static let zero: DecimalNumber? = DecimalNumber(Int64(0), exponent: 0)
}
