/// An instant in microseconds, PostgreSQL's resolution. Written in UTC.
public struct UTCTimestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let microsecondsSinceEpoch: Int64

    static let microsecondsPerDay: Int64 = 86_400_000_000

    public init(microsecondsSinceEpoch: Int64) { self.microsecondsSinceEpoch = microsecondsSinceEpoch }

    /// RFC 3339: `2023-05-01T12:00:00Z`, a fraction of 1 to 9 digits (cut to microseconds), an offset `Z` or `+02:00`.
    /// Nil for a day that does not exist, for a leap second, and for a time without offset.
    public init?(iso text: some StringProtocol) {
        var digits = DigitReader(text.utf8)
        guard let year = digits.number(4), digits.take("-"), let month = digits.number(2), digits.take("-"),
            let day = digits.number(2), let date = CalendarDate(year: year, month: month, day: day),
            digits.take("T") || digits.take("t") || digits.take(" "),
            let hour = digits.number(2), hour < 24, digits.take(":"), let minute = digits.number(2), minute < 60,
            digits.take(":"), let second = digits.number(2), second < 60
        else { return nil }
        var fraction = 0
        if digits.take(".") {
            var count = 0
            while let digit = digits.digit() {
                count += 1
                if count <= 6 { fraction = fraction * 10 + digit }
            }
            guard (1...9).contains(count) else { return nil }
            for _ in min(count, 6)..<6 { fraction *= 10 }
        }
        var offset = 0
        if !(digits.take("Z") || digits.take("z")) {
            let negative = digits.take("-")
            guard negative || digits.take("+"), let hours = digits.number(2), hours < 24 else { return nil }
            var minutes = 0
            if digits.take(":") {
                guard let read = digits.number(2), read < 60 else { return nil }
                minutes = read
            }
            offset = (negative ? -1 : 1) * (hours * 60 + minutes)
        }
        guard digits.isAtEnd else { return nil }
        let seconds = Int64(hour * 3600 + (minute - offset) * 60 + second)
        microsecondsSinceEpoch =
            Int64(date.daysSinceEpoch) * Self.microsecondsPerDay + seconds * 1_000_000 + Int64(fraction)
    }

    /// `2023-05-01T12:00:00Z`, with a fraction only where there is one. An instant outside the years 1 to 9999 is cut to them.
    public var isoString: String {
        let day = date
        let withinDay = microsecondsSinceEpoch - day.start.microsecondsSinceEpoch
        let rest = min(max(withinDay, 0), Self.microsecondsPerDay - 1)
        let seconds = Int(rest / 1_000_000)
        let fraction = Int(rest % 1_000_000)
        var text = "\(day)T\(pad(seconds / 3600, 2)):\(pad(seconds / 60 % 60, 2)):\(pad(seconds % 60, 2))"
        if fraction > 0 {
            var digits = Substring(pad(fraction, 6))
            while digits.last == "0" { digits = digits.dropLast() }
            text += "." + digits
        }
        return text + "Z"
    }

    /// The day in UTC. An instant outside the years 1 to 9999 is cut to them.
    public var date: CalendarDate {
        let quotient = microsecondsSinceEpoch / Self.microsecondsPerDay
        let floor = microsecondsSinceEpoch % Self.microsecondsPerDay < 0 ? quotient - 1 : quotient
        return CalendarDate(daysSinceEpoch: Int(floor))
            ?? (floor < 0 ? CalendarDate.earliest : CalendarDate.latest)
    }

    public var description: String { isoString }

    public static func < (a: UTCTimestamp, b: UTCTimestamp) -> Bool {
        a.microsecondsSinceEpoch < b.microsecondsSinceEpoch
    }
}
