import MarketData
import WireFormat

/// The five fields of a cron expression as bit sets.
struct CronFields: Sendable, Equatable {
    struct Fault: Error { let reason: String }

    private let minutes: UInt64
    private let hours: UInt64
    private let days: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    /// When both day fields are restricted, either is enough.
    private let anyDayFieldSuffices: Bool

    init(_ fields: [String]) throws(Fault) {
        minutes = try Self.set(fields[0], 0...59)
        hours = try Self.set(fields[1], 0...23)
        days = try Self.set(fields[2], 1...31)
        months = try Self.set(fields[3], 1...12, names: Self.monthNames)
        // Sunday is 0 and 7.
        let raw = try Self.set(fields[4], 0...7, names: Self.weekdayNames)
        weekdays = raw & 0x80 != 0 ? (raw | 1) & 0x7f : raw
        anyDayFieldSuffices = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
    }

    /// Leap days recur within eight years.
    private static let horizonInDays = 366 * 8 + 2

    func next(after time: UTCTimestamp) -> UTCTimestamp? {
        let minute = time.secondsSinceEpoch.flooredQuotient(60) + 1
        var day = Int(minute.flooredQuotient(1_440))
        var start = Int(minute) - day * 1_440
        for _ in 0..<Self.horizonInDays {
            guard let date = CalendarDate(daysSinceEpoch: day) else { return nil }
            if matches(date), let found = (start..<1_440).first(where: { has(hours, $0 / 60) && has(minutes, $0 % 60) })
            {
                return UTCTimestamp(secondsSinceEpoch: Int64(day) * 86_400 + Int64(found) * 60)
            }
            day += 1
            start = 0
        }
        return nil
    }

    private func matches(_ date: CalendarDate) -> Bool {
        guard has(months, date.month) else { return false }
        let isDay = has(days, date.day)
        let isWeekday = has(weekdays, date.weekday % 7)
        return anyDayFieldSuffices ? isDay || isWeekday : isDay && isWeekday
    }

    private func has(_ set: UInt64, _ value: Int) -> Bool { set & (1 << UInt64(value)) != 0 }

    // MARK: Reading

    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    private static func set(_ field: String, _ range: ClosedRange<Int>, names: [String] = []) throws(Fault) -> UInt64 {
        var set: UInt64 = 0
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
            guard pieces.count <= 2, let span = pieces.first else { throw Fault(reason: "\(part) is not understood") }
            var step = 1
            if pieces.count == 2 {
                guard let number = digits(pieces[1]), number > 0 else { throw Fault(reason: "\(part) has no step") }
                step = number
            }
            let bounds: ClosedRange<Int>
            if span == "*" {
                bounds = range
            } else {
                let ends = span.split(separator: "-", omittingEmptySubsequences: false)
                guard ends.count <= 2, let low = value(ends[0], range, names) else {
                    throw Fault(reason: "\(span) is outside of \(range.lowerBound) to \(range.upperBound)")
                }
                var high = pieces.count == 2 ? range.upperBound : low
                if ends.count == 2 {
                    guard let end = value(ends[1], range, names), end >= low else {
                        throw Fault(reason: "\(span) is no range within \(range.lowerBound) to \(range.upperBound)")
                    }
                    high = end
                }
                bounds = low...high
            }
            for value in stride(from: bounds.lowerBound, through: bounds.upperBound, by: step) {
                set |= 1 << UInt64(value)
            }
        }
        return set
    }

    private static func value(_ text: Substring, _ range: ClosedRange<Int>, _ names: [String]) -> Int? {
        if let index = names.firstIndex(of: text.lowercased()) { return index + (range.lowerBound == 1 ? 1 : 0) }
        return digits(text).flatMap { range.contains($0) ? $0 : nil }
    }

    private static func digits(_ text: Substring) -> Int? {
        text.utf8.count <= 4 && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? Int(text) : nil
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
