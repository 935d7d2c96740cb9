import WireFormat

/// Texts of instants in the forms that clients write and `to_jsonb` writes.
enum InstantText {
    /// Microseconds since 1970. A missing time is midnight, a missing offset is UTC. Nil for what is no instant.
    ///
    /// Of PostgreSQL's many input forms these are taken: ISO 8601 with `T` or a space, offsets `Z`, `+00`, `+00:00`, `+0000`,
    /// and `infinity`.
    static func parse(_ text: String) -> Int64? {
        switch text.lowercased() {
        case "infinity", "+infinity": return .max
        case "-infinity": return .min
        case "epoch": return 0
        default: break
        }
        let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "T" || $0 == "t" || $0 == " " }
        guard let date = parts.first else { return nil }
        guard parts.count == 2 else { return instant("\(date)T00:00:00Z") }
        let clockAndOffset = parts[1]
        let end = clockAndOffset.firstIndex { "Zz+- ".contains($0) } ?? clockAndOffset.endIndex
        var clock = String(clockAndOffset[..<end])
        if clock.utf8.count == 5 { clock += ":00" }
        var offset = clockAndOffset[end...].filter { $0 != " " }
        switch offset.utf8.count {
        case 0: offset = "Z"
        case 3: offset += ":00"
        case 5 where !offset.contains(":"): offset.insert(":", at: offset.index(offset.startIndex, offsetBy: 3))
        default: break
        }
        return instant("\(date)T\(clock)\(offset)")
    }

    static func startOfDay(_ instant: Int64) -> Int64 {
        guard instant != .max, instant != .min else { return instant }
        let day: Int64 = 86_400_000_000
        return (instant >= 0 ? instant / day : (instant - day + 1) / day) * day
    }

    private static func instant(_ text: String) -> Int64? { UTCTimestamp(iso: text)?.microsecondsSinceEpoch }
}
