import Realtime
import Testing
import WireFormat

@Suite("A client of a Realtime server")
struct RealtimeClientSessionTests {
    typealias Session = RealtimeClientSession

    static func session(_ version: RealtimeVersion = .v2) -> Session {
        Session(
            subscriptions: [
                .init(topic: "realtime:prices", changes: [.init(table: "market_data", filter: "asset_symbol=eq.A")])
            ],
            version: version)
    }

    static func sent(_ actions: [Session.Action], _ version: RealtimeVersion = .v2) throws -> [RealtimeMessage] {
        try actions.compactMap { if case .send(let text) = $0 { try version.decode(text) } else { nil } }
    }

    /// What our own server says to the client's messages.
    static func serve(
        _ text: String, _ server: inout RealtimeServerSession, _ version: RealtimeVersion
    ) throws -> [String] {
        var replies: [String] = []
        for action in server.receive(try version.decode(text)) {
            switch action {
            case .send(let message): replies.append(version.encode(message))
            case .join(let request):
                let answers = server.complete(request, with: .accepted(tokenExpiry: nil, fault: nil))
                for case .send(let message) in answers + server.subscribed(request.topic, joinRef: request.joinRef) {
                    replies.append(version.encode(message))
                }
            default: break
            }
        }
        return replies
    }

    @Test("joins, hears that it is subscribed, and reads changes", arguments: RealtimeVersion.allCases)
    func joins(version: RealtimeVersion) throws {
        var client = Self.session(version)
        var server = RealtimeServerSession()
        var heard: [Session.Action] = []
        for case .send(let text) in client.connected(at: .zero) {
            for reply in try Self.serve(text, &server, version) { heard += client.received(reply, at: .zero) }
        }
        #expect(heard == [.joined(topic: "realtime:prices"), .subscribed(topic: "realtime:prices")])
        #expect(client.isJoined)
        let change = ChangeRecord(
            schema: "public", table: "market_data", kind: .insert,
            commitTimestamp: UTCTimestamp(microsecondsSinceEpoch: 1),
            tenant: nil, columns: [], record: #"{"price":1.10}"#, oldRecord: nil)
        let frame = version.frame(
            topic: "realtime:prices", event: "postgres_changes",
            payload: ChangeData.payload(ids: [7], data: ChangeData.text(of: change)))
        guard case .change(_, let received)? = client.received(frame, at: .zero).first else {
            Issue.record("no change")
            return
        }
        #expect(
            received.ids == [7] && received.kind == .insert && received.commitTimestamp == "1970-01-01T00:00:00.000001Z"
        )
        #expect(received.record?["price"]?.numberValue?.text == "1.10")
        #expect(received.oldRecord == nil && received.errors.isEmpty)
    }

    @Test func `beats every 25 seconds and gives a silent connection up`() throws {
        var client = Self.session()
        var server = RealtimeServerSession()
        for case .send(let text) in client.connected(at: .zero) {
            for reply in try Self.serve(text, &server, .v2) { _ = client.received(reply, at: .zero) }
        }
        #expect(client.nextDeadline == .seconds(25))
        #expect(client.advance(to: .seconds(24)).isEmpty)
        let beat = try Self.sent(client.advance(to: .seconds(25)))
        #expect(beat.map(\.event) == ["heartbeat"])
        for reply in try Self.serve(RealtimeVersion.v2.encode(beat[0]), &server, .v2) {
            #expect(client.received(reply, at: .seconds(25)).isEmpty)
        }
        #expect(try Self.sent(client.advance(to: .seconds(50))).map(\.event) == ["heartbeat"])
        #expect(client.advance(to: .seconds(75)) == [.reconnect(reason: "no answer to a heartbeat")])
    }

    @Test func `joins again after a reconnect, with a new ref`() throws {
        var client = Self.session()
        let first = try Self.sent(client.connected(at: .zero))
        client.disconnected()
        #expect(client.nextDeadline == nil)
        #expect(client.advance(to: .seconds(100)).isEmpty)
        let second = try Self.sent(client.connected(at: .seconds(100)))
        #expect(second.map(\.event) == ["phx_join"])
        #expect(second[0].ref != first[0].ref)
        #expect(second[0].payload == first[0].payload)
    }

    @Test func `a refused join is tried again with growing pauses`() throws {
        var client = Self.session()
        var now = Duration.zero
        var ref = try #require(try Self.sent(client.connected(at: now))[0].ref)
        for pause in [1, 2, 5, 10, 10] {
            let refusal = RealtimeVersion.v2.encode(.refusal("realtime:prices", ref: ref, joinRef: ref, reason: "no"))
            #expect(client.received(refusal, at: now) == [.failed(topic: "realtime:prices", reason: "no")])
            now += .seconds(pause)
            let joins = try Self.sent(client.advance(to: now)).filter { $0.event == "phx_join" }
            try #require(joins.count == 1)
            ref = try #require(joins[0].ref)
        }
    }

    @Test func `a join without an answer is tried again, and what is not understood is ignored`() throws {
        var client = Self.session()
        _ = client.connected(at: .zero)
        for text in [
            "", "{}", "[1]", #"[null,null,"realtime:other","postgres_changes",{}]"#,
            #"[null,null,"realtime:prices","postgres_changes",{}]"#,
        ] {
            #expect(client.received(text, at: .zero).isEmpty)
        }
        #expect(
            client.advance(to: .seconds(10)) == [.failed(topic: "realtime:prices", reason: "no answer to the join")])
        #expect(try Self.sent(client.advance(to: .seconds(11))).map(\.event) == ["phx_join"])
    }

    @Test func `a closed channel is joined again`() throws {
        var client = Self.session()
        var server = RealtimeServerSession()
        for case .send(let text) in client.connected(at: .zero) {
            for reply in try Self.serve(text, &server, .v2) { _ = client.received(reply, at: .zero) }
        }
        for case .send(let message) in server.shut("realtime:prices", "gone") {
            _ = client.received(RealtimeVersion.v2.encode(message), at: .zero)
        }
        #expect(!client.isJoined)
        #expect(try Self.sent(client.advance(to: .seconds(1))).map(\.event) == ["phx_join"])
    }
}
