import Logging
import Realtime
import ServiceKit
import WebSocketTransport

/// A subscription to market_data at the store-notifier: each change is a wake-up, nothing more.
struct RealtimeWakeUp: Sendable {
    /// `ws://host:port/realtime/v1`, with or without `/websocket`.
    let url: String
    /// Makes a token for each connection; nil where the installation has no JWT secret, and then no connection is tried.
    let token: @Sendable () async throws -> String
    let logger: Logger

    /// The durable cursor that the notifier keeps for us.
    static let subscriber = "optimizer-wake"

    /// Stays connected until the task is cancelled; pauses grow to five seconds.
    func run(waking wake: WakeSignal) async {
        var pause = Duration.milliseconds(100)
        var isFailing = false
        while !Task.isCancelled {
            do {
                try await connectOnce(waking: wake) {
                    pause = .milliseconds(100)
                    isFailing = false
                }
            } catch {
                if Task.isCancelled { return }
                if !isFailing {
                    logger.info(
                        "No connection to the store-notifier, NOTIFY and the poll go on",
                        metadata: ["error": "\(error)"])
                }
                isFailing = true
            }
            // What was missed while there was no connection.
            wake.wake()
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(5))
        }
    }

    private func connectOnce(waking wake: WakeSignal, onSubscribed: @escaping () -> Void) async throws {
        let token = try await token()
        let topic = "realtime:\(Self.subscriber)"
        var session = RealtimeClientSession(subscriptions: [
            .init(topic: topic, changes: [.init(schema: "public", table: "market_data")], accessToken: token)
        ])
        let base = url.hasSuffix("/websocket") ? url : url + "/websocket"
        let connection = try await WebSocketClient.connect(
            to: "\(base)?\(session.query)&apikey=\(token)", headers: [("Authorization", "Bearer \(token)")])
        defer { connection.close(code: WebSocketCloseCode.normal) }
        let clock = ContinuousClock()
        let origin = clock.now
        var now: Duration { clock.now - origin }

        // Messages and deadlines meet in one stream, so that the session has one owner.
        enum Input: Sendable { case message(String), tick, end }
        let (inputs, source) = AsyncStream.makeStream(of: Input.self, bufferingPolicy: .bufferingNewest(1024))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await message in connection.messages {
                    if case .text(let text) = message { source.yield(.message(text)) }
                    if case .drain = message { break }
                }
                source.yield(.end)
            }
            group.addTask {
                while !Task.isCancelled {
                    try await Task.sleep(for: .seconds(1))
                    source.yield(.tick)
                }
            }
            defer { group.cancelAll() }
            var actions = session.connected(at: now)
            var iterator = inputs.makeAsyncIterator()
            while true {
                for action in actions {
                    switch action {
                    case .send(let text): _ = connection.send(text)
                    case .subscribed:
                        onSubscribed()
                        wake.wake()
                    case .change, .notice: wake.wake()
                    case .reconnect(let reason): throw Lost(reason: reason)
                    case .failed(_, let reason): logger.debug("Subscription refused", metadata: ["reason": "\(reason)"])
                    case .joined, .broadcast: break
                    }
                }
                switch await iterator.next() {
                case .message(let text)?: actions = session.received(text, at: now)
                case .tick?: actions = session.advance(to: now)
                case .end?, nil: throw Lost(reason: connection.closure?.description ?? "closed")
                }
            }
        }
    }

    private struct Lost: Error, CustomStringConvertible {
        let reason: String
        var description: String { reason }
    }
}
