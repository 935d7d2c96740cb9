public import WireFormat

/// The length of a bar: `1s`, `5m`, `1h`, `1d`, `1w`.
public struct BarInterval: Sendable, Hashable, CustomStringConvertible {
    /// As stored in `market_data.interval`.
    public let code: String
    public let seconds: Int64

    public static let day = BarInterval(code: "1d", seconds: 86_400)
    public static let second = BarInterval(code: "1s", seconds: 1)

    private init(code: String, seconds: Int64) {
        self.code = code
        self.seconds = seconds
    }

    /// A count of one to four digits without leading zero, and a unit: `s`, `m`, `h`, `d` or `w`.
    public init?(_ code: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
        guard let last = code.last, let unit = units[last] else { return nil }
        let digits = code.dropLast()
        guard (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let count = Int64(digits), digits.first != "0"
        else { return nil }
        self.init(code: code, seconds: count * unit)
    }

    public var description: String { code }

    var microseconds: Int64 { seconds * 1_000_000 }

    /// Whether a bar may start at `time`: multiples of the interval since 1970 in UTC; weeks start on Mondays.
    public func isOnGrid(_ time: UTCTimestamp) -> Bool { floor(time) == time }

    /// The start of the bar that `time` falls into.
    public func floor(_ time: UTCTimestamp) -> UTCTimestamp {
        // 1970-01-05 was a Monday.
        let origin: Int64 = code.hasSuffix("w") ? 4 * 86_400 * 1_000_000 : 0
        let offset = time.microsecondsSinceEpoch - origin
        let remainder = offset % microseconds
        return UTCTimestamp(
            microsecondsSinceEpoch: time.microsecondsSinceEpoch - (remainder < 0 ? remainder + microseconds : remainder)
        )
    }

    /// The start of the bar `bars` bars later.
    public func advance(_ time: UTCTimestamp, by bars: Int) -> UTCTimestamp {
        UTCTimestamp(microsecondsSinceEpoch: time.microsecondsSinceEpoch + Int64(bars) * microseconds)
    }
}

extension UTCTimestamp {
    /// A whole second since 1970.
    public init(secondsSinceEpoch seconds: Int64) {
        self.init(microsecondsSinceEpoch: seconds * 1_000_000)
    }

    /// Seconds since 1970, rounded down.
    public var secondsSinceEpoch: Int64 {
        let (quotient, remainder) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
