import Foundation
import Hummingbird
import HTTPFetch
import HTTPTypes
import NIOCore
import PostgresClient
import Reallocation
import Synchronization
import TestSupport
import Testing
import WebSocketTransport
import WireFormat

@testable import Optimizer

/// The broker's stream on a loopback port. It wants to be authenticated before it listens, speaks in text or binary frames, and drops
/// connections, repeats, reorders and loses messages as told.
enum AlpacaStreamFake {
    struct State {
        var connections: [WebSocketConnection] = []
        var opened = 0
        var listening = 0
        var refuses = false
        var isBinary = true
    }

    fileprivate final class Shared: Sendable {
        let state = Mutex(State())

        func serve(_ connection: WebSocketConnection) async {
            state.withLock { $0.opened += 1 }
            var isAuthorized = false
            for await message in connection.messages {
                let text: String
                switch message {
                case .text(let sent): text = sent
                case .binary(let bytes): text = String(decoding: bytes, as: UTF8.self)
                default: continue
                }
                guard let json = try? StrictJSON.parse(text) else { return }
                switch json["action"]?.stringValue {
                case "authenticate":
                    isAuthorized =
                        json["data"]?["key_id"] == "id" && json["data"]?["secret_key"] == "secret"
                        && !state.withLock { $0.refuses }
                    say(
                        [
                            "stream": "authorization",
                            "data": [
                                "action": "authenticate", "status": isAuthorized ? "authorized" : "unauthorized",
                            ],
                        ], to: connection)
                case "listen" where isAuthorized:
                    say(["stream": "listening", "data": ["streams": ["trade_updates"]]], to: connection)
                    state.withLock {
                        $0.listening += 1
                        $0.connections.append(connection)
                    }
                default: return
                }
            }
        }

        func say(_ json: JSONValue, to connection: WebSocketConnection) {
            if state.withLock({ $0.isBinary }) {
                connection.send(binary: json.bytes())
            } else {
                connection.send(json.serialized())
            }
        }
    }

    /// Serves while `body` runs.
    static func with(_ body: (Handle) async throws -> Void) async throws {
        let shared = Shared()
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: Router(),
            server: WebSocketServer.builder { request in
                request.path == "/stream" ? .accept { await shared.serve($0) } : .passToHTTP
            },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                port.yield(channel.localAddress?.port ?? 0)
                port.finish()
            }, logger: TestPostgres.logger)
        let serving = Task { try await application.run() }
        defer { serving.cancel() }
        var iterator = ports.makeAsyncIterator()
        let number = try #require(await iterator.next())
        try await body(Handle(url: "ws://127.0.0.1:\(number)/stream", shared: shared))
    }

    struct Handle: Sendable {
        let url: String
        fileprivate let shared: Shared

        var opened: Int { shared.state.withLock { $0.opened } }
        var listening: Int { shared.state.withLock { $0.listening } }
        func set(_ change: (inout State) -> Void) { shared.state.withLock { change(&$0) } }

        /// Tells all who listen of an event of an order.
        func update(_ event: String, _ clientID: String) {
            let json: JSONValue = [
                "stream": "trade_updates",
                "data": ["event": .string(event), "order": ["client_order_id": .string(clientID), "status": "new"]],
            ]
            for connection in shared.state.withLock({ $0.connections }) { shared.say(json, to: connection) }
        }

        /// Hangs up on everybody.
        func drop() {
            let connections = shared.state.withLock { state in
                defer { state.connections = [] }
                return state.connections
            }
            for connection in connections { connection.close(code: WebSocketCloseCode.goingAway) }
        }
    }
}

@Suite("Alpaca's stream of trade updates", .serialized, .timeLimit(.minutes(2)))
struct AlpacaStreamTests {

    private func stream(_ url: String, _ hints: OrderHints) -> AlpacaStream {
        var stream = AlpacaStream(url: url, keyID: "id", secret: "secret", hints: hints, logger: TestPostgres.logger)
        (stream.pause, stream.longestPause) = (.milliseconds(5), .milliseconds(20))
        return stream
    }

    /// A stream that listens, and expects word of one order.
    private func listening(to fake: AlpacaStreamFake.Handle) async throws -> (hints: OrderHints, run: Task<Void, Never>)
    {
        let hints = OrderHints()
        let stream = stream(fake.url, hints)
        let run = Task { await stream.run() }
        try await eventually { hints.isLive }
        hints.expect("p1")
        return (hints, run)
    }

    @Test(
        "authenticates, listens, hints in text and binary frames, and comes back after every end",
        arguments: [true, false])
    func connects(isBinary: Bool) async throws {
        try await AlpacaStreamFake.with { fake in
            fake.set { $0.isBinary = isBinary }
            let (hints, running) = try await listening(to: fake)
            defer { running.cancel() }
            fake.update("fill", "p1")
            // Ends by the hint: the time that it may take is that of the test.
            await hints.wait(for: "p1", atMost: .seconds(100))
            // A connection that ends: nothing is live until the next listens, and everybody looks again.
            fake.drop()
            await hints.wait(for: "p1", atMost: .seconds(100))
            try await eventually { fake.listening == 2 && hints.isLive }
            // Refused: no hint, and it is tried again.
            fake.set { $0.refuses = true }
            fake.drop()
            let opened = fake.opened
            try await eventually { fake.opened > opened + 2 }
            #expect(!hints.isLive)
            fake.set { $0.refuses = false }
            try await eventually { hints.isLive }
        }
    }

    @Test("updates that are repeated, out of order, of strangers or no JSON harm nobody")
    func noise() async throws {
        try await AlpacaStreamFake.with { fake in
            let (hints, running) = try await listening(to: fake)
            defer { running.cancel() }
            for event in ["fill", "fill", "new", "partial_fill", "fill", "order_cancel_rejected"] {
                fake.update(event, "p1")
                fake.update(event, "somebody-else")
            }
            await hints.wait(for: "p1", atMost: .seconds(100))
            #expect(hints.isLive && fake.opened == 1)
        }
    }

    @Test(
        "an execution over a broker that loses, repeats and delays, with a stream that is cut again and again",
        arguments: 0..<2)
    func execution(seed: Int) async throws {
        var faults = AlpacaFake.Faults()
        (faults.lostBefore, faults.lostAfter, faults.tooMany, faults.late) = (0.15, 0.4, 0.1, 0.5)
        let broker = try AlpacaFake(cash: 1000, positions: ["AAPL": 250], seed: UInt64(seed), faults: faults)
        try await AlpacaStreamFake.with { fake in
            let hints = OrderHints()
            let stream = stream(fake.url, hints)
            let running = Task { await stream.run() }
            let noise = Task {
                var random = SplitMix64(seed: UInt64(seed))
                while !Task.isCancelled {
                    // Late, twice, or not at all.
                    for id in broker.clientIDs where random.chance(0.7) { fake.update("fill", id) }
                    if random.chance(0.1) { fake.drop() }
                    // As often as a broker tells of a busy account.
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            defer {
                running.cancel()
                noise.cancel()
            }
            var desk = TradingDesk()
            desk.venues["alpaca"] = AlpacaVenue(
                url: broker.server.url, keyID: "id", secret: "secret", client: .init(), patience: .milliseconds(2),
                hints: hints, livePatience: .milliseconds(200))
            try await ServiceUnderTest.with(trading: desk) { service in
                let report = try await BookedPortfolio.executed(service, at: "alpaca")
                #expect(report?["state"] == "RECORDED" && report?["differences"] == [])
                #expect(broker.orders == 2 && Set(broker.clientIDs).count == 2)
                #expect(try await BookedPortfolio.holdings(service).cash == broker.account.cash)
            }
        }
    }

    @Test(
        "orders that somebody replaces at the broker: the chain is followed, and where it fills more than was meant all stops"
    )
    func replaced() async throws {
        for (reopens, seed) in [(false, 1), (false, 2), (true, 3)] {
            var faults = AlpacaFake.Faults()
            (faults.replaced, faults.reopens, faults.late) = (reopens ? 1 : 0.5, reopens, 0.3)
            let broker = try AlpacaFake(cash: 1000, positions: ["AAPL": 250], seed: UInt64(seed), faults: faults)
            var desk = TradingDesk()
            desk.venues["alpaca"] = AlpacaVenue(
                url: broker.server.url, keyID: "id", secret: "secret", client: .init(), patience: .milliseconds(2))
            try await ServiceUnderTest.with(trading: desk) { service in
                let report = try await BookedPortfolio.executed(service, at: "alpaca")
                if report?["state"] == "HALTED" {
                    #expect(reopens, "\(report?.serialized() ?? "")")
                } else {
                    #expect(report?["state"] == "RECORDED" && report?["differences"] == [])
                    #expect(try await BookedPortfolio.holdings(service).cash == broker.account.cash)
                }
            }
        }
    }
}
