/// The sending end of a COPY: `write` returns when the bytes are on their way, so a slow server slows the writer.
public struct CopyInStream: Sendable {
    let connection: PostgresConnection

    /// Sends bytes in the format of the COPY statement; pieces need not end at rows.
    ///
    /// - Throws: `.connection`, `.cancelled`.
    public func write(_ bytes: [UInt8]) async throws(PostgresError) {
        // Pieces of 64 KiB: libpq never holds more than that unsent.
        var rest = bytes[...]
        while !rest.isEmpty {
            try await connection.putCopy(rest.prefix(1 << 16))
            rest = rest.dropFirst(1 << 16)
        }
    }
}

extension PostgresConnection {
    /// Runs `COPY ... FROM STDIN`; the body writes the data. When it throws, the COPY fails on the server and nothing is stored.
    ///
    /// The connection is busy until the body returns: use only the stream in it.
    /// - Returns: the number of rows stored.
    /// - Throws: what the body throws, `.server` for rows the server refuses, `.connection`, `.cancelled`.
    @discardableResult
    public nonisolated(nonsending) func copyIn(
        _ sql: SQL, _ body: nonisolated(nonsending) (CopyInStream) async throws -> Void
    ) async throws -> Int {
        try await beginCopy(sql, expecting: .copyIn)
        defer { gate.leave() }
        do {
            try await body(CopyInStream(connection: self))
        } catch {
            _ = try? await endCopy(failing: "the writer failed")
            throw error
        }
        return try await endCopy(failing: nil)
    }

    /// Runs `COPY ... FROM STDIN (FORMAT binary)` over rows; `encode` writes one row each. Memory stays at some 64 KiB.
    ///
    /// - Returns: the number of rows stored.
    /// - Throws: what `encode` throws, otherwise as the other `copyIn`.
    @discardableResult
    public nonisolated(nonsending) func copyIn<Rows: Sequence>(
        _ sql: SQL, rows: Rows, encode: (Rows.Element, inout CopyBinaryWriter) throws -> Void
    ) async throws -> Int {
        try await copyIn(sql) { stream in
            var writer = CopyBinaryWriter()
            for row in rows {
                try encode(row, &writer)
                if writer.bytes.count >= 1 << 16 { try await stream.write(writer.take()) }
            }
            writer.finish()
            try await stream.write(writer.take())
        }
    }

    /// The same over an asynchronous sequence: it is read no faster than the server takes the rows.
    ///
    /// - Returns: the number of rows stored.
    /// - Throws: what the sequence or `encode` throws, otherwise as the other `copyIn`.
    @discardableResult
    public nonisolated(nonsending) func copyIn<Rows: AsyncSequence>(
        _ sql: SQL, rows: Rows, encode: (Rows.Element, inout CopyBinaryWriter) throws -> Void
    ) async throws -> Int {
        try await copyIn(sql) { stream in
            var writer = CopyBinaryWriter()
            for try await row in rows {
                try encode(row, &writer)
                if writer.bytes.count >= 1 << 16 { try await stream.write(writer.take()) }
            }
            writer.finish()
            try await stream.write(writer.take())
        }
    }

    enum CopyDirection {
        case copyIn, copyOut
    }

    /// Sends the COPY statement and waits until data can flow. On success the gate is held.
    func beginCopy(_ sql: SQL, expecting direction: CopyDirection) async throws(PostgresError) {
        guard sql.parameters.isEmpty else { throw PostgresError(.usage, "COPY takes no parameters") }
        await gate.enter()
        do throws(PostgresError) {
            try await flushPrefix()
            try begin(shielded: false)
            do { try link.sendScript(sql.text) } catch { throw broken(error) }
            var exchange = Exchange(isShielded: false)
            switch try await nextAnswer(&exchange) {
            case .copyIn where direction == .copyIn: break
            case .copyOut where direction == .copyOut: break
            case .failure(let error):
                if error.isConnectionFailure { throw broken(error) }
                _ = try await drain(&exchange)
                throw recorded(error, exchange)
            default: throw broken(PostgresError(.usage, "not a COPY statement of this direction"))
            }
            await finish(&exchange)
        } catch {
            gate.leave()
            throw error
        }
    }

    fileprivate func putCopy(_ bytes: ArraySlice<UInt8>) async throws(PostgresError) {
        var exchange = Exchange(isShielded: false)
        try begin(shielded: false)
        do throws(PostgresError) {
            while try !link.putCopy(bytes) { try await waitForRoom(&exchange) }
            while try !link.flush() { try await waitForRoom(&exchange) }
        } catch {
            if error.kind != .cancelled { markBroken() }
            throw error
        }
    }

    /// Waits until libpq could send something. A cancelled task need not ask the server: ending the COPY with a failure will do.
    private func waitForRoom(_ exchange: inout Exchange) async throws(PostgresError) {
        switch await SocketReactor.shared.wait(
            link.socket, .readOrWrite, until: exchange.deadline, shielded: exchange.isShielded)
        {
        case .ready: try link.consumeInput()
        case .timedOut: throw broken(PostgresError(.connection, "the server does not take the data"))
        case .cancelled: throw PostgresError(.cancelled, "cancelled while copying")
        }
    }

    @discardableResult
    fileprivate func endCopy(failing reason: String?) async throws(PostgresError) -> Int {
        var exchange = Exchange(isShielded: reason != nil)
        try begin(shielded: true)
        // A server that is stuck on a row reads no more: it would not see the failure either.
        if reason != nil { requestCancel(&exchange) }
        do throws(PostgresError) {
            while try !link.endCopy(failing: reason) { try await waitForRoom(&exchange) }
            while try !link.flush() { try await waitForRoom(&exchange) }
        } catch {
            markBroken()
            await finish(&exchange)
            throw error
        }
        return try await drain(&exchange)?.affectedRows ?? 0
    }
}
