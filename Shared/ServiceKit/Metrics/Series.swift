import CoreMetrics
import Synchronization

/// One line or one group of lines of a metric: the values under one set of labels.
protocol Series: AnyObject, Sendable {
    func lines(name: String, labels: Labels) -> [(labels: Labels, text: String)]
}

/// A sum that only grows.
final class CounterSeries: Series, CounterHandler, FloatingPointCounterHandler {
    private let value = Mutex(0.0)

    func increment(by amount: Int64) { increment(by: Double(amount)) }
    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.withLock { $0 += amount }
    }
    func reset() { value.withLock { $0 = 0 } }

    func lines(name: String, labels: Labels) -> [(labels: Labels, text: String)] {
        [(labels, TextFormat.line(name, labels, value.withLock { $0 }))]
    }
}

/// A figure that goes up and down.
final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func lines(name: String, labels: Labels) -> [(labels: Labels, text: String)] {
        [(labels, TextFormat.line(name, labels, value.withLock { $0 }))]
    }
}

/// Counts of values up to each bound, their number and their sum.
final class HistogramSeries: Series, TimerHandler, RecorderHandler {
    private struct State {
        var counts: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let scale: Double
    private let state: Mutex<State>

    /// - Parameter scale: what a recorded integer is multiplied with: 1e-9 turns nanoseconds into seconds.
    init(bounds: [Double], scale: Double) {
        self.bounds = bounds
        self.scale = scale
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) * scale) }
    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func lines(name: String, labels: Labels) -> [(labels: Labels, text: String)] {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var text = ""
        var total: UInt64 = 0
        for (bound, count) in zip(bounds + [.infinity], counts) {
            total += count
            let limit = bound == .infinity ? "+Inf" : TextFormat.number(bound)
            text += TextFormat.line("\(name)_bucket", labels.adding("le", limit), Double(total))
        }
        text += TextFormat.line("\(name)_sum", labels, sum)
        text += TextFormat.line("\(name)_count", labels, Double(total))
        return [(labels, text)]
    }
}
