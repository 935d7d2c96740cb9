import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing
import WireFormat

@testable import ServiceKit

/// A server on a port of its own, for what only sockets show.
private struct LiveServer {
    let port: Int
    let group: ServiceGroup

    static func with<R: Sendable>(
        guards: ServerGuards = .standard, drain: DrainState = DrainState(),
        register: @escaping @Sendable (Router<BallastRequestContext>) -> Void,
        _ body: @escaping @Sendable (LiveServer) async throws -> R
    ) async throws -> R {
        let (ports, report) = AsyncStream.makeStream(of: Int.self)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let router = BallastRouter.build(metrics: nil, drain: drain, logger: logger, register)
        let app = HTTPService.application(
            router: router, host: "127.0.0.1", port: 0, guards: guards, logger: logger,
            onListening: { report.yield($0) })
        let group = ServiceGroup(configuration: .init(services: [app], logger: logger))
        return try await withThrowingTaskGroup(of: R?.self) { tasks in
            tasks.addTask {
                try await group.run()
                return nil
            }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let result = try await body(LiveServer(port: port, group: group))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return result
        }
    }

    func connect() async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
    }

    /// Sends bytes and reads until the server closes.
    func exchange(_ text: String) async throws -> String {
        try await connect().executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var received: [UInt8] = []
            for try await buffer in inbound { received += buffer.readableBytesView }
            return String(decoding: received, as: UTF8.self)
        }
    }

    /// Sends bytes and leaves.
    func abandon(_ text: String) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: text))
        try await channel.close()
    }
}

@Suite("Server guards")
struct ServerTests {
    @Sendable private static func register(_ router: Router<BallastRequestContext>) {
        router.get("hello") { _, _ in Response(json: ["hello": true]) }
        router.post("echo") { request, _ in Response(json: try await request.jsonBody()) }
    }

    @Test("answers, and closes when asked")
    func answers() async throws {
        let answer = try await LiveServer.with(register: Self.register) {
            try await $0.exchange("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        }
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("{\"hello\":true}"))
    }

    @Test("what is refused early is answered in its turn, and everything else passes whole")
    func earlyRefusal() async throws {
        var guards = ServerGuards.standard
        guards.early = EarlyAnswer(
            concerns: { $0.path == "/echo" },
            decide: { arrival in
                arrival.body.contains(UInt8(ascii: "!"))
                    ? .refuse(ReadyProblem(Problem(.overloaded, "Too much.", retryAfter: 7))) : .pass
            })
        func post(_ body: String, _ more: String = "") -> String { Self.post(body, more) }
        // Longer than what is held: it passes although it would be refused.
        let long = "[\"!" + String(repeating: "x", count: 100_000) + "\"]"
        let refusals =
            post("[\"!\"]", "X-Request-ID: request-0001\r\n") + post("[\"!\"]") + post("[3]") + post("[\"!\"]")
        let passing = post(long) + "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        let texts = [refusals + passing, post("[\"!\"]", "Connection: close\r\n")]
        let answers = try await LiveServer.with(guards: guards, register: Self.register) { server in
            var answers: [String] = []
            for text in texts { answers.append(try await server.exchange(text)) }
            return answers
        }
        let parts = answers[0].components(separatedBy: "HTTP/1.1 ").dropFirst()
        // The fourth came before the third was answered, and may not overtake it.
        #expect(parts.map { $0.prefix(3) } == ["503", "503", "200", "200", "200", "200"])
        #expect(answers[1].hasPrefix("HTTP/1.1 503"), "and the connection is closed")
        let refused = parts[parts.startIndex]
        #expect(refused.contains("SYS-101") && refused.lowercased().contains("retry-after: 7"))
        #expect(refused.lowercased().contains("x-request-id: request-0001"))
        #expect(refused.contains("application/problem+json"))
        #expect(parts[parts.startIndex + 2].hasSuffix("[3]") && parts[parts.startIndex + 3].hasSuffix("[\"!\"]"))
        #expect(parts[parts.startIndex + 4].hasSuffix(long))
    }

    private static func post(_ body: String, _ more: String = "") -> String {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\(more)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// Replies to bodies with an `r` at once, to those with an `l` a moment later from another thread, and changes its mind about those with a `p`.
    private static let readyReplies = EarlyAnswer(
        concerns: { $0.path == "/echo" },
        decide: { arrival in
            let text = String(decoding: arrival.body, as: UTF8.self)
            let reply = EarlyAnswer.Reply(fields: [("Content-Type", "text/plain")], body: Array("early \(text)".utf8))
            if text.contains("r") { return .reply(reply) }
            guard text.contains("l") || text.contains("p") else { return .pass }
            return .replyLater(
                ask: { isGood in
                    Task {
                        // Long enough for what follows to come meanwhile.
                        try await Task.sleep(for: .milliseconds(20))
                        isGood(text.contains("l"))
                    }
                }, make: { reply })
        })

    @Test("replies that are ready come in their turn, with those that are waited for and those that pass")
    func earlyReplies() async throws {
        var guards = ServerGuards.standard
        guards.early = Self.readyReplies
        let order = ["r1", "l2", "p3", "4", "l5", "r6", "p7", "l8"]
        let sent =
            order.map { Self.post("[\"\($0)\"]", "X-Request-ID: request-\($0)\r\n") }.joined()
            + "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        let answer = try await LiveServer.with(guards: guards, register: Self.register) { try await $0.exchange(sent) }
        let parts = Array(answer.components(separatedBy: "HTTP/1.1 ").dropFirst())
        #expect(parts.count == order.count + 1)
        for (name, part) in zip(order, parts) {
            #expect(part.hasPrefix("200") && part.contains("[\"\(name)\"]"))
            #expect(part.lowercased().contains("x-request-id: request-\(name)"))
            #expect(part.lowercased().contains("traceparent: 00-") && part.lowercased().contains("date: "))
        }
        #expect(parts[0].hasSuffix("early [\"r1\"]") && parts[2].hasSuffix("[\"p3\"]") && !parts[2].contains("early"))
    }

    @Test("a reply that is waited for is sent though what follows it is no HTTP, and then the rest is refused")
    func brokenAfterAwaited() async throws {
        var guards = ServerGuards.standard
        guards.early = Self.readyReplies
        let answers = try await LiveServer.with(guards: guards, register: Self.register) { server in
            var answers: [String] = []
            for name in ["l", "p"] {
                answers.append(try await server.exchange(Self.post("[\"\(name)\"]") + "GARBAGE\r\n\r\n"))
            }
            return answers
        }
        let parts = answers[0].components(separatedBy: "HTTP/1.1 ").dropFirst()
        #expect(parts.map { $0.prefix(3) } == ["200", "400"], "\(answers[0])")
        #expect(parts.last?.contains("REQ-108") == true)
        #expect(answers[1].hasPrefix("HTTP/1.1 200"), "and so is the answer to one that passes: \(answers[1])")
    }

    @Test("a client that leaves while its reply is waited for harms nobody")
    func leavesBeforeReply() async throws {
        var guards = ServerGuards.standard
        guards.early = Self.readyReplies
        let answers = try await LiveServer.with(guards: guards, register: Self.register) { server in
            for _ in 0..<20 { try await server.abandon(Self.post("[\"l\"]")) }
            // Longer than the replies take that nobody waits for.
            try await Task.sleep(for: .milliseconds(60))
            return try await server.exchange(Self.post("[\"l\"]", "Connection: close\r\n"))
        }
        #expect(answers.hasSuffix("early [\"l\"]"))
    }

    @Test(
        "a connection that idles is closed, and one whose requests are answered early is not idle",
        arguments: [true, false])
    func idles(isAsking: Bool) async throws {
        var guards = ServerGuards.standard
        guards.idle = .seconds(4)
        guards.early = Self.readyReplies
        let (answers, elapsed) = try await LiveServer.with(guards: guards, register: Self.register) { server in
            let start = ContinuousClock.now
            let channel = try await server.connect()
            return try await channel.executeThenClose { inbound, outbound in
                // Longer than a connection may idle, with pauses that are shorter.
                for _ in 0..<(isAsking ? 12 : 1) {
                    try await outbound.write(ByteBuffer(string: Self.post("[\"r\"]")))
                    try await Task.sleep(for: .milliseconds(400))
                }
                var received: [UInt8] = []
                for try await buffer in inbound { received += buffer.readableBytesView }
                let text = String(decoding: received, as: UTF8.self)
                return (text.components(separatedBy: "HTTP/1.1 200").count - 1, ContinuousClock.now - start)
            }
        }
        #expect(answers == (isAsking ? 12 : 1), "and the server closes the connection, or this would not end")
        #expect(elapsed >= .seconds(4))
    }

    @Test("a server that stops finishes the reply that is waited for")
    func stopsAfterReply() async throws {
        let (asked, ask) = AsyncStream.makeStream(of: (@Sendable (Bool) -> Void).self)
        var guards = ServerGuards.standard
        guards.early = EarlyAnswer(
            concerns: { _ in true },
            decide: { _ in
                .replyLater(
                    ask: { ask.yield($0) },
                    make: { EarlyAnswer.Reply(fields: [("Content-Type", "text/plain")], body: Array("late".utf8)) })
            })
        let answer = try await LiveServer.with(guards: guards, register: Self.register) { server in
            async let answer = server.exchange(Self.post("[]"))
            var iterator = asked.makeAsyncIterator()
            let isGood = try #require(await iterator.next())
            await server.group.triggerGracefulShutdown()
            // The connection has been told by then.
            try await Task.sleep(for: .milliseconds(100))
            isGood(true)
            return try await answer
        }
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("late"))
    }

    @Test("HTTP/1.0 and fields that come twice are read as behind the router")
    func headsOfOthers() async throws {
        let head = EarlyAnswer.Head(post: "/echo", [("X-A", "1"), ("Host", "x"), ("x-a", "2"), ("X_A", "3")])
        #expect(head["X-a"] == "1, 2" && head["host"] == "x" && head["Y-A"] == nil && head.path == "/echo")
        var guards = ServerGuards.standard
        guards.early = EarlyAnswer(
            concerns: { _ in true }, decide: { _ in .refuse(ReadyProblem(Problem(.overloaded, "No."))) })
        let answer = try await LiveServer.with(guards: guards, register: Self.register) {
            try await $0.exchange("GET /hello HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n")
        }
        #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer.prefix(100))")
    }

    @Test("a body that breaks off while it is held is answered as without the refusal")
    func brokenWhileHeld() async throws {
        var guards = ServerGuards.standard
        guards.early = EarlyAnswer(
            concerns: { _ in true }, decide: { _ in .refuse(ReadyProblem(Problem(.overloaded, "No."))) })
        let answer = try await LiveServer.with(guards: guards, register: Self.register) {
            try await $0.exchange(
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            )
        }
        #expect(answer.hasPrefix("HTTP/1.1 400"))
    }

    @Test("a head that never ends is closed after the deadline")
    func slowHead() async throws {
        var guards = ServerGuards.standard
        guards.headDeadline = .milliseconds(200)
        let (answer, elapsed) = try await LiveServer.with(guards: guards, register: Self.register) { server in
            let start = ContinuousClock.now
            let answer = try await server.exchange("GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            return (answer, ContinuousClock.now - start)
        }
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400"))
        #expect(elapsed < .seconds(30))
    }

    @Test(
        "a body that never ends is a 408, by its deadline or by its pace, and the connection ends",
        arguments: [true, false])
    func slowBody(byPace: Bool) async throws {
        var guards = ServerGuards.standard
        if byPace { guards.bodyPatience = .milliseconds(200) } else { guards.bodyDeadline = .milliseconds(200) }
        let answer = try await LiveServer.with(guards: guards, register: Self.register) {
            try await $0.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"a\"")
        }
        #expect(answer.hasPrefix("HTTP/1.1 408 "), "\(answer.prefix(200))")
        #expect(answer.contains("\"code\":\"REQ-207\""))
    }

    @Test(
        "a body that is no HTTP is a 400, and the connection ends",
        arguments: ["zz\r\n{}\r\n0\r\n\r\n", "ffffffffffffffff1\r\n{}", "2\r\n{}xx"])
    func brokenBody(body: String) async throws {
        let answer = try await LiveServer.with(register: Self.register) {
            try await $0.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        }
        #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer.prefix(200))")
        #expect(answer.contains("application/problem+json") && answer.contains("\"code\":\"REQ-108\""))
        #expect(answer.lowercased().contains("connection: close"))
    }

    @Test("a request whose body has come is answered though what follows it is no HTTP")
    func brokenSuccessor() async throws {
        let answer = try await LiveServer.with(register: { router in
            router.get("slow") { _, _ in
                // Long enough that what follows the request has come before the answer goes.
                try await Task.sleep(for: .milliseconds(50))
                return Response(json: ["finished": true])
            }
        }) { try await $0.exchange("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n") }
        #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer.prefix(200))")
    }

    @Test(
        "broken and huge heads get a problem",
        arguments: [
            ("GARBAGE\r\n\r\n", "REQ-108"), ("GET /hello HTTP/9.9\r\nHost: x\r\n\r\n", "REQ-108"),
            ("GET /hello HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n", "REQ-108"),
            ("GET /hello HTTP/1.1\r\nHost: x\r\nX-Big: \(String(repeating: "a", count: 40_000))\r\n\r\n", "REQ-206"),
        ])
    func brokenHeads(head: String, code: String) async throws {
        let answer = try await LiveServer.with(register: Self.register) { try await $0.exchange(head) }
        #expect(answer.contains("application/problem+json"))
        #expect(answer.contains("\"code\":\"\(code)\""), "\(answer.prefix(300))")
        #expect(answer.lowercased().contains("connection: close"))
    }

    @Test("says 100 Continue to a client that waits for it")
    func expectContinue() async throws {
        let answer = try await LiveServer.with(register: Self.register) {
            try await $0.exchange(
                "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
            )
        }
        #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "\(answer)")
    }

    @Test("a request in flight is finished while the server stops, and no new one is taken")
    func drains() async throws {
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let answer = try await LiveServer.with(register: { router in
            router.get("slow") { _, _ in
                start.yield()
                for await _ in released { break }
                return Response(json: ["finished": true])
            }
        }) { server in
            async let answer = server.exchange("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            for await _ in started { break }
            await server.group.triggerGracefulShutdown()
            release.yield()
            return try await answer
        }
        #expect(answer.hasSuffix("{\"finished\":true}"))
    }

    @Test("a refused body: the answer arrives, then the connection is closed by the server")
    func refusedBody() async throws {
        let body = String(repeating: "x", count: 2 << 20)
        let answer = try await LiveServer.with(register: Self.register) {
            try await $0.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer.prefix(200))")
        #expect(answer.contains("\"code\":\"REQ-204\""))
    }

    @Test("the probe of the subcommand health reads the operations port")
    func probe() async throws {
        let answer = try await LiveServer.with(register: Self.register) { server in
            try await HealthProbe.get(host: "127.0.0.1", port: server.port, path: "/hello")
        }
        #expect(answer == HealthProbe.Answer(status: 200, body: "{\"hello\":true}"))
        #expect(await !HealthProbe.isReady(host: "127.0.0.1", port: 1))
    }
}
