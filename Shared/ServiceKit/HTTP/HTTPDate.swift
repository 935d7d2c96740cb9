import Synchronization
import WireFormat

/// The header Date, as RFC 9110 section 5.6.7 has it: `Sat, 28 Nov 2026 11:02:59 GMT`.
enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let latest = Mutex((second: Int64.min, text: ""))

    /// Now; written once a second.
    static var now: String {
        let second = WallClock.now.microsecondsSinceEpoch / 1_000_000
        return latest.withLock { latest in
            if latest.second != second { latest = (second, text(second)) }
            return latest.text
        }
    }

    /// A second of the years 1970 to 9999 since the beginning of 1970.
    static func text(_ second: Int64) -> String {
        let date = UTCTimestamp(microsecondsSinceEpoch: second * 1_000_000).date
        let (day, time) = (second / 86_400, second % 86_400)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(days[Int(day % 7)]), \(two(Int64(date.day))) \(months[date.month - 1]) \(date.year) "
            + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) GMT"
    }
}
