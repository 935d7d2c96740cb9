import CLibPQ

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A `PGconn` in nonblocking mode, with libpq's words turned into ours. Nothing here waits.
///
/// Sendable because `PostgresConnection` admits one operation at a time; the descriptor is the only thing others look at.
final class LibPQConnection: @unchecked Sendable {
    enum Polling {
        case reading, writing, finished, failed
    }

    /// One answer of the server to one thing sent.
    enum Answer {
        case result(QueryResult)
        case failure(PostgresError)
        case copyIn
        case copyOut
        /// Skipped because an earlier statement of the pipeline failed.
        case skipped
        /// The end of the pipeline.
        case synchronised
    }

    private var pointer: OpaquePointer?

    /// Begins to connect; `poll()` carries on.
    init(parameters: [(String, String)]) throws(PostgresError) {
        let keywords = CStringArray(parameters.map(\.0))
        let values = CStringArray(parameters.map(\.1))
        pointer = PQconnectStartParams(keywords.pointer, values.pointer, 0)
        guard let pointer else { throw PostgresError(.connection, "out of memory") }
        guard PQstatus(pointer) != CONNECTION_BAD else { throw connectionError() }
        // The default prints notices to standard error.
        PQsetNoticeProcessor(pointer, { _, _ in }, nil)
    }

    deinit {
        close()
    }

    /// Says good-bye to the server and closes the socket.
    func close() {
        if let pointer { PQfinish(pointer) }
        pointer = nil
    }

    var socket: Int32 { PQsocket(pointer) }
    var isBad: Bool { pointer == nil || PQstatus(pointer) == CONNECTION_BAD }
    var backendID: Int32 { PQbackendPID(pointer) }
    var isEncrypted: Bool { PQsslInUse(pointer) == 1 }
    var transactionStatus: PGTransactionStatusType { PQtransactionStatus(pointer) }

    func poll() -> Polling {
        switch PQconnectPoll(pointer) {
        case PGRES_POLLING_READING: .reading
        case PGRES_POLLING_WRITING: .writing
        case PGRES_POLLING_OK: .finished
        default: .failed
        }
    }

    /// Called once when connected.
    func finishConnecting() throws(PostgresError) -> CancelHandle {
        guard PQsetnonblocking(pointer, 1) == 0, let cancel = PQgetCancel(pointer) else { throw connectionError() }
        return CancelHandle(cancel)
    }

    /// What libpq says about the connection now.
    func connectionError() -> PostgresError {
        let message = text(PQerrorMessage(pointer)) ?? "connection closed"
        var error = PostgresError(.connection, message.trimmedLine)
        // libpq 15 keeps no SQLSTATE for a refused connection; these texts are the server's own, with lc_messages as it is.
        if message.contains("password authentication failed") { error.sqlState = .invalidPassword }
        if message.contains("is not permitted to log in") || message.contains("no pg_hba.conf entry") {
            error.sqlState = .invalidAuthorization
        }
        if message.contains("the database system is") { error.sqlState = .cannotConnectNow }
        if error.isAuthenticationFailure { error.kind = .server }
        return error
    }

    // MARK: Sending

    func enterPipeline() throws(PostgresError) { try check(PQenterPipelineMode(pointer)) }
    func exitPipeline() throws(PostgresError) { try check(PQexitPipelineMode(pointer)) }
    func synchronise() throws(PostgresError) { try check(PQpipelineSync(pointer)) }
    func sendScript(_ text: String) throws(PostgresError) { try check(PQsendQuery(pointer, text)) }

    func sendPrepare(name: String, _ text: String, types: [UInt32]) throws(PostgresError) {
        try check(PQsendPrepare(pointer, name, text, Int32(types.count), types))
    }

    /// Runs a prepared statement, or `text` once when there is no name; parameters and results are binary.
    func sendQuery(prepared name: String?, _ text: String, _ parameters: [SQL.Parameter]) throws(PostgresError) {
        guard parameters.count <= 65535 else {
            throw PostgresError(.usage, "\(parameters.count) parameters, at most 65535")
        }
        // One buffer for all values; a value of no bytes still needs an address, for a null pointer means NULL.
        var buffer: [UInt8] = []
        var offsets: [Int?] = []
        for parameter in parameters {
            offsets.append(parameter.bytes == nil ? nil : buffer.count)
            if let bytes = parameter.bytes { buffer += bytes }
        }
        buffer.append(0)
        let lengths = parameters.map { Int32($0.bytes?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: parameters.count)
        let types = parameters.map(\.type.rawValue)
        let status = buffer.withUnsafeBytes { raw in
            let base = raw.assumingMemoryBound(to: CChar.self).baseAddress
            let values = offsets.map { offset in offset.flatMap { base?.advanced(by: $0) } }
            let count = Int32(parameters.count)
            return if let name {
                PQsendQueryPrepared(pointer, name, count, values, lengths, formats, 1)
            } else {
                PQsendQueryParams(pointer, text, count, types, values, lengths, formats, 1)
            }
        }
        try check(status)
    }

    /// True when everything has gone out.
    func flush() throws(PostgresError) -> Bool {
        switch PQflush(pointer) {
        case 0: true
        case 1: false
        default: throw connectionError()
        }
    }

    /// Reads what the socket has.
    func consumeInput() throws(PostgresError) { try check(PQconsumeInput(pointer)) }

    private func check(_ status: Int32) throws(PostgresError) {
        guard status == 1 else { throw connectionError() }
    }

    // MARK: Receiving

    /// True when `nextAnswer` would have to wait.
    var isBusy: Bool { PQisBusy(pointer) == 1 }

    /// The next answer, nil at the end of a statement.
    func nextAnswer() -> Answer? {
        guard let result = PQgetResult(pointer) else { return nil }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE:
            return .result(QueryResult(result))
        case PGRES_COPY_IN:
            PQclear(result)
            return .copyIn
        case PGRES_COPY_OUT:
            PQclear(result)
            return .copyOut
        case PGRES_PIPELINE_ABORTED:
            PQclear(result)
            return .skipped
        case PGRES_PIPELINE_SYNC:
            PQclear(result)
            return .synchronised
        default:
            let error = serverError(result)
            PQclear(result)
            return .failure(error)
        }
    }

    private func serverError(_ result: OpaquePointer) -> PostgresError {
        func field(_ code: Character) -> String? {
            code.asciiValue.flatMap { text(PQresultErrorField(result, Int32($0))) }
        }
        // Codes of the protocol's error fields: C SQLSTATE, M message, D detail, H hint, P position, s t c n names.
        guard let state = field("C") else {
            // Made by libpq itself: the connection is gone.
            let message = text(PQresultErrorMessage(result)) ?? ""
            return PostgresError(.connection, message.trimmedLine)
        }
        var error = PostgresError(.server, field("M") ?? "", sqlState: SQLState(rawValue: state))
        error.detail = field("D")
        error.hint = field("H")
        error.position = field("P").flatMap { Int($0) }
        error.schema = field("s")
        error.table = field("t")
        error.column = field("c")
        error.constraint = field("n")
        return error
    }

    /// Notifications received so far.
    func notifications() -> [PostgresNotification] {
        var received: [PostgresNotification] = []
        while let notify = PQnotifies(pointer) {
            received.append(
                PostgresNotification(
                    channel: String(cString: notify.pointee.relname), payload: String(cString: notify.pointee.extra)))
            PQfreemem(notify)
        }
        return received
    }

    // MARK: COPY

    /// Queues bytes of COPY IN; false when libpq's buffer is full.
    func putCopy(_ bytes: ArraySlice<UInt8>) throws(PostgresError) -> Bool {
        let status = bytes.withUnsafeBytes { raw in
            PQputCopyData(pointer, raw.assumingMemoryBound(to: CChar.self).baseAddress, Int32(raw.count))
        }
        switch status {
        case 1: return true
        case 0: return false
        default: throw connectionError()
        }
    }

    /// Ends COPY IN; with a reason it fails on the server.
    func endCopy(failing reason: String?) throws(PostgresError) -> Bool {
        switch PQputCopyEnd(pointer, reason) {
        case 1: true
        case 0: false
        default: throw connectionError()
        }
    }

    enum CopyChunk {
        case bytes([UInt8])
        case wait
        case end
    }

    /// The next piece of COPY OUT that is there: one row in text and CSV, one tuple in binary.
    func takeCopy() throws(PostgresError) -> CopyChunk {
        var buffer: UnsafeMutablePointer<CChar>?
        let count = PQgetCopyData(pointer, &buffer, 1)
        defer { if let buffer { PQfreemem(buffer) } }
        switch count {
        case 0: return .wait
        case -1: return .end
        case 1...: return .bytes([UInt8](UnsafeRawBufferPointer(start: buffer, count: Int(count))))
        default: throw connectionError()
        }
    }
}

/// What `PQcancel` needs: it does not touch the connection and may be used from any thread.
final class CancelHandle: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQfreeCancel(pointer)
    }

    /// Asks the server to cancel, and waits until it has passed the signal on. Blocks.
    func cancel() -> Bool {
        var message = [CChar](repeating: 0, count: 256)
        return PQcancel(pointer, &message, Int32(message.count)) == 1
    }
}

/// A null-terminated array of C strings, as `PQconnectStartParams` wants it.
private struct CStringArray: ~Copyable {
    private let storage: UnsafeMutableBufferPointer<UnsafePointer<CChar>?>

    init(_ strings: [String]) {
        storage = .allocate(capacity: strings.count + 1)
        storage.initialize(repeating: nil)
        for (index, string) in strings.enumerated() { storage[index] = UnsafePointer(strdup(string)) }
    }

    deinit {
        for string in storage { free(UnsafeMutablePointer(mutating: string)) }
        storage.deallocate()
    }

    var pointer: UnsafePointer<UnsafePointer<CChar>?>? { UnsafePointer(storage.baseAddress) }
}

extension String {
    /// Without the line ends that libpq puts at the end, on one line.
    fileprivate var trimmedLine: String {
        split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
