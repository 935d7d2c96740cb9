/// How many requests may be between admission and answer, by how long they wait for a thread that solves.
///
/// The threads are busy as soon as one solve waits for each of them: what is let in beyond that only makes every answer later. So the limit
/// grows by one a round while solves begin almost at once and more requests wait, and shrinks by a twentieth when more than a quarter of an answer's
/// time is waiting for a thread, as TCP Vegas does with a window. Source: Brakmo and Peterson 1995; Netflix concurrency-limits.
struct AdaptiveLimit: Sendable, Equatable {
    private(set) var value: Double
    let floor: Double
    let ceiling: Double

    /// A wait below this is none.
    static let short = Duration.microseconds(50)
    /// Parts of the time from admission to answer that were spent waiting.
    static let (low, high) = (0.1, 0.25)

    init(start: Int, floor: Int, ceiling: Int) {
        self.floor = Double(max(1, floor))
        self.ceiling = Double(max(max(1, floor), ceiling))
        value = min(max(Double(start), self.floor), self.ceiling)
    }

    /// - Parameters:
    ///   - wait: of a solve for its thread.
    ///   - service: from admission to answer, the wait included.
    ///   - isWanted: whether somebody waits to be admitted: without need the limit does not grow.
    mutating func observe(wait: Duration, service: Duration, isWanted: Bool) {
        let part = service > .zero ? wait / service : 0
        if wait < Self.short || part < Self.low {
            if isWanted { value = min(ceiling, value + 1 / value) }
        } else if part > Self.high {
            value = max(floor, value * 0.95)
        }
    }

    var count: Int { Int(value) }
}
