import Synchronization
public import Logging

/// LISTEN on a session of its own that is made again, with a back-off, whenever it is lost.
public struct PostgresListener: Sendable {
    private let configuration: PostgresConfiguration
    private let logger: Logger

    /// A listener; nothing is opened until the sequence is read.
    public init(_ configuration: PostgresConfiguration, logger: Logger) {
        var configuration = configuration
        configuration.applicationName += " listener"
        self.configuration = configuration
        self.logger = logger
    }

    /// The notifications of the channels, for ever: `connected` after each LISTEN, `disconnected` at each loss. Ends when the task is cancelled.
    ///
    /// The work is done by the reader: nothing runs, and the session waits at the server, while nobody reads.
    public func notifications(channels: [String]) -> NotificationSequence {
        NotificationSequence(configuration: configuration, channels: channels, logger: logger)
    }
}

/// What happens on some channels. Each iterator has a session of its own.
public struct NotificationSequence: AsyncSequence, Sendable {
    /// What happened.
    public typealias Element = ListenEvent
    /// It never fails: a lost session is made again.
    public typealias Failure = Never

    let configuration: PostgresConfiguration
    let channels: [String]
    let logger: Logger

    /// A new session, opened by the first `next()`.
    public func makeAsyncIterator() -> Iterator {
        Iterator(configuration: configuration, channels: channels, logger: logger)
    }

    /// Reads events; a session is held between the calls.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        private let configuration: PostgresConfiguration
        private let channels: [String]
        private let logger: Logger
        private var connection: PostgresConnection?
        private var pending: [PostgresNotification] = []
        private var backOff = BackOff()
        private var hasReportedLoss = false

        init(configuration: PostgresConfiguration, channels: [String], logger: Logger) {
            self.configuration = configuration
            self.channels = channels
            self.logger = logger
        }

        /// The next event; nil when the task is cancelled.
        public mutating func next() async -> ListenEvent? {
            while !Task.isCancelled {
                if let connection {
                    if let event = await nextEvent(on: connection) { return event }
                } else if let event = await reconnect() {
                    return event
                }
            }
            await connection?.close()
            connection = nil
            return nil
        }

        /// The next event; nil when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> ListenEvent? {
            await next()
        }

        private mutating func nextEvent(on connection: PostgresConnection) async -> ListenEvent? {
            if pending.isEmpty {
                do {
                    pending = try await connection.receiveNotifications().reversed()
                } catch {
                    if error.kind == .cancelled { return nil }
                    logger.warning("listener disconnected", metadata: ["error": "\(error.debugDescription)"])
                    await connection.close()
                    self.connection = nil
                    hasReportedLoss = true
                    return .disconnected
                }
            }
            guard let first = pending.popLast() else { return nil }
            return .notification(channel: first.channel, payload: first.payload)
        }

        private mutating func reconnect() async -> ListenEvent? {
            do {
                let fresh = try await PostgresConnection.connect(configuration, logger: logger)
                for channel in channels { try await fresh.execute("LISTEN \(identifier: channel)") }
                connection = fresh
                backOff.reset()
                hasReportedLoss = false
                return .connected
            } catch {
                guard error.kind != .cancelled else { return nil }
                logger.warning("listener cannot connect", metadata: ["error": "\(error.debugDescription)"])
                if !hasReportedLoss {
                    hasReportedLoss = true
                    return .disconnected
                }
                try? await Task.sleep(for: backOff.next())
                return nil
            }
        }
    }
}

extension PostgresConnection {
    /// Waits until at least one notification is there.
    ///
    /// - Throws: `.connection`, `.cancelled`.
    func receiveNotifications() async throws(PostgresError) -> [PostgresNotification] {
        await gate.enter()
        defer { gate.leave() }
        try begin(shielded: false)
        while true {
            _ = link.isBusy
            collectNotifications()
            let received = session.withLock { session in
                defer { session.notifications = [] }
                return session.notifications
            }
            if !received.isEmpty { return received }
            switch await SocketReactor.shared.wait(link.socket, .read) {
            case .ready:
                do { try link.consumeInput() } catch { throw broken(error) }
            case .cancelled: throw PostgresError(.cancelled, "cancelled while listening")
            case .timedOut: throw broken(nil)
            }
        }
    }
}

/// Pauses between attempts: 10 ms, doubled up to 1 s, each shortened by a random part of up to a half.
struct BackOff {
    private var attempt = 0
    static let longest = Duration.seconds(1)

    mutating func reset() { attempt = 0 }

    mutating func next() -> Duration {
        let full = min(Self.longest, .milliseconds(10) * (1 << min(attempt, 7)))
        attempt += 1
        return full * Double.random(in: 0.5...1)
    }
}
