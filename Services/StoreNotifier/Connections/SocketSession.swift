import Realtime
import ServiceKit
import WebSocketTransport
import WireFormat

/// One client's connection: carries out what its state machine says.
actor SocketSession {
    /// What all connections share.
    struct Environment: Sendable {
        let hub: Hub
        let topics: TopicHub
        let source: any ChangeSource
        let cursors: CursorStore
        let gate: Gate
        let observer: Observer
        /// Before a refused join is answered.
        var refusalDelay: Duration = .seconds(1)
        /// Between two looks at the credentials of an open connection.
        var credentialInterval: Double = 300
    }

    private let connection: WebSocketConnection
    private let version: RealtimeVersion
    private let identity: Identity
    private let environment: Environment
    /// The explicit cursor of the connection's query.
    private let since: String?
    private let acknowledgements: AcknowledgementLedger?
    private let id: String
    private let catchUps: AsyncStream<Subscription>
    private let catchUpRequests: AsyncStream<Subscription>.Continuation

    private var session = RealtimeServerSession()
    private var subscriptions: [String: Subscription] = [:]
    private var tenants: [String: String] = [:]
    private var nextCheck: Double

    init(
        connection: WebSocketConnection, version: RealtimeVersion, identity: Identity, request: WebSocketUpgradeRequest,
        environment: Environment
    ) {
        self.connection = connection
        self.version = version
        self.identity = identity
        self.environment = environment
        since = request.parameter("since")
        id = String(UInt64.random(in: 0 ... .max), radix: 36)
        let subscriber = request.parameter("subscriber").flatMap { $0.isEmpty || $0.utf8.count > 200 ? nil : $0 }
        acknowledgements = subscriber.map { name in
            AcknowledgementLedger(
                subscriber: "ws:\(identity.tenant):\(identity.principal.subject):\(name)", connection: connection,
                store: environment.cursors)
        }
        (catchUps, catchUpRequests) = AsyncStream.makeStream()
        nextCheck = Gate.now + environment.credentialInterval
    }

    /// Serves the connection until it ends.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.receive() }
            group.addTask { await self.catchUp() }
            group.addTask { await self.watchCredentials() }
            await group.next()
            group.cancelAll()
        }
        for topic in subscriptions.keys.sorted() { forget(topic) }
        for (topic, tenant) in tenants {
            environment.topics.leave(.init(tenant: tenant, name: topic), member: memberID(topic))
        }
    }

    // MARK: Messages

    private func receive() async {
        for await message in connection.messages {
            switch message {
            case .text(let text):
                do throws(RealtimeFrameError) {
                    await perform(session.receive(try version.decode(text)))
                } catch {
                    environment.observer.record(.ignored("\(error)"))
                }
            case .binary(let bytes):
                guard version == .v2, let broadcast = try? BinaryFrame.decodePush(bytes) else {
                    environment.observer.record(.ignored("binary frame"))
                    continue
                }
                await perform(session.receive(broadcast), asBinary: true)
            case .pong(let payload): acknowledgements?.pong(payload)
            case .drain:
                await perform(session.drain())
                connection.close(code: WebSocketCloseCode.serviceRestart, reason: "restart")
            }
        }
    }

    private func perform(_ actions: [RealtimeServerSession.Action], asBinary: Bool = false) async {
        for action in actions {
            switch action {
            case .send(let message): try? await connection.sendWhenReady(version.encode(message))
            case .join(let request): await join(request)
            case .leave(let topic, _):
                forget(topic)
                if let tenant = tenants.removeValue(forKey: topic) {
                    environment.topics.leave(.init(tenant: tenant, name: topic), member: memberID(topic))
                }
            case .broadcast(let broadcast, let echo):
                environment.topics.broadcast(
                    room(broadcast.topic), broadcast, from: memberID(broadcast.topic), echo: echo, asBinary: asBinary)
            case .track(let topic, _, let key, let meta):
                environment.topics.track(room(topic), member: memberID(topic), key: key, meta: meta)
            case .untrack(let topic, _): environment.topics.untrack(room(topic), member: memberID(topic))
            case .verify(let topic, let joinRef, let token): await verify(topic, joinRef, token)
            case .ignore(let what): environment.observer.record(.ignored(what))
            }
        }
    }

    private func memberID(_ topic: String) -> String { "\(id):\(topic)" }

    private func room(_ topic: String) -> TopicHub.Topic {
        .init(tenant: tenants[topic] ?? identity.tenant, name: topic)
    }

    private func forget(_ topic: String) {
        if let subscription = subscriptions.removeValue(forKey: topic) { environment.hub.unregister(subscription) }
    }

    // MARK: Join

    private func join(_ request: JoinRequest) async {
        let plan: JoinPlan
        do throws(JoinRefusal) {
            plan = try await JoinPlan.make(
                request, identity: identity, since: since, acknowledgements: acknowledgements, environment: environment)
        } catch {
            environment.observer.record(.joinRefused(error.reason))
            try? await Task.sleep(for: environment.refusalDelay)
            return await perform(session.complete(request, with: .refused(error.reason)))
        }
        let actions = session.complete(request, with: .accepted(tokenExpiry: plan.expiry, fault: plan.fault))
        guard session.channels[request.topic]?.joinRef == request.joinRef else { return await perform(actions) }
        environment.observer.record(.joined)
        tenants[request.topic] = plan.tenant
        var replies = actions.compactMap { if case .send(let message) = $0 { version.encode(message) } else { nil } }
        let presence = environment.topics.join(
            room(request.topic),
            .init(
                id: memberID(request.topic), connection: connection, version: version,
                wantsPresence: request.configuration.isPresenceEnabled))
        if request.configuration.isPresenceEnabled {
            replies.append(
                version.encode(
                    RealtimeMessage(
                        joinRef: request.joinRef, topic: request.topic, event: "presence_state", payload: presence)))
        }
        guard plan.fault == nil, !plan.bounds.isEmpty else {
            for reply in replies { try? await connection.sendWhenReady(reply) }
            return
        }
        let subscription = Subscription(
            topic: request.topic, version: version, tenant: plan.tenant, bounds: plan.bounds, connection: connection,
            acknowledgements: acknowledgements, catchUps: catchUpRequests)
        subscriptions[request.topic] = subscription
        // Room first: within the hub nobody waits.
        await connection.room()
        let isBehind = environment.hub.register(subscription, from: plan.start, replies: replies)
        if plan.isExpired {
            environment.observer.record(.cursorExpired)
            environment.hub.notifyExpired(subscription)
        }
        if isBehind { catchUpRequests.yield(subscription) } else { await subscribed(subscription) }
    }

    private var announced: Set<String> = []

    /// `Subscribed to PostgreSQL`, once for each join.
    private func subscribed(_ subscription: Subscription) async {
        guard subscriptions[subscription.topic] === subscription, let channel = session.channels[subscription.topic],
            announced.insert("\(subscription.topic)\u{0}\(channel.joinRef)").inserted
        else { return }
        await perform(session.subscribed(subscription.topic, joinRef: channel.joinRef))
    }

    // MARK: Catching up

    /// Reads the log for channels that are behind, one after the other, at the client's pace.
    private func catchUp() async {
        for await subscription in catchUps {
            var pause = Duration.milliseconds(20)
            while !Task.isCancelled, let start = environment.hub.backlogStart(subscription) {
                do {
                    if try await replay(subscription, after: start) {
                        await subscribed(subscription)
                        break
                    }
                    pause = .milliseconds(20)
                } catch is WebSocketClosure {
                    return
                } catch is CursorExpired {
                    environment.observer.record(.cursorExpired)
                    environment.hub.notifyExpired(subscription)
                    if let live = environment.hub.live { _ = environment.hub.caughtUp(subscription, to: live) }
                } catch {
                    environment.observer.record(.databaseFault(during: "replaying", error: "\(error)"))
                    try? await Task.sleep(for: pause)
                    pause = min(pause * 2, .milliseconds(500))
                }
            }
        }
    }

    /// Sends one batch of the backlog.
    /// - Returns: whether the channel is live now.
    private func replay(_ subscription: Subscription, after start: Position) async throws -> Bool {
        let batch = try await environment.source.changes(after: start, limit: 1000)
        for logged in batch.changes {
            var change = EncodedChange(logged.change)
            let matched = subscription.bounds.indices.filter { subscription.matches($0, &change) }
            guard !matched.isEmpty else { continue }
            for frame in subscription.frames(matched, &change) { try await connection.sendWhenReady(frame) }
        }
        environment.observer.record(.replayed(batch.changes.count))
        return environment.hub.caughtUp(subscription, to: batch.reached)
    }

    // MARK: Credentials

    private func verify(_ topic: String, _ joinRef: String, _ token: String) async {
        let result: (expiry: Double?, failure: String?)
        do throws(GateError) {
            let identity = try await environment.gate.identify(token)
            let isSame = identity.tenant == tenants[topic]
            let failure = "You do not have permissions to read from this Channel topic: \(RealtimeTopic.name(topic))"
            result = (identity.expiry, isSame && identity.principal.allows(.dataRead) ? nil : failure)
        } catch {
            // A database that is away is no reason to close a channel.
            if case .unavailable = error { return }
            result = (nil, error.systemText)
        }
        await perform(
            session.complete(topic, joinRef: joinRef, token: token, expiry: result.expiry, failure: result.failure))
    }

    /// Closes channels whose token has expired, and all of them when the connection's key has been revoked.
    private func watchCredentials() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            await perform(session.expire(now: Gate.now))
            guard identity.expiry == nil, Gate.now >= nextCheck else { continue }
            nextCheck = Gate.now + environment.credentialInterval
            do throws(GateError) {
                _ = try await environment.gate.identify(identity.token)
            } catch {
                if case .unavailable = error { continue }
                for topic in session.channels.keys.sorted() { await perform(session.shut(topic, error.systemText)) }
            }
        }
    }
}
