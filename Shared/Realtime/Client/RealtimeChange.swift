public import WireFormat

/// A `postgres_changes` message as a client reads it.
public struct RealtimeChange: Sendable, Equatable {
    /// The bindings it matched.
    public let ids: [Int]
    public let schema: String
    public let table: String
    public let kind: ChangeKind
    /// Verbatim; unique and increasing when the server is ours, hence a cursor.
    public let commitTimestamp: String
    /// Nil for a DELETE.
    public let record: JSONObject?
    /// Nil for an INSERT.
    public let oldRecord: JSONObject?
    /// What the server could not deliver of the row; empty: all is there.
    public let errors: [String]

    /// Reads the payload; nil when it is not of that shape.
    public init?(payload: JSONValue) {
        guard let data = payload["data"], let schema = data["schema"]?.stringValue,
            let table = data["table"]?.stringValue,
            let kind = data["type"]?.stringValue.flatMap(ChangeKind.init(rawValue:)),
            let timestamp = data["commit_timestamp"]?.stringValue
        else { return nil }
        ids = (payload["ids"]?.arrayValue ?? []).compactMap { $0.intValue }
        self.schema = schema
        self.table = table
        self.kind = kind
        commitTimestamp = timestamp
        record = data["record"]?.objectValue
        oldRecord = data["old_record"]?.objectValue
        errors = (data["errors"]?.arrayValue ?? []).compactMap { $0.stringValue }
    }
}
