public import WireFormat

/// Who is present on one topic: key -> metas, one for each tracking connection.
public struct PresenceState: Sendable {
    /// A member's entry.
    private struct Entry: Sendable {
        let key: String
        var meta: JSONObject
    }

    private var entries: [(member: String, entry: Entry)] = []
    private var sequence = 0

    /// Nobody.
    public init() {}

    /// Whether nobody is present.
    public var isEmpty: Bool { entries.isEmpty }

    /// Sets a member's meta.
    /// - Returns: the payload of `presence_diff`.
    public mutating func track(member: String, key: String, meta: JSONObject) -> JSONValue {
        sequence += 1
        let old = remove(member)
        var tagged = JSONObject([("phx_ref", .string("p\(sequence)"))])
        if let previous = old?.meta["phx_ref"] { tagged["phx_ref_prev"] = previous }
        for (name, value) in meta.members where name != "phx_ref" && name != "phx_ref_prev" { tagged[name] = value }
        let entry = Entry(key: key.isEmpty ? member : key, meta: tagged)
        entries.append((member, entry))
        return Self.diff(joins: [entry], leaves: old.map { [$0] } ?? [])
    }

    /// Takes a member's presence back.
    /// - Returns: the payload of `presence_diff`; nil when it was not present.
    public mutating func untrack(member: String) -> JSONValue? {
        remove(member).map { Self.diff(joins: [], leaves: [$0]) }
    }

    /// The payload of `presence_state`.
    public var payload: JSONValue { Self.metas(entries.map(\.entry)) }

    private mutating func remove(_ member: String) -> Entry? {
        guard let index = entries.firstIndex(where: { $0.member == member }) else { return nil }
        return entries.remove(at: index).entry
    }

    private static func diff(joins: [Entry], leaves: [Entry]) -> JSONValue {
        ["joins": metas(joins), "leaves": metas(leaves)]
    }

    private static func metas(_ entries: [Entry]) -> JSONValue {
        var byKey = JSONObject()
        for entry in entries {
            let before = byKey[entry.key]?["metas"]?.arrayValue ?? []
            byKey[entry.key] = ["metas": .array(before + [.object(entry.meta)])]
        }
        return .object(byKey)
    }
}
