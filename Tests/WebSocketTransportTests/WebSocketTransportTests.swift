import Hummingbird
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import WebSocketTransport

/// Real sockets on loopback.
@Suite("WebSockets beside HTTP", .timeLimit(.minutes(1)))
struct WebSocketTransportTests {
    /// Runs a server that decides by path, and gives its port to the body.
    static func withServer(
        configuration: WebSocketConfiguration = .init(),
        _ handler: @escaping @Sendable (WebSocketConnection) async -> Void,
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let router = Router()
        router.get("/plain") { _, _ in "http" }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router,
            server: WebSocketServer.builder(configuration: configuration) { request in
                switch request.path {
                case "/socket":
                    request.parameter("key") == "a b"
                        ? .accept(handler) : .refuse(status: 401, json: #"{"error":"no"}"#)
                default: .passToHTTP
                }
            },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                port.yield(channel.localAddress?.port ?? 0)
                port.finish()
            })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            let number = try #require(await iterator.next())
            try await body(number)
            group.cancelAll()
            while true {
                do { if try await group.next() == nil { break } } catch {}
            }
        }
    }

    static let echo: @Sendable (WebSocketConnection) async -> Void = { connection in
        for await message in connection.messages {
            switch message {
            case .text(let text): try? await connection.sendWhenReady(text)
            case .binary(let bytes): connection.send(binary: bytes)
            default: break
            }
        }
    }

    static func url(_ port: Int) -> String { "ws://127.0.0.1:\(port)/socket?key=a%20b" }

    @Test func `text, binary and ping come back, in order`() async throws {
        try await Self.withServer(Self.echo) { port in
            let connection = try await WebSocketClient.connect(to: Self.url(port))
            connection.send("é")
            connection.send(binary: [1, 2, 3])
            connection.ping([9])
            connection.send("last")
            var received: [WebSocketMessage] = []
            for await message in connection.messages {
                received.append(message)
                if received.count == 4 { break }
            }
            // The transport answers a PING at once, the handler's echoes come when it has read them.
            #expect(received.filter { $0 != .pong([9]) } == [.text("é"), .binary([1, 2, 3]), .text("last")])
            #expect(received.contains(.pong([9])))
            connection.close(code: WebSocketCloseCode.normal)
            await connection.closed()
            #expect(connection.closure?.code == 1000)
            #expect(connection.send("x") == .closed)
        }
    }

    @Test func `a refusal has its status and body, and HTTP works on the same port`() async throws {
        try await Self.withServer(Self.echo) { port in
            await #expect(throws: WebSocketClientError.refused(status: 401, body: #"{"error":"no"}"#)) {
                try await WebSocketClient.connect(to: "ws://127.0.0.1:\(port)/socket")
            }
            // Not our path: the router's own answers.
            await #expect(throws: WebSocketClientError.refused(status: 200, body: "http")) {
                try await WebSocketClient.connect(to: "ws://127.0.0.1:\(port)/plain")
            }
        }
    }

    @Test func `nobody listening is unreachable`() async throws {
        let error = await #expect(throws: WebSocketClientError.self) {
            try await WebSocketClient.connect(to: "ws://127.0.0.1:1/")
        }
        guard case .unreachable? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `four megabytes pass, a message above the limit closes with 1009`() async throws {
        try await Self.withServer(Self.echo) { port in
            let connection = try await WebSocketClient.connect(to: Self.url(port))
            let big = String(repeating: "x", count: 4_000_000)
            connection.send(big)
            var messages = connection.messages.makeAsyncIterator()
            #expect(await messages.next() == .text(big))
            connection.send(String(repeating: "x", count: 5_000_001))
            #expect(await messages.next() == nil)
            #expect(connection.closure?.code == WebSocketCloseCode.messageTooBig)
        }
    }

    @Test func `an idle connection is closed`() async throws {
        var configuration = WebSocketConfiguration()
        configuration.idleTimeout = .milliseconds(100)
        try await Self.withServer(configuration: configuration, Self.echo) { port in
            let connection = try await WebSocketClient.connect(to: Self.url(port))
            var messages = connection.messages.makeAsyncIterator()
            #expect(await messages.next() == nil)
            #expect(connection.closure == WebSocketClosure(code: 1008, reason: "idle"))
        }
    }

    @Test func `a full outbound buffer says so, and a peer that takes nothing is disconnected`() async throws {
        var configuration = WebSocketConfiguration()
        configuration.outboundLimit = 1 << 20
        configuration.stallTimeout = .milliseconds(300)
        let full = Mutex(false)
        let ended = AsyncStream.makeStream(of: WebSocketClosure?.self)
        try await Self.withServer(
            configuration: configuration,
            { connection in
                let chunk = String(repeating: "y", count: 100_000)
                while true {
                    let result = connection.send(chunk)
                    if result == .closed { break }
                    if result == .full {
                        full.withLock { $0 = true }
                        await connection.room()
                    }
                }
                await connection.closed()
                ended.continuation.yield(connection.closure)
                ended.continuation.finish()
            },
            { port in
                // Connected, but its messages are never read: TCP fills up.
                let connection = try await WebSocketClient.connect(to: Self.url(port))
                var iterator = ended.stream.makeAsyncIterator()
                let closure = try #require(await iterator.next())
                #expect(closure?.code == nil)
                #expect(full.withLock { $0 })
                connection.close(code: WebSocketCloseCode.normal)
            })
    }

    @Test func `a waiting reader ends when its task is cancelled`() async throws {
        try await Self.withServer(Self.echo) { port in
            let connection = try await WebSocketClient.connect(to: Self.url(port))
            let task = Task { () -> WebSocketMessage? in
                var messages = connection.messages.makeAsyncIterator()
                return await messages.next()
            }
            task.cancel()
            #expect(await task.value == nil)
            // The connection itself lives on.
            connection.send("still here")
            var messages = connection.messages.makeAsyncIterator()
            #expect(await messages.next() == .text("still here"))
        }
    }
}

extension WebSocketTransportTests {
    @Test(
        "requests that ask for other upgrades, or have a body, are answered as HTTP and harm nobody",
        arguments: [
            "GET /plain HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            "GET /plain HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET /plain HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
            "GET /plain HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
            "GET /plain HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /plain HTTP/1.1\r\nHost: h\r\n\r\n",
        ])
    func otherUpgrades(request: String) async throws {
        try await Self.withServer(Self.echo) { port in
            let answer = try await RawHTTP.exchange(port: port, request)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            let connection = try await WebSocketClient.connect(to: Self.url(port))
            connection.send("alive")
            var messages = connection.messages.makeAsyncIterator()
            #expect(await messages.next() == .text("alive"))
        }
    }
}

/// One request in its own bytes.
enum RawHTTP {
    static func exchange(port: Int, _ request: String) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ""
            for try await buffer in inbound {
                answer += String(buffer: buffer)
                if answer.contains("http") { break }
            }
            return answer
        }
    }
}
