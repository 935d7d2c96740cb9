import Realtime
import WireFormat

/// A change with its place in the log.
struct LoggedChange: Sendable {
    let position: Position
    let change: ChangeRecord
}

/// Consecutive changes of the log.
struct ChangeBatch: Sendable {
    let changes: [LoggedChange]
    /// Everything up to here is in the batch or was before it.
    let reached: Position
}

/// The log no longer goes back that far: the reader has to start afresh.
struct CursorExpired: Error {}

/// Where committed changes come from, in an order that every reader and every restart sees alike.
///
/// The outbox of `rt.event` and `rt.tick` is one; a logical replication slot could be another.
protocol ChangeSource: Sendable {
    /// The end of the log.
    func latest() async throws -> Position
    /// About `limit` changes after a position; an empty batch at the end of the log.
    /// - Throws: ``CursorExpired``, or what keeps the database from answering.
    func changes(after position: Position, limit: Int) async throws -> ChangeBatch
    /// The place of a commit_timestamp that was sent; nil when it is older than the log.
    func position(of commitTimestamp: UTCTimestamp) async throws -> Position?
    /// The columns of a published table; nil where there is no such table or it is not published.
    func columns(schema: String, table: String) async throws -> [ChangeColumn]?
}
