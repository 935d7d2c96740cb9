import Foundation
import Realtime
import ServiceKit
import TestSupport
import Testing
import WebSocketTransport
import WireFormat

@testable import StoreNotifier

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

@Suite("Connections and channels", .timeLimit(.minutes(2)))
struct ConnectionTests {
    @Test func `upgrades are refused in the real server's words`() async throws {
        let database = try await TestDatabase.create()
        let good = try await RunningNotifier.token()
        let expired = try await RunningNotifier.token(lifetime: -100)
        try await RunningNotifier.run(database) { notifier in
            let base = "ws://127.0.0.1:\(notifier.port)/realtime/v1/websocket"
            let cases: [(String, Int, String)] = [
                (base, 401, #"{"error":"API key is missing"}"#),
                ("\(base)?apikey=x", 401, #"{"error":"The token provided is not a valid JWT"}"#),
                ("\(base)?apikey=\(good)x", 401, #"{"error":"Failed to validate JWT signature"}"#),
                ("\(base)?apikey=\(expired)", 401, #"{"error":"Token has expired"}"#),
                ("\(base)?apikey=e30.e30.e30", 401, #"{"error":"The token provided is not a valid JWT"}"#),
                (
                    "\(base)?apikey=bk_00000000_\(String(repeating: "a", count: 43))", 401,
                    #"{"error":"The API key is not valid"}"#
                ),
                ("\(base)?apikey=\(good)&vsn=3.0.0", 403, ""),
            ]
            for (url, status, body) in cases {
                await #expect(throws: WebSocketClientError.refused(status: status, body: body)) {
                    try await WebSocketClient.connect(to: url)
                }
            }
            // The self-hosted path, the header, and an unknown path.
            let viaHeader = try await WebSocketClient.connect(
                to: "ws://127.0.0.1:\(notifier.port)/socket/websocket", headers: [("x-api-key", good)])
            viaHeader.abort()
            let elsewhere = await #expect(throws: WebSocketClientError.self) {
                try await WebSocketClient.connect(to: "ws://127.0.0.1:\(notifier.port)/other?apikey=\(good)")
            }
            guard case .refused(status: 404, _)? = elsewhere else {
                Issue.record("\(String(describing: elsewhere))")
                return
            }
        }
    }

    @Test func `an API key of ours opens a socket, a revoked one does not`() async throws {
        let database = try await TestDatabase.create()
        let keys = APIKeys(try database.pool())
        let key = try await keys.create(name: "t", scopes: [.dataRead])
        let weak = try await keys.create(name: "w", scopes: [.rebalancePlan])
        let revoked = try await keys.create(name: "r", scopes: [.dataRead])
        _ = try await keys.revoke(revoked.keyID)
        try await RunningNotifier.run(database) { notifier in
            let client = try await notifier.connect(token: key.reveal())
            #expect(try await client.join("realtime:a")["status"] == "ok")
            let other = try await notifier.connect(token: weak.reveal())
            #expect(
                try await other.join("realtime:a")["response"]?["reason"]
                    == "Unauthorized: You do not have permissions to read from this Channel topic: a")
            await #expect(throws: WebSocketClientError.self) { try await notifier.connect(token: revoked.reveal()) }
        }
    }

    @Test("heartbeats, bad frames, broadcasts and presence", arguments: RealtimeVersion.allCases)
    func channels(version: RealtimeVersion) async throws {
        let database = try await TestDatabase.create()
        try await RunningNotifier.run(database) { notifier in
            let (a, b) = (try await notifier.connect(version), try await notifier.connect(version))
            a.connection.send("not json")
            let beat = a.send("heartbeat", "phoenix")
            let reply = try await a.next()
            #expect(reply.ref == beat && reply.topic == "phoenix" && reply.payload["status"] == "ok")
            try await a.join("realtime:room", config: JSONObject([("broadcast", ["ack": true, "self": true])]))
            try await b.join("realtime:room", config: JSONObject([("presence", ["enabled": true, "key": "bob"])]))
            #expect(try await b.next("presence_state").payload == [:])
            let ref = a.send(
                "broadcast", "realtime:room", payload: ["type": "broadcast", "event": "hi", "payload": ["n": 1.50]])
            for client in [a, b] {
                let heard = try await client.next("broadcast")
                #expect(heard.payload == ["type": "broadcast", "event": "hi", "payload": ["n": 1.50]])
            }
            #expect(try await a.next("phx_reply").ref == ref)
            b.send("presence", "realtime:room", payload: ["type": "presence", "event": "track", "payload": ["x": 1]])
            #expect(try await b.next("presence_diff").payload["joins"]?["bob"]?["metas"]?[0]?["x"] == 1)
            // REST, and a leave.
            let status = try await Self.post(
                "http://127.0.0.1:\(notifier.port)/realtime/v1/api/broadcast", token: try await RunningNotifier.token(),
                body: #"{"messages":[{"topic":"room","event":"rest","payload":{"a":1}}]}"#)
            #expect(status == 202)
            #expect(try await b.next("broadcast").payload["event"] == "rest")
            b.send("phx_leave", "realtime:room")
            #expect(try await b.next("phx_close").topic == "realtime:room")
        }
    }

    @Test func `a binary broadcast reaches version 2 as bytes and version 1 as JSON`() async throws {
        let database = try await TestDatabase.create()
        try await RunningNotifier.run(database) { notifier in
            let (sender, two, one) = (
                try await notifier.connect(.v2), try await notifier.connect(.v2), try await notifier.connect(.v1)
            )
            for client in [sender, two, one] { try await client.join("realtime:b") }
            var broadcast = UserBroadcast(topic: "realtime:b", event: "raw", isJSON: false, payload: [0, 1, 255])
            sender.connection.send(binary: try #require(BinaryFrame.encodePush(broadcast)))
            #expect(try BinaryFrame.decodeBroadcast(await two.nextBinary()) == broadcast)
            broadcast.isJSON = true
            broadcast.payload = Array(#"{"k":[1]}"#.utf8)
            sender.connection.send(binary: try #require(BinaryFrame.encodePush(broadcast)))
            #expect(try await one.next("broadcast").payload["payload"] == ["k": [1]])
        }
    }

    @Test func `REST broadcasts need credentials and a body that makes sense`() async throws {
        let database = try await TestDatabase.create()
        try await RunningNotifier.run(database) { notifier in
            let url = "http://127.0.0.1:\(notifier.port)/realtime/v1/api/broadcast"
            let token = try await RunningNotifier.token()
            #expect(try await Self.post(url, token: nil, body: "{}") == 401)
            #expect(try await Self.post(url, token: token, body: "{}") == 422)
            #expect(try await Self.post(url, token: token, body: "{") == 400)
            let client = try await notifier.connect()
            try await client.join("realtime:a b")
            #expect(try await Self.post("\(url)/a%20b/events/e", token: token, body: #"{"x":1}"#) == 202)
            #expect(try await client.next("broadcast").payload["payload"] == ["x": 1])
        }
    }

    @Test func `an expired token closes the channel and says so`() async throws {
        let database = try await TestDatabase.create()
        try await RunningNotifier.run(database) { notifier in
            let client = try await notifier.connect(token: try await RunningNotifier.token(lifetime: 2))
            try await client.join("realtime:short")
            let system = try await client.next("system")
            #expect(system.payload["status"] == "error")
            #expect(system.payload["message"]?.stringValue?.hasPrefix("Token has expired ") == true)
            #expect(try await client.next().event == "phx_close")
        }
    }

    @Test func `a drain says goodbye and closes with 1012`() async throws {
        let database = try await TestDatabase.create()
        let client = try await RunningNotifier.run(database) { notifier in
            let client = try await notifier.connect()
            try await client.join("realtime:d")
            return client.connection
        }
        var last: WebSocketMessage?
        for await message in client.messages { last = message }
        guard case .text(let text)? = last else {
            Issue.record("no goodbye")
            return
        }
        #expect(text.contains("Server requested disconnect"))
        #expect(client.closure?.code == 1012)
    }

    static func post(_ url: String, token: String?, body: String) async throws -> Int {
        guard let target = URL(string: url) else { return -1 }
        var request = URLRequest(url: target)
        request.httpMethod = "POST"
        request.httpBody = Data(body.utf8)
        request.setValue("application/json", forHTTPHeaderField: "content-type")
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "authorization") }
        let (_, response) = try await URLSession.shared.data(for: request)
        return (response as? HTTPURLResponse)?.statusCode ?? -1
    }
}
