public import WireFormat

/// A client of a Realtime server as a pure state machine: joins its channels, beats, and joins again after a reconnect.
///
/// The owner opens the socket, hands in what happens and carries the actions out:
///
///     var session = RealtimeClientSession(subscriptions: [.init(topic: "realtime:prices", changes: [.init(table: "market_data")])])
///     perform(session.connected(at: clock.now))                // after each connect
///     perform(session.received(text, at: clock.now))           // each text message
///     perform(session.advance(to: clock.now))                  // at `session.nextDeadline`
///     session.disconnected()                                   // when the socket is gone; then connect again
///
/// Instants are durations since any fixed origin.
public struct RealtimeClientSession: Sendable {
    /// What is wanted of one table.
    public struct Change: Sendable, Equatable {
        /// Nil: every kind.
        public var kind: ChangeKind?
        public var schema: String
        public var table: String
        /// `asset_symbol=eq.AAPL`; nil: every row.
        public var filter: String?

        /// A wish.
        public init(kind: ChangeKind? = nil, schema: String = "public", table: String, filter: String? = nil) {
            self.kind = kind
            self.schema = schema
            self.table = table
            self.filter = filter
        }

        var json: JSONValue {
            var entry = JSONObject([
                ("event", .string(kind?.rawValue ?? "*")), ("schema", .string(schema)), ("table", .string(table)),
            ])
            if let filter { entry["filter"] = .string(filter) }
            return .object(entry)
        }
    }

    /// A channel to be in.
    public struct Subscription: Sendable, Equatable {
        /// `realtime:<name>`.
        public var topic: String
        public var changes: [Change]
        /// Nil: the token of the connection counts.
        public var accessToken: String?

        /// A channel.
        public init(topic: String, changes: [Change], accessToken: String? = nil) {
            self.topic = topic
            self.changes = changes
            self.accessToken = accessToken
        }
    }

    /// What the owner has to do, in order.
    public enum Action: Sendable, Equatable {
        /// Send this text message.
        case send(String)
        /// The join was accepted: nothing committed from now on is missed.
        case joined(topic: String)
        /// `Subscribed to PostgreSQL`: what was missed before has been replayed.
        case subscribed(topic: String)
        /// A row has changed.
        case change(topic: String, RealtimeChange)
        /// A broadcast.
        case broadcast(topic: String, event: String, payload: JSONValue)
        /// A notice of the server, as `CursorExpired: ...`: read everything afresh.
        case notice(topic: String, text: String)
        /// A join was refused, or a channel failed; it is tried again with growing pauses.
        case failed(topic: String, reason: String)
        /// The connection is dead: close it, connect again, ``RealtimeClientSession/connected(at:)``.
        case reconnect(reason: String)
    }

    private enum State: Sendable, Equatable {
        case idle
        case joining(ref: String, deadline: Duration)
        case joined(ref: String)
        case waiting(until: Duration)
    }

    private struct Channel: Sendable {
        let subscription: Subscription
        var state = State.idle
        var failures = 0
    }

    private let version: RealtimeVersion
    private var channels: [Channel]
    private var lastRef = 0
    private var isConnected = false
    private var nextHeartbeat: Duration = .zero
    private var pendingHeartbeat: String?

    /// Pauses before a refused join is tried again.
    static let pauses: [Duration] = [.seconds(1), .seconds(2), .seconds(5), .seconds(10)]
    /// Between heartbeats; one that is unanswered when the next is due means a dead connection.
    public static let heartbeatInterval = Duration.seconds(25)
    /// A join without an answer for so long is tried again.
    static let joinTimeout = Duration.seconds(10)

    /// A session that wants these channels.
    public init(subscriptions: [Subscription], version: RealtimeVersion = .v2) {
        self.version = version
        channels = subscriptions.map { Channel(subscription: $0) }
    }

    /// What the URL's query needs beside the credentials.
    public var query: String { "vsn=\(version.vsn)" }

    /// Whether every channel is joined.
    public var isJoined: Bool {
        isConnected && channels.allSatisfy { if case .joined = $0.state { true } else { false } }
    }

    /// The socket is open.
    public mutating func connected(at now: Duration) -> [Action] {
        isConnected = true
        pendingHeartbeat = nil
        nextHeartbeat = now + Self.heartbeatInterval
        return channels.indices.map { join($0, at: now) }
    }

    /// The socket is gone.
    public mutating func disconnected() {
        isConnected = false
        for index in channels.indices { channels[index].state = .idle }
    }

    /// When ``advance(to:)`` has something to do; nil while disconnected.
    public var nextDeadline: Duration? {
        guard isConnected else { return nil }
        return channels.reduce(nextHeartbeat) { earliest, channel in
            switch channel.state {
            case .joining(_, let deadline), .waiting(let deadline): min(earliest, deadline)
            default: earliest
            }
        }
    }

    /// Time has passed.
    public mutating func advance(to now: Duration) -> [Action] {
        guard isConnected else { return [] }
        var actions: [Action] = []
        if now >= nextHeartbeat {
            guard pendingHeartbeat == nil else { return [.reconnect(reason: "no answer to a heartbeat")] }
            let ref = makeRef()
            pendingHeartbeat = ref
            nextHeartbeat = now + Self.heartbeatInterval
            actions.append(
                send(
                    RealtimeMessage(
                        ref: ref, topic: RealtimeTopic.phoenix, event: "heartbeat", payload: .object(JSONObject()))))
        }
        for index in channels.indices {
            switch channels[index].state {
            case .waiting(let until) where until <= now: actions.append(join(index, at: now))
            case .joining(_, let deadline) where deadline <= now:
                actions += fail(index, "no answer to the join", at: now)
            default: break
            }
        }
        return actions
    }

    /// A text message has arrived. What is not understood is ignored.
    public mutating func received(_ text: String, at now: Duration) -> [Action] {
        guard let message = try? version.decode(text) else { return [] }
        if message.topic == RealtimeTopic.phoenix {
            if message.event == "phx_reply", message.ref == pendingHeartbeat { pendingHeartbeat = nil }
            return []
        }
        guard let index = channels.firstIndex(where: { $0.subscription.topic == message.topic }) else { return [] }
        let topic = message.topic
        switch message.event {
        case "phx_reply": return reply(message, index, at: now)
        case "postgres_changes":
            return RealtimeChange(payload: message.payload).map { [.change(topic: topic, $0)] } ?? []
        case "broadcast":
            return [
                .broadcast(
                    topic: topic, event: message.payload["event"]?.stringValue ?? "",
                    payload: message.payload["payload"] ?? .null)
            ]
        case "system": return system(message, topic)
        case "phx_close", "phx_error":
            guard case .joined(let ref) = channels[index].state, message.ref == nil || message.ref == ref else {
                return []
            }
            return fail(index, message.event, at: now)
        default: return []
        }
    }

    private func system(_ message: RealtimeMessage, _ topic: String) -> [Action] {
        let text = message.payload["message"]?.stringValue ?? ""
        if message.payload["status"]?.stringValue == "error" { return [.failed(topic: topic, reason: text)] }
        return text == "Subscribed to PostgreSQL" ? [.subscribed(topic: topic)] : [.notice(topic: topic, text: text)]
    }

    private mutating func reply(_ message: RealtimeMessage, _ index: Int, at now: Duration) -> [Action] {
        guard case .joining(let ref, _) = channels[index].state, message.ref == ref else { return [] }
        let topic = channels[index].subscription.topic
        guard message.payload["status"]?.stringValue == "ok" else {
            return fail(index, message.payload["response"]?["reason"]?.stringValue ?? "refused", at: now)
        }
        channels[index].state = .joined(ref: ref)
        channels[index].failures = 0
        return [.joined(topic: topic)]
    }

    private mutating func join(_ index: Int, at now: Duration) -> Action {
        let ref = makeRef()
        channels[index].state = .joining(ref: ref, deadline: now + Self.joinTimeout)
        let subscription = channels[index].subscription
        var payload = JSONObject([
            (
                "config",
                [
                    "broadcast": ["ack": false, "self": false], "presence": ["key": "", "enabled": false],
                    "private": false,
                    "postgres_changes": .array(subscription.changes.map(\.json)),
                ]
            )
        ])
        if let token = subscription.accessToken { payload["access_token"] = .string(token) }
        return send(
            RealtimeMessage(
                joinRef: ref, ref: ref, topic: subscription.topic, event: "phx_join", payload: .object(payload)))
    }

    private mutating func fail(_ index: Int, _ reason: String, at now: Duration) -> [Action] {
        let pause = Self.pauses[min(channels[index].failures, Self.pauses.count - 1)]
        channels[index].failures += 1
        channels[index].state = .waiting(until: now + pause)
        return [.failed(topic: channels[index].subscription.topic, reason: reason)]
    }

    private mutating func makeRef() -> String {
        lastRef += 1
        return String(lastRef)
    }

    private func send(_ message: RealtimeMessage) -> Action { .send(version.encode(message, fromClient: true)) }
}
