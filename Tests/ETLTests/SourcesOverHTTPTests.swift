import Foundation
import HTTPFetch
import MarketData
import PostgresClient
import Synchronization
import TestSupport
import Testing
import WireFormat

@testable import ETL

@Suite struct `Sources over HTTP` {
    /// Replies in turn; the last one again and again.
    private func server(_ replies: [LoopbackServer.Reply]) throws -> LoopbackServer {
        let turn = Atomic(0)
        return try LoopbackServer { _ in replies[min(turn.add(1, ordering: .relaxed).oldValue, replies.count - 1)] }
    }

    private func job(_ sourceID: String, _ parameters: JSONValue) throws -> Job {
        let type = try #require(Sources.named(sourceID))
        return Job(
            name: sourceID, sourceID: sourceID, source: try Sources.make(type, parameters: MemberReader(parameters)))
    }

    /// One page: the candles from 12 March 2025 on fit into one of 300 days' width only at `start`.
    private func coinbase(_ server: LoopbackServer) throws -> Job {
        try job("coinbase", ["products": ["BTC-USD"], "start": "2025-03-12", "url": .string(server.url)])
    }

    private static let candles = """
        [[1741910400,80771.17,85318.61,81071.5,83980.49,12021.44018293],\
        [1741737600,80550.0,84123.46,82921.28,83680.12,12934.01]]
        """

    @Test func `Coinbase candles come through 429, 500, a web page and a cut body`() async throws {
        let collecting = try await Collecting()
        let server = try server([
            .init(429, headers: ["Retry-After": "1"], "{\"message\":\"Public rate limit exceeded\"}"),
            .init(500, "oops"),
            .init(200, "<html>wait</html>"), .init(200, Self.candles, cutAfter: 30), .init(200, Self.candles),
            .init(200, "[]"),
        ])
        let report = try await collecting.collector().runner.run(try coinbase(server))
        #expect(report.status == .succeeded)
        let expected = [
            "BTC-USD 2025-03-12 83680.12 12934.01 - coinbase",
            "BTC-USD 2025-03-14 83980.49 12021.44018293 0.003590 coinbase",
        ]
        #expect(try await collecting.table() == expected)
        let again = try await collecting.collector().runner.run(try coinbase(server))
        #expect(again.counts.inserted + again.counts.updated == 0)
        #expect(try await collecting.collector().runs.position(job: "coinbase", item: "BTC-USD") != nil)
        #expect(try await collecting.table() == expected)
    }

    @Test(.enabled(if: SharedFolder.url("fixtures/coinbase-candles") != nil, "no ../shared"))
    func `the recorded Coinbase days go into the table, the open one does not`() async throws {
        let collecting = try await Collecting()
        let url = try #require(SharedFolder.url("fixtures/coinbase-candles/btc-usd-1d-newest-first.json"))
        let body = [UInt8](try Data(contentsOf: url))
        // The server's own date decides that the bar of the 15th is still open.
        let date = ["Date": "Sat, 15 Mar 2025 12:00:00 GMT"]
        let server = try server([.init(200, headers: date, body: body), .init(200, headers: date, "[]")])
        _ = try await collecting.collector().runner.run(try coinbase(server))
        #expect(try await collecting.number("SELECT count(*) FROM public.market_data") == 2)
    }

    @Test func `an unknown product is a failed item that is not asked for again`() async throws {
        let collecting = try await Collecting()
        let server = try server([.init(404, "{\"message\":\"NotFound\"}")])
        let report = try await collecting.collector().runner.run(try coinbase(server))
        #expect(report.status == .failed)
        #expect(!report.isRetryable)
        #expect(server.count == 1)
        let rows = try await collecting.pool.query("SELECT status || ' ' || error_class FROM ballast.etl_run")
        #expect(try rows.map { try $0.decode(String.self, at: 0) } == ["failed not_found"])
    }

    @Test func `a retyped field stores nothing`() async throws {
        let collecting = try await Collecting()
        let server = try server([.init(200, "[[1741910400,80771.17,85318.61,81071.5,\"83980.49\",1]]")])
        let report = try await collecting.collector().runner.run(try coinbase(server))
        #expect(report.failures.first?.failure.errorClass == .schema)
        #expect(try await collecting.table().isEmpty)
    }

    @Test func `a ban is waited out, over a restart too`() async throws {
        let collecting = try await Collecting()
        let server = try server([.init(418, headers: ["Retry-After": "3600"])])
        let first = try await collecting.collector().runner.run(try coinbase(server))
        #expect(first.failures.first?.failure.errorClass == .banned)
        // A new collector knows nothing but the database.
        let second = try await collecting.collector().runner.run(try coinbase(server))
        #expect(second.status == .quiet)
        #expect(server.count == 1)
    }

    @Test func `a torn Solana read is asked again and a whole one stored`() async throws {
        let collecting = try await Collecting()
        let account = SolanaAnswers.account(PriceAccountBytes().bytes)
        func answer(slot: Int, _ first: Int64, _ last: Int64) -> LoopbackServer.Reply {
            let accounts = [SolanaAnswers.clock(time: first), account, SolanaAnswers.clock(time: last)]
            return .init(200, SolanaAnswers.multipleAccounts(slot: slot, accounts))
        }
        let server = try server([
            answer(slot: 1_000, 1_700_000_030, 1_700_000_031),
            .init(200, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32005,\"message\":\"behind\"},\"id\":1}"),
            .init(
                429, headers: ["Retry-After": "1"],
                "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":429,\"message\":\"Too many\"},\"id\":null}"),
            answer(slot: 1_001, 1_700_000_031, 1_700_000_031), answer(slot: 999, 1_700_000_040, 1_700_000_040),
            answer(slot: 1_002, 1_700_000_041, 1_700_000_041),
        ])
        let pyth = try job(
            "pyth",
            [
                "accounts": [["symbol": "SOL-USD", "address": "7AviUf9nL62mcxNbQGKm4nKDQnPjswo6c5MX4D57HmyE"]],
                "url": .string(server.url),
            ])
        let runs = collecting.collector().runs
        let report = try await collecting.collector().runner.run(pyth)
        #expect(report.counts.inserted == 1)
        #expect(try await collecting.table() == ["SOL-USD 2023-11-14 102.59321149 - - pyth"])
        #expect(try await runs.position(job: "pyth", item: "accounts-0") == "1001")
        // The node behind the balancer is older now: its answer is not taken.
        let again = try await collecting.collector().runner.run(pyth)
        #expect(again.counts.unchanged == 1)
        #expect(server.count == 6)
        #expect(try await runs.position(job: "pyth", item: "accounts-0") == "1002")
    }
}
