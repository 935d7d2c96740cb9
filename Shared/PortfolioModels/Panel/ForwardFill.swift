import WireFormat

/// Carries the last price over days without one, for a limited time: the past's figure in the present's place, never the other way round.
public enum ForwardFill {
    /// Days that a price is carried: five sessions with their weekend.
    public static let longest = 7

    /// A series with the last price on those of `wanted` days that lack one and lie at most `longest` days after it; how many were filled.
    /// - Parameters:
    ///   - days: ascending, as many as `prices`.
    ///   - wanted: ascending.
    public static func carried(
        _ days: [Int], _ prices: [Double], over wanted: [Int], longest: Int = longest
    ) -> (days: [Int], prices: [Double], filled: Int) {
        var result = (days: [Int](), prices: [Double](), filled: 0)
        result.days.reserveCapacity(days.count)
        result.prices.reserveCapacity(days.count)
        var next = 0
        func take(to day: Int) {
            while next < days.count, days[next] <= day {
                result.days.append(days[next])
                result.prices.append(prices[next])
                next += 1
            }
        }
        for day in wanted {
            take(to: day)
            // Before the first price there is nothing to carry, and after the last the asset may be gone.
            guard next > 0, next < days.count, days[next - 1] < day, day - days[next - 1] <= longest else { continue }
            result.days.append(day)
            result.prices.append(prices[next - 1])
            result.filled += 1
        }
        take(to: .max)
        return result
    }

    /// The same of figures by date, nil where one is missing.
    static func carried(_ series: [Double?], _ dates: [CalendarDate]) -> (series: [Double?], filled: Int) {
        let known = series.indices.filter { series[$0] != nil }
        let all = dates.map { $0.daysSinceEpoch }
        let found = carried(known.map { all[$0] }, known.compactMap { series[$0] }, over: all)
        let byDay = Dictionary(zip(found.days, found.prices), uniquingKeysWith: { first, _ in first })
        return (all.map { byDay[$0] }, found.filled)
    }
}
