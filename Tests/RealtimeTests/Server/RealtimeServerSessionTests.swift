import Realtime
import Testing
import WireFormat

@Suite("A connection as the server sees it")
struct RealtimeServerSessionTests {
    static func message(
        _ event: String, _ topic: String = "realtime:x", ref: String? = "1", joinRef: String? = "1",
        payload: JSONValue = [:]
    ) -> RealtimeMessage {
        RealtimeMessage(joinRef: joinRef, ref: ref, topic: topic, event: event, payload: payload)
    }

    /// Joins and answers.
    @discardableResult
    static func join(
        _ session: inout RealtimeServerSession, _ topic: String = "realtime:x", ref: String = "1",
        config: JSONValue = [:],
        outcome: JoinOutcome = .accepted(tokenExpiry: nil, fault: nil)
    ) throws -> [RealtimeServerSession.Action] {
        let actions = session.receive(message("phx_join", topic, ref: ref, joinRef: ref, payload: ["config": config]))
        guard case .join(let request)? = actions.last else {
            Issue.record("no join in \(actions)")
            return actions
        }
        return actions.dropLast() + session.complete(request, with: outcome)
    }

    @Test func `a heartbeat is answered, with or without ref`() {
        var session = RealtimeServerSession()
        for ref in ["5", nil] {
            let actions = session.receive(Self.message("heartbeat", "phoenix", ref: ref, joinRef: nil))
            #expect(actions == [.send(.ok("phoenix", ref: ref))])
        }
    }

    @Test func `a join echoes every binding verbatim with an id`() throws {
        var session = RealtimeServerSession()
        let entry: JSONValue = ["event": "INSERT", "schema": "public", "table": "t", "filter": "a=eq.1", "extra": [1]]
        let actions = try Self.join(&session, config: ["postgres_changes": .array([entry])])
        guard case .send(let reply)? = actions.first, let echo = reply.payload["response"]?["postgres_changes"]?[0]
        else {
            Issue.record("no reply")
            return
        }
        #expect(reply.event == "phx_reply" && reply.ref == "1" && reply.joinRef == "1")
        #expect(echo["id"]?.intValue ?? 0 > 0)
        var without = try #require(echo.objectValue)
        without["id"] = nil
        #expect(.object(without) == entry)
        #expect(session.subscribed("realtime:x", joinRef: "1").count == 1)
    }

    @Test func `a join without bindings answers an empty list`() throws {
        var session = RealtimeServerSession()
        let actions = try Self.join(&session)
        #expect(actions == [.send(.ok("realtime:x", ref: "1", joinRef: "1", response: ["postgres_changes": []]))])
    }

    @Test(
        "refusals have the exact reasons",
        arguments: [
            ("realtime:", "TopicNameRequired: You must provide a topic name"), ("other:x", "unmatched topic"),
        ])
    func refusals(topic: String, reason: String) {
        var session = RealtimeServerSession()
        let actions = session.receive(Self.message("phx_join", topic))
        #expect(actions == [.send(.refusal(topic, ref: "1", joinRef: "1", reason: reason))])
    }

    @Test func `channel 101 is refused`() throws {
        var session = RealtimeServerSession(channelLimit: 2)
        try Self.join(&session, "realtime:a")
        try Self.join(&session, "realtime:b", ref: "2")
        let actions = session.receive(Self.message("phx_join", "realtime:c", ref: "3", joinRef: "3"))
        #expect(
            actions == [
                .send(
                    .refusal("realtime:c", ref: "3", joinRef: "3", reason: "ChannelRateLimitReached: Too many channels")
                )
            ])
    }

    @Test func `joining a topic again closes the old channel first`() throws {
        var session = RealtimeServerSession()
        try Self.join(&session)
        let actions = try Self.join(&session, ref: "2")
        #expect(actions.count == 3)
        #expect(actions[0] == .leave(topic: "realtime:x", joinRef: "1"))
        #expect(actions[1] == .send(.close("realtime:x", joinRef: "1")))
        #expect(session.receive(Self.message("presence", joinRef: "1")) == [.ignore("stale join_ref")])
    }

    @Test func `a leave is answered and closed; of an unknown topic only answered`() throws {
        var session = RealtimeServerSession()
        try Self.join(&session)
        let actions = session.receive(Self.message("phx_leave", ref: "2"))
        #expect(
            actions == [
                .leave(topic: "realtime:x", joinRef: "1"), .send(.ok("realtime:x", ref: "2", joinRef: "1")),
                .send(.close("realtime:x", joinRef: "1")),
            ])
        #expect(
            session.receive(Self.message("phx_leave", ref: "3")) == [.send(.ok("realtime:x", ref: "3", joinRef: "1"))])
        #expect(
            session.receive(Self.message("broadcast", ref: "4"))
                == [.send(.refusal("realtime:x", ref: "4", joinRef: "1", reason: "unmatched topic"))])
    }

    @Test func `a permanent fault of the bindings leaves the channel open`() throws {
        var session = RealtimeServerSession()
        let actions = try Self.join(&session, outcome: .accepted(tokenExpiry: nil, fault: "bad"))
        #expect(actions.count == 2)
        #expect(
            actions[1]
                == .send(.system("realtime:x", joinRef: "1", source: "postgres_changes", isError: true, text: "bad")))
        #expect(session.channels.count == 1)
    }

    @Test func `with wait the fault refuses the join`() throws {
        var session = RealtimeServerSession()
        let actions = try Self.join(
            &session, config: ["postgres_changes_options": ["wait": true]],
            outcome: .accepted(tokenExpiry: nil, fault: "bad"))
        #expect(
            actions == [
                .send(.refusal("realtime:x", ref: "1", joinRef: "1", reason: "RealtimeDisabledForConfiguration: bad"))
            ])
        #expect(session.channels.isEmpty)
    }

    @Test func `broadcasts go out, with echo and answer as configured`() throws {
        var session = RealtimeServerSession()
        try Self.join(&session, config: ["broadcast": ["self": "true", "ack": true]])
        let actions = session.receive(
            Self.message("broadcast", ref: "2", payload: ["type": "broadcast", "event": "e", "payload": ["a": 1]]))
        guard case .broadcast(let broadcast, let echo)? = actions.first else {
            Issue.record("no broadcast")
            return
        }
        #expect(echo && broadcast.event == "e" && String(decoding: broadcast.payload, as: UTF8.self) == #"{"a":1}"#)
        #expect(actions.last == .send(.ok("realtime:x", ref: "2", joinRef: "1")))
    }

    @Test func `an expired token closes its channel and no other`() throws {
        var session = RealtimeServerSession()
        try Self.join(&session, outcome: .accepted(tokenExpiry: 100, fault: nil))
        try Self.join(&session, "realtime:y", ref: "2")
        #expect(session.nextExpiry == 100)
        #expect(session.expire(now: 99).isEmpty)
        let actions = session.expire(now: 103)
        #expect(actions[0] == .leave(topic: "realtime:x", joinRef: "1"))
        #expect(
            actions[1]
                == .send(.system("realtime:x", joinRef: "1", isError: true, text: "Token has expired 3 seconds ago")))
        #expect(actions[2] == .send(.close("realtime:x", joinRef: "1")))
        #expect(session.channels.keys.sorted() == ["realtime:y"])
    }

    @Test func `a new token is verified once; null and sb_ are ignored`() throws {
        var session = RealtimeServerSession()
        try Self.join(&session)
        for token in [nil, "sb_publishable_x", ""] as [JSONValue] {
            #expect(session.receive(Self.message("access_token", payload: ["access_token": token])).isEmpty)
        }
        let update = Self.message("access_token", payload: ["access_token": "t2"])
        #expect(session.receive(update) == [.verify(topic: "realtime:x", joinRef: "1", token: "t2")])
        #expect(session.complete("realtime:x", joinRef: "1", token: "t2", expiry: 50, failure: nil).isEmpty)
        #expect(session.receive(update).isEmpty)
        #expect(session.nextExpiry == 50)
        #expect(session.complete("realtime:x", joinRef: "1", token: "t3", expiry: nil, failure: "bad").count == 3)
        #expect(session.channels.isEmpty)
    }

    @Test func `a drain says goodbye to every channel`() throws {
        var session = RealtimeServerSession()
        try Self.join(&session)
        #expect(session.drain() == [.send(.system("realtime:x", joinRef: "1", text: "Server requested disconnect"))])
    }

    @Test func `system messages have the four strings the Python client wants`() {
        let payload = RealtimeMessage.system("realtime:x", joinRef: "1", text: "t").payload
        #expect(payload == ["extension": "system", "status": "ok", "message": "t", "channel": "x"])
    }

    @Test func `presence tracks, replaces and forgets`() {
        var presence = PresenceState()
        let joined = presence.track(member: "m1", key: "k", meta: JSONObject([("a", 1)]))
        #expect(joined["joins"]?["k"]?["metas"]?[0]?["a"] == 1)
        let changed = presence.track(member: "m1", key: "k", meta: JSONObject([("a", 2)]))
        #expect(changed["leaves"]?["k"] != nil)
        #expect(presence.payload["k"]?["metas"]?.arrayValue?.count == 1)
        #expect(presence.untrack(member: "m1")?["leaves"]?["k"] != nil)
        #expect(presence.untrack(member: "m1") == nil)
        #expect(presence.payload == [:])
    }
}
