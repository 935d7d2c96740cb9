import Realtime
import WebSocketTransport
import WireFormat

/// The bindings of one joined channel, ready to be matched.
final class Subscription: Sendable {
    /// A binding and its filter, compiled for the table it names.
    struct Bound: Sendable {
        let binding: ChangeBinding
        /// Nil for a binding of any table: it is compiled for each table's columns when it is met.
        let filter: CompiledFilter?
    }

    let topic: String
    let version: RealtimeVersion
    /// Lower case, as PostgreSQL writes it.
    let tenant: String
    let bounds: [Bound]
    let connection: WebSocketConnection
    /// Of a durable subscriber: where its acknowledgements go.
    let acknowledgements: AcknowledgementLedger?
    /// Told when the client reads too slowly: the rest is read from the log when there is room.
    let catchUps: AsyncStream<Subscription>.Continuation

    init(
        topic: String, version: RealtimeVersion, tenant: String, bounds: [Bound], connection: WebSocketConnection,
        acknowledgements: AcknowledgementLedger?, catchUps: AsyncStream<Subscription>.Continuation
    ) {
        self.topic = topic
        self.version = version
        self.tenant = tenant
        self.bounds = bounds
        self.connection = connection
        self.acknowledgements = acknowledgements
        self.catchUps = catchUps
    }

    /// Whether a binding wants the change.
    func matches(_ index: Int, _ change: inout EncodedChange) -> Bool {
        let (bound, record) = (bounds[index], change.record)
        guard record.tenant == nil || record.tenant == tenant,
            bound.binding.concerns(schema: record.schema, table: record.table, kind: record.kind)
        else { return false }
        if bound.binding.filter.terms.isEmpty { return true }
        guard let row = change.row else { return false }
        if let filter = bound.filter { return filter.matches(row) }
        return (try? CompiledFilter(bound.binding.filter, columns: record.columns))?.matches(row) ?? false
    }

    /// The messages of a change: one for all its bindings, but bindings with another `select` get their own.
    func frames(_ matched: [Int], _ change: inout EncodedChange) -> [String] {
        var groups: [(select: [String]?, ids: [Int])] = []
        for index in matched {
            let binding = bounds[index].binding
            if let group = groups.firstIndex(where: { $0.select == binding.select }) {
                if !groups[group].ids.contains(binding.id) { groups[group].ids.append(binding.id) }
            } else {
                groups.append((binding.select, [binding.id]))
            }
        }
        return groups.map { group in
            version.frame(
                topic: topic, event: "postgres_changes",
                payload: ChangeData.payload(ids: group.ids, data: change.text(select: group.select)))
        }
    }
}

/// A change while it is delivered: its row is parsed and its texts are made once, whoever wants them.
struct EncodedChange {
    let record: ChangeRecord
    private var parsed: JSONObject??
    private var texts: [[String]?: String] = [:]

    init(_ record: ChangeRecord) { self.record = record }

    /// The row that filters look at.
    var row: JSONObject? {
        mutating get {
            if let parsed { return parsed }
            let row = record.filteredRow.flatMap { (try? StrictJSON.parse($0.utf8, limits: .stored))?.objectValue }
            parsed = .some(row)
            return row
        }
    }

    mutating func text(select: [String]?) -> String {
        if let text = texts[select] { return text }
        let text = ChangeData.text(of: record, select: select)
        texts[select] = text
        return text
    }
}
