public import WireFormat

/// One connection as the server sees it: which channels are joined, and what each message asks for.
///
/// A pure state machine: messages in, actions out. The service carries the actions out and reports back with
/// ``complete(_:with:)``, ``subscribed(_:joinRef:)``, ``complete(_:token:expiry:failure:)`` and ``expire(now:)``.
public struct RealtimeServerSession: Sendable {
    /// What the service has to do, in order.
    public enum Action: Sendable, Equatable {
        /// Send to this client.
        case send(RealtimeMessage)
        /// Authorise, then ``RealtimeServerSession/complete(_:with:)``.
        case join(JoinRequest)
        /// The channel is gone: forget its bindings and presence.
        case leave(topic: String, joinRef: String)
        /// Deliver to the others on the topic, and to this client when `echo`.
        case broadcast(UserBroadcast, echo: Bool)
        /// Set this client's presence on the topic.
        case track(topic: String, joinRef: String, key: String, meta: JSONObject)
        /// Take this client's presence back.
        case untrack(topic: String, joinRef: String)
        /// Check a new token, then ``RealtimeServerSession/complete(_:token:expiry:failure:)``.
        case verify(topic: String, joinRef: String, token: String)
        /// Dropped; for the log.
        case ignore(String)
    }

    /// A joined channel.
    public struct Channel: Sendable {
        public let topic: String
        public let joinRef: String
        public let configuration: JoinConfiguration
        /// Seconds since 1970; nil: never.
        public fileprivate(set) var tokenExpiry: Double?
        fileprivate var token: String?
    }

    /// Joined channels by topic.
    public private(set) var channels: [String: Channel] = [:]
    private let channelLimit: Int

    /// A new connection.
    /// - Parameter channelLimit: most channels of one connection.
    public init(channelLimit: Int = 100) { self.channelLimit = channelLimit }

    // MARK: Messages

    /// Takes a text message.
    public mutating func receive(_ message: RealtimeMessage) -> [Action] {
        switch message.event {
        case "heartbeat" where message.topic == RealtimeTopic.phoenix:
            return [.send(.ok(RealtimeTopic.phoenix, ref: message.ref))]
        case "phx_join": return join(message)
        case "phx_leave": return leave(message)
        default: break
        }
        guard let channel = channels[message.topic] else {
            return [
                .send(.refusal(message.topic, ref: message.ref, joinRef: message.joinRef, reason: "unmatched topic"))
            ]
        }
        guard message.joinRef == nil || message.joinRef == channel.joinRef else { return [.ignore("stale join_ref")] }
        switch message.event {
        case "broadcast": return broadcast(message, channel)
        case "presence": return presence(message, channel)
        case "access_token": return accessToken(message, channel)
        default: return [.ignore("unknown event \(message.event.prefix(64))")]
        }
    }

    /// Takes a binary frame.
    public mutating func receive(_ broadcast: UserBroadcast) -> [Action] {
        guard let channel = channels[broadcast.topic] else {
            return [
                .send(
                    .refusal(broadcast.topic, ref: broadcast.ref, joinRef: broadcast.joinRef, reason: "unmatched topic")
                )
            ]
        }
        guard broadcast.joinRef == nil || broadcast.joinRef == channel.joinRef else {
            return [.ignore("stale join_ref")]
        }
        return deliver(broadcast, channel)
    }

    // MARK: Join and leave

    private mutating func join(_ message: RealtimeMessage) -> [Action] {
        func refuse(_ reason: String) -> [Action] {
            [.send(.refusal(message.topic, ref: message.ref, joinRef: message.joinRef ?? message.ref, reason: reason))]
        }
        guard message.topic.hasPrefix(RealtimeTopic.prefix) else { return refuse("unmatched topic") }
        guard message.topic != RealtimeTopic.prefix else {
            return refuse("TopicNameRequired: You must provide a topic name")
        }
        guard let joinRef = message.joinRef ?? message.ref else { return [.ignore("join without a ref")] }
        var actions: [Action] = []
        if let old = channels.removeValue(forKey: message.topic) {
            actions.append(.leave(topic: old.topic, joinRef: old.joinRef))
            actions.append(.send(.close(old.topic, joinRef: old.joinRef)))
        }
        guard channels.count < channelLimit else {
            return actions + refuse("ChannelRateLimitReached: Too many channels")
        }
        let token = message.payload["access_token"]?.stringValue ?? message.payload["user_token"]?.stringValue
        return actions + [
            .join(
                JoinRequest(
                    topic: message.topic, joinRef: joinRef, ref: message.ref,
                    configuration: JoinConfiguration(message.payload), accessToken: token.flatMap(Self.meaningful)))
        ]
    }

    /// Answers a join.
    ///
    /// The answer, the first action, has to be sent before any change of the channel's bindings.
    public mutating func complete(_ request: JoinRequest, with outcome: JoinOutcome) -> [Action] {
        switch outcome {
        case .refused(let reason):
            return [.send(.refusal(request.topic, ref: request.ref, joinRef: request.joinRef, reason: reason))]
        case .accepted(_, let fault?) where request.configuration.waitsForChanges:
            let reason = "RealtimeDisabledForConfiguration: \(fault)"
            return [.send(.refusal(request.topic, ref: request.ref, joinRef: request.joinRef, reason: reason))]
        case .accepted(let expiry, let fault):
            channels[request.topic] = Channel(
                topic: request.topic, joinRef: request.joinRef, configuration: request.configuration,
                tokenExpiry: expiry, token: request.accessToken)
            let echo = request.configuration.changes.map { entry -> JSONValue in
                // An entry that cannot be read is echoed too: the clients compare by position.
                var reply = entry
                reply["id"] = JSONValue(ChangeBinding.identifier(entry))
                return .object(reply)
            }
            var actions: [Action] = [
                .send(
                    .ok(
                        request.topic, ref: request.ref, joinRef: request.joinRef,
                        response: ["postgres_changes": .array(echo)]))
            ]
            if let fault {
                actions.append(
                    .send(
                        .system(
                            request.topic, joinRef: request.joinRef, source: "postgres_changes", isError: true,
                            text: fault)))
            }
            return actions
        }
    }

    /// Changes flow from here on without a gap.
    public func subscribed(_ topic: String, joinRef: String) -> [Action] {
        guard channels[topic]?.joinRef == joinRef else { return [] }
        return [.send(.system(topic, joinRef: joinRef, source: "postgres_changes", text: "Subscribed to PostgreSQL"))]
    }

    private mutating func leave(_ message: RealtimeMessage) -> [Action] {
        let reply = Action.send(.ok(message.topic, ref: message.ref, joinRef: message.joinRef))
        guard let channel = channels[message.topic] else { return [reply] }
        guard message.joinRef == nil || message.joinRef == channel.joinRef else { return [.ignore("stale join_ref")] }
        channels[message.topic] = nil
        return [
            .leave(topic: channel.topic, joinRef: channel.joinRef), reply,
            .send(.close(channel.topic, joinRef: channel.joinRef)),
        ]
    }

    // MARK: Broadcast and presence

    private func broadcast(_ message: RealtimeMessage, _ channel: Channel) -> [Action] {
        guard let event = message.payload["event"]?.stringValue else { return [.ignore("broadcast without event")] }
        let payload = message.payload["payload"] ?? .object(JSONObject())
        return deliver(
            UserBroadcast(
                joinRef: message.joinRef, ref: message.ref, topic: message.topic, event: event, isJSON: true,
                payload: payload.bytes()), channel)
    }

    private func deliver(_ broadcast: UserBroadcast, _ channel: Channel) -> [Action] {
        var actions = [Action.broadcast(broadcast, echo: channel.configuration.echoesBroadcasts)]
        if channel.configuration.acknowledgesBroadcasts {
            actions.append(.send(.ok(channel.topic, ref: broadcast.ref, joinRef: channel.joinRef)))
        }
        return actions
    }

    private func presence(_ message: RealtimeMessage, _ channel: Channel) -> [Action] {
        let reply = Action.send(.ok(channel.topic, ref: message.ref, joinRef: channel.joinRef))
        switch message.payload["event"]?.stringValue?.lowercased() {
        case "track":
            let meta = message.payload["payload"]?.objectValue ?? JSONObject()
            let key = channel.configuration.presenceKey
            return [.track(topic: channel.topic, joinRef: channel.joinRef, key: key, meta: meta), reply]
        case "untrack": return [.untrack(topic: channel.topic, joinRef: channel.joinRef), reply]
        default: return [.ignore("unknown presence event")]
        }
    }

    // MARK: Tokens

    /// Null, empty and `sb_...` stand for the connection's own token.
    private static func meaningful(_ token: String) -> String? {
        token.isEmpty || token.hasPrefix("sb_") ? nil : token
    }

    private func accessToken(_ message: RealtimeMessage, _ channel: Channel) -> [Action] {
        guard let token = message.payload["access_token"]?.stringValue.flatMap(Self.meaningful), token != channel.token
        else { return [] }
        return [.verify(topic: channel.topic, joinRef: channel.joinRef, token: token)]
    }

    /// Reports on a ``Action/verify(topic:joinRef:token:)``; a good token has no answer, a bad one closes the channel.
    /// - Parameter failure: the text for the client; nil: the token is good.
    public mutating func complete(
        _ topic: String, joinRef: String, token: String, expiry: Double?, failure: String?
    ) -> [Action] {
        guard channels[topic]?.joinRef == joinRef else { return [] }
        if let failure { return shut(topic, failure) }
        channels[topic]?.token = token
        channels[topic]?.tokenExpiry = expiry
        return []
    }

    /// Closes the channels whose token has expired.
    /// - Parameter now: seconds since 1970.
    public mutating func expire(now: Double) -> [Action] {
        let expired = channels.values.filter { ($0.tokenExpiry ?? .infinity) <= now }.sorted { $0.topic < $1.topic }
        var actions: [Action] = []
        for channel in expired {
            let failure = TokenClaims.Failure.expired(secondsAgo: Int(min(now - (channel.tokenExpiry ?? now), 1e15)))
            actions += shut(channel.topic, failure.systemText)
        }
        return actions
    }

    /// When the next token expires; seconds since 1970.
    public var nextExpiry: Double? { channels.values.compactMap(\.tokenExpiry).min() }

    /// Ends one channel with an error.
    public mutating func shut(_ topic: String, _ text: String) -> [Action] {
        guard let channel = channels.removeValue(forKey: topic) else { return [] }
        return [
            .leave(topic: topic, joinRef: channel.joinRef),
            .send(.system(topic, joinRef: channel.joinRef, isError: true, text: text)),
            .send(.close(topic, joinRef: channel.joinRef)),
        ]
    }

    /// The server stops: what each channel hears before the connection is closed with 1012.
    public func drain() -> [Action] {
        channels.values.sorted { $0.topic < $1.topic }.map {
            .send(.system($0.topic, joinRef: $0.joinRef, text: "Server requested disconnect"))
        }
    }
}
