import MarketData
import WireFormat

/// When a job is due, in UTC: five cron fields, `@hourly` and its like, or `@every 30s`.
struct Schedule: Sendable, Equatable {
    private enum Form: Equatable {
        case cron(CronFields)
        case every(seconds: Int64)
    }

    private let form: Form

    /// Reads minute, hour, day of the month, month and day of the week with `*`, lists, ranges, steps and English names; or
    /// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`; or `@every` and a count with `s`, `m` or `h`.
    init(_ text: String) throws(ScheduleError) {
        let words = text.split(separator: " ", omittingEmptySubsequences: true).map { String($0) }
        if words.first == "@every" {
            let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600]
            guard words.count == 2, let unit = words[1].last.flatMap({ units[$0] }),
                let count = Int64(words[1].dropLast()),
                (1...1_000_000).contains(count)
            else { throw ScheduleError(text: text, reason: "@every takes a count and s, m or h") }
            form = .every(seconds: count * unit)
            return
        }
        let names = [
            "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
            "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
        ]
        let fields = words.count == 1 ? (names[words[0]] ?? "").split(separator: " ").map { String($0) } : words
        guard fields.count == 5 else { throw ScheduleError(text: text, reason: "five fields are wanted") }
        do throws(CronFields.Fault) {
            form = .cron(try CronFields(fields))
        } catch {
            throw ScheduleError(text: text, reason: error.reason)
        }
        guard next(after: UTCTimestamp(secondsSinceEpoch: 0)) != nil else {
            throw ScheduleError(text: text, reason: "there is no such day")
        }
    }

    /// The first time strictly after `time`; nil when there is none (30 February).
    func next(after time: UTCTimestamp) -> UTCTimestamp? {
        switch form {
        case .every(let seconds): UTCTimestamp(secondsSinceEpoch: time.secondsSinceEpoch + seconds)
        case .cron(let fields): fields.next(after: time)
        }
    }
}

/// Why a text is no schedule.
struct ScheduleError: Error, Equatable, CustomStringConvertible {
    let text: String
    let reason: String

    var description: String { "\"\(text)\" is not a schedule: \(reason)." }
}
