/// Which statements a connection has prepared, by text and parameter types; the least recently used goes first.
struct StatementCache {
    /// What makes a prepared statement: the same text with other types is another one.
    struct Key: Hashable {
        let text: String
        let types: [UInt32]
    }

    enum Lookup: Equatable {
        case prepared(name: String)
        /// Prepare it under `name`; drop `evicted` first where there is one.
        case missing(name: String, evicted: String?)
    }

    private struct Entry {
        let name: String
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var clock: UInt64 = 0
    private var serial = 0

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var count: Int { entries.count }

    /// Looks the statement up; a missing one counts as prepared from here on. Linear in the capacity, and only when something is evicted.
    mutating func lookup(_ key: Key) -> Lookup {
        clock += 1
        if var entry = entries[key] {
            entry.lastUse = clock
            entries[key] = entry
            return .prepared(name: entry.name)
        }
        var evicted: String?
        if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            evicted = oldest.value.name
            entries[oldest.key] = nil
        }
        serial += 1
        let name = "ballast_\(serial)"
        entries[key] = Entry(name: name, lastUse: clock)
        return .missing(name: name, evicted: evicted)
    }

    /// The statement could not be prepared.
    mutating func forget(_ key: Key) {
        entries[key] = nil
    }

    /// The server has dropped or invalidated the statements; returns the names it may still hold.
    mutating func removeAll() -> [String] {
        defer { entries.removeAll() }
        return entries.values.map(\.name)
    }
}
