import DequeModule
import Synchronization

/// Answers of recent calls, bounded in bytes. The key names everything an answer depends on, so an entry never goes stale: other data has another
/// key.
///
/// What has not been asked for lately makes room first: a hand goes around the entries, passes those that were used since it came by last, and takes
/// the first that was not. Each call costs the same, however many entries there are: event loops ask here, and a search for the oldest of ten thousand
/// answers once held all of them up for fifty milliseconds. Source: Corbató (1968), A paging experiment with the Multics system.
final class ResultCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var bytes: Int
        var isUsed = false
        /// Of the place in the round that is this entry's: a key that was written again has an older one too.
        var number: UInt64
    }
    private struct State {
        var entries: [Key: Entry] = [:]
        /// The round, the hand at its first.
        var round: Deque<(key: Key, number: UInt64)> = []
        var bytes = 0
        var written: UInt64 = 0
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
                guard let at = state.entries.index(forKey: key) else { return nil }
                state.entries.values[at].isUsed = true
                return state.entries.values[at].value
            }
        }
        set {
            let bytes = newValue.map { size($0) } ?? 0
            // What leaves is released after the lock.
            let left = state.withLock { state -> [Value] in
                var left: [Value] = []
                if let before = state.entries.removeValue(forKey: key) {
                    state.bytes -= before.bytes
                    left.append(before.value)
                }
                // What is larger than a quarter of everything is not worth what it would push out.
                guard let newValue, bytes <= limit / 4 else { return left }
                while state.bytes + bytes > limit, let gone = Self.evict(&state) { left.append(gone) }
                state.written += 1
                state.entries[key] = Entry(value: newValue, bytes: bytes, number: state.written)
                state.round.append((key, state.written))
                state.bytes += bytes
                // Places of what was written again or taken out.
                if state.round.count > 2 * state.entries.count + 64 {
                    state.round.removeAll { state.entries[$0.key]?.number != $0.number }
                }
                return left
            }
            withExtendedLifetime(left) {}
        }
    }

    /// The next entry that was not used since the hand came by; nil where there is none.
    private static func evict(_ state: inout State) -> Value? {
        while let (key, number) = state.round.popFirst() {
            guard let at = state.entries.index(forKey: key), state.entries.values[at].number == number else { continue }
            if state.entries.values[at].isUsed {
                state.entries.values[at].isUsed = false
                state.round.append((key, number))
                continue
            }
            let entry = state.entries.remove(at: at).value
            state.bytes -= entry.bytes
            state.evictions += 1
            return entry.value
        }
        return nil
    }

    /// How full it is, and how many entries made room for others.
    var statistics: (entries: Int, bytes: Int, evictions: Int) {
        state.withLock { ($0.entries.count, $0.bytes, $0.evictions) }
    }
}
