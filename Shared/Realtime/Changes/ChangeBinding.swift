public import WireFormat

/// Which kinds of change a binding wants.
public enum ChangeKind: String, Sendable, CaseIterable {
    case insert = "INSERT"
    case update = "UPDATE"
    case delete = "DELETE"
}

/// One entry of a join's `postgres_changes`: what the client wants to hear of.
public struct ChangeBinding: Sendable, Equatable {
    /// The entry exactly as it came; the reply repeats it.
    public let echo: JSONObject
    /// 1 ... 2^27 - 1, equal for equal entries. Clients ignore 0.
    public let id: Int
    /// Nil: every kind.
    public let kind: ChangeKind?
    /// Nil: every schema.
    public let schema: String?
    /// Nil: every table.
    public let table: String?
    /// The filter's terms; empty without a filter.
    public let filter: ChangeFilter
    /// The columns wanted; nil: all.
    public let select: [String]?

    /// Reads an entry.
    /// - Throws: ``ChangeBindingError`` with the text the real server sends as a `system` message.
    public init(_ entry: JSONObject) throws(ChangeBindingError) {
        echo = entry
        id = Self.identifier(entry)
        kind = (entry["event"]?.stringValue).flatMap { ChangeKind(rawValue: $0.uppercased()) }
        let schema = entry["schema"]?.stringValue
        let table = entry["table"]?.stringValue
        guard schema != nil || table != nil else { throw ChangeBindingError(text: ChangeBindingError.noParameters) }
        self.schema = schema == "*" ? nil : schema ?? "public"
        self.table = table == "*" ? nil : table
        do throws(ChangeFilterError) {
            filter = try ChangeFilter(parsing: entry["filter"]?.stringValue ?? "")
        } catch {
            throw ChangeBindingError(text: error.text)
        }
        select = entry["select"]?.arrayValue.map { $0.compactMap { $0.stringValue } }
        guard select?.isEmpty != true else { throw ChangeBindingError(text: "Error parsing `select` params: []") }
    }

    /// The entry with its id, for the reply to the join.
    public var reply: JSONValue {
        var reply = echo
        reply["id"] = JSONValue(id)
        return .object(reply)
    }

    /// Whether the binding is about this table and kind of change, its filter aside.
    public func concerns(schema: String, table: String, kind: ChangeKind) -> Bool {
        (self.kind == nil || self.kind == kind) && (self.schema == nil || self.schema == schema)
            && (self.table == nil || self.table == table)
    }

    /// The parameters in the words of the real server's messages.
    public var parametersInWords: String {
        let wanted = select.map { "[\($0.joined(separator: ", "))]" } ?? "nil"
        return "[event: \(kind?.rawValue ?? "*"), schema: \(schema ?? "*"), table: \(table ?? "*"), "
            + "filters: [\(filter.text)], select: \(wanted)]"
    }

    /// FNV-1a of the entry's text, folded to 27 bits, never 0.
    static func identifier(_ entry: JSONObject) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in JSONValue.object(entry).canonical.serialized().utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        let folded = Int((hash ^ hash >> 27 ^ hash >> 54) & 0x7ff_ffff)
        return folded == 0 ? 1 : folded
    }
}

/// Why a binding cannot be served; permanent, and told to the client in a `system` message.
public struct ChangeBindingError: Error, Sendable, Equatable {
    /// In the words of the real server.
    public let text: String

    /// An error with the given text.
    public init(text: String) { self.text = text }

    static let noParameters =
        "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to."

    /// The table, column or value does not fit the database.
    public static func unusable(_ binding: ChangeBinding, _ reason: String) -> ChangeBindingError {
        ChangeBindingError(
            text:
                "Unable to subscribe to changes with given parameters. An exception happened so please check your connect "
                + "parameters: \(binding.parametersInWords). Exception: \(reason)")
    }

    /// The table is not published.
    public static func notPublished(_ binding: ChangeBinding) -> ChangeBindingError {
        ChangeBindingError(
            text:
                "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given "
                + "connect parameters: \(binding.parametersInWords)")
    }
}
