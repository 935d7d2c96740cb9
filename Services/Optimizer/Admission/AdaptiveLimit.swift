/// How many requests may be between admission and answer, by how long they wait for a thread that solves.
///
/// It grows by one a round while solves begin at once (under 5 ms) and more wait, and shrinks by a tenth when they do not (over 50 ms), as
/// TCP Vegas does with a window. Source: Brakmo and Peterson 1995; Netflix concurrency-limits.
struct AdaptiveLimit: Sendable, Equatable {
    private(set) var value: Double
    let floor: Double
    let ceiling: Double

    static let short = Duration.milliseconds(5)
    static let long = Duration.milliseconds(50)

    init(start: Int, floor: Int, ceiling: Int) {
        self.floor = Double(max(1, floor))
        self.ceiling = Double(max(max(1, floor), ceiling))
        value = min(max(Double(start), self.floor), self.ceiling)
    }

    /// - Parameters:
    ///   - wait: of a solve for its thread.
    ///   - isWanted: whether somebody waits to be admitted: without need the limit does not grow.
    mutating func observe(wait: Duration, isWanted: Bool) {
        if wait > Self.long {
            value = max(floor, value * 0.9)
        } else if wait < Self.short, isWanted {
            value = min(ceiling, value + 1 / value)
        }
    }

    var count: Int { Int(value) }
}
