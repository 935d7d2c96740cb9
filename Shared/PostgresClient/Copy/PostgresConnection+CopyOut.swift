import Synchronization

extension PostgresConnection {
    /// Runs `COPY ... TO STDOUT` and returns its data as pieces: a row each in text and CSV, a tuple each in binary (with header and trailer).
    ///
    /// The socket is read only as fast as the sequence is. The connection is busy until the sequence ends; one that is left early ends with its connection,
    /// because the rest of the data is still on its way.
    /// - Throws: `.server`, `.connection`, `.cancelled`; the sequence throws the same.
    public func copyOut(_ sql: SQL) async throws(PostgresError) -> CopyOutSequence {
        try await beginCopy(sql, expecting: .copyOut)
        return CopyOutSequence(cursor: CopyOutSequence.Cursor(self))
    }

    fileprivate func takeCopy() async throws(PostgresError) -> [UInt8]? {
        var exchange = Exchange(isShielded: false)
        do throws(PostgresError) {
            // The data of a cancelled task are still on their way: the statement is ended, and the connection lives on.
            try begin(shielded: true)
            if Task.isCancelled {
                requestCancel(&exchange)
                try await discardCopy(&exchange)
            }
            while true {
                switch try link.takeCopy() {
                case .bytes(let bytes):
                    await finish(&exchange)
                    return bytes
                case .end:
                    _ = try await drain(&exchange)
                    return nil
                case .wait:
                    try await wait(.read, &exchange)
                    try link.consumeInput()
                    if exchange.cancellation != nil { try await discardCopy(&exchange) }
                }
            }
        } catch {
            if error.kind == .connection { markBroken() }
            throw error
        }
    }

    /// Reads and forgets what was under way when the server was asked to cancel; ends with its error.
    private func discardCopy(_ exchange: inout Exchange) async throws(PostgresError) {
        while true {
            switch try link.takeCopy() {
            case .bytes: continue
            case .wait:
                try await wait(.read, &exchange)
                try link.consumeInput()
            case .end:
                _ = try await drain(&exchange)
                throw PostgresError(.cancelled, "cancelled while copying")
            }
        }
    }
}

/// The data of a COPY out, read once.
public struct CopyOutSequence: AsyncSequence, Sendable {
    /// A piece of the stream.
    public typealias Element = [UInt8]
    /// What ends it early.
    public typealias Failure = PostgresError

    let cursor: Cursor

    /// The one reading of the data.
    public func makeAsyncIterator() -> Iterator { Iterator(cursor: cursor) }

    /// Reads the pieces in order.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let cursor: Cursor

        /// The next piece, nil at the end.
        public mutating func next() async throws(PostgresError) -> [UInt8]? { try await cursor.next() }

        /// The next piece, nil at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(PostgresError) -> [UInt8]? {
            try await cursor.next()
        }
    }

    /// Holds the connection's gate until the end of the data, or until nobody reads any more.
    final class Cursor: Sendable {
        private let connection: PostgresConnection
        private let isOpen = Atomic(true)

        init(_ connection: PostgresConnection) {
            self.connection = connection
        }

        deinit {
            guard isOpen.load(ordering: .acquiring) else { return }
            connection.markBroken()
            _ = end()
        }

        func next() async throws(PostgresError) -> [UInt8]? {
            guard isOpen.load(ordering: .acquiring) else { return nil }
            do throws(PostgresError) {
                if let bytes = try await connection.takeCopy() { return bytes }
            } catch {
                _ = end()
                throw error
            }
            _ = end()
            return nil
        }

        /// True the first time.
        private func end() -> Bool {
            guard isOpen.exchange(false, ordering: .acquiringAndReleasing) else { return false }
            connection.gate.leave()
            return true
        }
    }
}
