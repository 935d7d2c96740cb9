public import WireFormat

/// A column of a published table.
public struct ChangeColumn: Sendable, Equatable {
    /// `attname`.
    public let name: String
    /// `pg_type.typname`, as `numeric`, `timestamptz`, `_text`.
    public let type: String

    /// A column.
    public init(name: String, type: String) {
        self.name = name
        self.type = type
    }
}

/// One committed change of a row, as the change log has it.
public struct ChangeRecord: Sendable {
    public let schema: String
    public let table: String
    public let kind: ChangeKind
    /// Unique and strictly increasing over the whole log: the cursor that both real clients pass to the application.
    public let commitTimestamp: UTCTimestamp
    /// Nil: shared by all tenants.
    public let tenant: String?
    /// In attnum order.
    public let columns: [ChangeColumn]
    /// The new row as PostgreSQL wrote it, JSON text; nil for a DELETE.
    public let record: String?
    /// The old row, JSON text; nil for an INSERT.
    public let oldRecord: String?

    /// A change of its parts.
    public init(
        schema: String, table: String, kind: ChangeKind, commitTimestamp: UTCTimestamp, tenant: String?,
        columns: [ChangeColumn], record: String?, oldRecord: String?
    ) {
        self.schema = schema
        self.table = table
        self.kind = kind
        self.commitTimestamp = commitTimestamp
        self.tenant = tenant
        self.columns = columns
        self.record = record
        self.oldRecord = oldRecord
    }

    /// The row that filters look at: the old one of a DELETE, the new one otherwise.
    public var filteredRow: String? { kind == .delete ? oldRecord : record }
}

/// The `data` of a `postgres_changes` message; made once for all channels that want the same columns.
public enum ChangeData {
    /// A row above this many bytes of JSON is cut: the Python client's library closes on frames above 1 MiB.
    public static let rowLimit = 1_000_000
    /// In a cut row, values up to this many bytes stay.
    static let cutValueLimit = 64

    /// The JSON text of `data`. Numerics keep their digits: the rows' text is passed on as it is.
    /// - Parameter select: columns wanted; nil: all.
    public static func text(of change: ChangeRecord, select: [String]? = nil) -> String {
        let size = (change.record?.utf8.count ?? 0) + (change.oldRecord?.utf8.count ?? 0)
        let isCut = size > rowLimit
        let columns = select.map { wanted in change.columns.filter { wanted.contains($0.name) } } ?? change.columns
        func row(_ text: String) -> String { isCut || select != nil ? reduced(text, to: select, cut: isCut) : text }
        func json(_ text: String) -> String { JSONValue.string(text).serialized() }
        let columnsText = columns.map { "{\"name\":\(json($0.name)),\"type\":\(json($0.type))}" }.joined(separator: ",")
        var text =
            "{\"schema\":\(json(change.schema)),\"table\":\(json(change.table)),\"type\":\"\(change.kind.rawValue)\","
        text += "\"commit_timestamp\":\"\(timestamp(change.commitTimestamp))\",\"columns\":[\(columnsText)],"
        if let record = change.record { text += "\"record\":\(row(record))," }
        // Absent, never null: the Python client drops a message whose old_record is null.
        if let old = change.oldRecord { text += "\"old_record\":\(row(old))," }
        return text + "\"errors\":\(isCut ? "[\"Error 413: Payload Too Large\"]" : "null")}"
    }

    /// Always six digits, so that the texts sort as the instants do.
    public static func timestamp(_ instant: UTCTimestamp) -> String {
        let text = instant.isoString.dropLast()
        guard let dot = text.firstIndex(of: ".") else { return text + ".000000Z" }
        let digits = text.distance(from: dot, to: text.endIndex) - 1
        return text + String(repeating: "0", count: 6 - digits) + "Z"
    }

    /// The payload of a `postgres_changes` message.
    public static func payload(ids: [Int], data: String) -> String {
        "{\"data\":\(data),\"ids\":[\(ids.map(String.init).joined(separator: ","))]}"
    }

    private static func reduced(_ text: String, to select: [String]?, cut: Bool) -> String {
        guard let row = (try? StrictJSON.parse(text.utf8, limits: .stored))?.objectValue else { return "{}" }
        let kept = row.members.filter { member in
            (select?.contains(member.key) ?? true)
                && (!cut || member.value.serialized().utf8.count <= cutValueLimit)
        }
        return JSONValue.object(JSONObject(kept.map { ($0.key, $0.value) })).serialized()
    }
}
