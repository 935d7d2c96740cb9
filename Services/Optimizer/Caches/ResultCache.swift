import Synchronization

/// Answers of recent calls, bounded in bytes, least recently used first out. The key names everything an answer depends on, so an entry never
/// goes stale: other data has another key.
final class ResultCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var bytes: Int
        var used: UInt64
    }
    private struct State {
        var entries: [Key: Entry] = [:]
        var bytes = 0
        var clock: UInt64 = 0
        var evictions = 0
    }

    private let state = Mutex(State())
    private let limit: Int
    private let size: @Sendable (Value) -> Int

    /// - Parameters:
    ///   - bytes: most that all entries may take; 0 keeps none.
    ///   - size: bytes of a value.
    init(bytes: Int, size: @escaping @Sendable (Value) -> Int) {
        limit = max(0, bytes)
        self.size = size
    }

    subscript(key: Key) -> Value? {
        get {
            state.withLock { state in
                guard let value = state.entries[key]?.value else { return nil }
                state.clock += 1
                state.entries[key]?.used = state.clock
                return value
            }
        }
        set {
            let bytes = newValue.map { size($0) } ?? 0
            state.withLock { state in
                if let before = state.entries.removeValue(forKey: key) { state.bytes -= before.bytes }
                // What is larger than a quarter of everything is not worth what it would push out.
                guard let newValue, bytes <= limit / 4 else { return }
                state.clock += 1
                state.entries[key] = Entry(value: newValue, bytes: bytes, used: state.clock)
                state.bytes += bytes
                if state.bytes > limit { Self.shrink(&state, to: limit / 4 * 3) }
            }
        }
    }

    /// A quarter at a time: the search for the oldest is paid seldom.
    private static func shrink(_ state: inout State, to target: Int) {
        for (key, entry) in state.entries.sorted(by: { $0.value.used < $1.value.used }) where state.bytes > target {
            state.entries[key] = nil
            state.bytes -= entry.bytes
            state.evictions += 1
        }
    }

    /// How full it is, and how many entries made room for others.
    var statistics: (entries: Int, bytes: Int, evictions: Int) {
        state.withLock { ($0.entries.count, $0.bytes, $0.evictions) }
    }
}
