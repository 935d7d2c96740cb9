/// Where the members of a long object are, by name: an open-addressing table that the object searches with its own names.
///
/// The names themselves stay with the members. An entry is the hash in the upper half and the position + 1 in the lower; 0 is free.
struct NameIndex: Sendable {
    private var entries: [UInt64] = []
    private var count = 0

    var isEmpty: Bool { count == 0 }

    /// Seeded for each process, so that nobody can prepare names that collide. Eight bytes at a time.
    static func hash(_ name: String) -> UInt32 {
        var hasher = Hasher()
        let bytes = name.utf8Span.span
        var word: UInt64 = 0
        for at in bytes.indices {
            word = word << 8 | UInt64(bytes[at])
            if at & 7 == 7 { hasher.combine(word) }
        }
        hasher.combine(word)
        hasher.combine(bytes.count)
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }

    /// Swift's own `==` says that "\u{E9}" equals "e\u{301}", PostgreSQL does not.
    static func sameBytes(_ a: String, _ b: String) -> Bool {
        guard a.utf8.count == b.utf8.count else { return false }
        let left = a.utf8Span.span
        let right = b.utf8Span.span
        for at in left.indices where left[at] != right[at] { return false }
        return true
    }

    /// The position with this hash that the caller recognises; nil where there is none.
    func position(hash: UInt32, where matches: (Int) -> Bool) -> Int? {
        guard !entries.isEmpty else { return nil }
        let mask = entries.count - 1
        var slot = Int(hash) & mask
        while entries[slot] != 0 {
            let entry = entries[slot]
            let position = Int(UInt32(truncatingIfNeeded: entry)) - 1
            if UInt32(truncatingIfNeeded: entry >> 32) == hash, matches(position) { return position }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Adds a position whose name is not there yet. At least half of the table stays free.
    mutating func add(hash: UInt32, position: Int) {
        if entries.count <= 2 * count + 1 { grow() }
        place(UInt64(hash) << 32 | UInt64(position + 1))
        count += 1
    }

    private mutating func place(_ entry: UInt64) {
        let mask = entries.count - 1
        var slot = Int(entry >> 32) & mask
        while entries[slot] != 0 { slot = (slot + 1) & mask }
        entries[slot] = entry
    }

    private mutating func grow() {
        let before = entries
        entries = Array(repeating: 0, count: max(64, before.count * 2))
        for entry in before where entry != 0 { place(entry) }
    }
}
