import Synchronization

/// Answers of recent calls, bounded, least recently used first out. The key names everything an answer depends on, so an entry never
/// goes stale: other data has another key.
final class ResultCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry { var value: Value; var used: UInt64 }
    private struct State {
        var entries: [Key: Entry] = [:]
        var clock: UInt64 = 0
    }

    private let state = Mutex(State())
    let capacity: Int

    init(capacity: Int) { self.capacity = max(0, capacity) }

    subscript(key: Key) -> Value? {
        get {
            state.withLock { state in
                guard var entry = state.entries[key] else { return nil }
                state.clock += 1
                entry.used = state.clock
                state.entries[key] = entry
                return entry.value
            }
        }
        set {
            state.withLock { state in
                state.clock += 1
                if let newValue, capacity > 0 {
                    state.entries[key] = Entry(value: newValue, used: state.clock)
                    // A quarter at a time: the search for the oldest is paid seldom.
                    if state.entries.count > capacity {
                        let ages = state.entries.values.map { $0.used }.sorted()
                        let oldest = ages[min(ages.count - 1, max(1, capacity / 4))]
                        state.entries = state.entries.filter { $0.value.used >= oldest }
                    }
                } else {
                    state.entries[key] = nil
                }
            }
        }
    }

    var count: Int { state.withLock { $0.entries.count } }
}
