import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Price cache")
struct PriceCacheTests {
    private func options() -> TransactionOptions {
        TransactionOptions(role: .app(tenant: Tenants.standard), isolation: .repeatableRead, readOnly: true)
    }

    private func price(
        _ service: ServiceUnderTest, _ symbol: String, on connection: PostgresConnection
    ) async throws -> Double? {
        let revision = try await PriceStore.revision(on: connection)
        return try await service.optimizer.prices.histories(of: ["AAPL", "MSFT"], at: revision, on: connection)[symbol]?
            .prices.last
    }

    @Test("a cached price is the one of the caller's snapshot: after an update, an insert, a delete and a TRUNCATE")
    func followsChanges() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"], days: 5)
            let statements: [SQL] = [
                "UPDATE public.market_data SET price = 7 WHERE asset_symbol = 'AAPL'",
                "INSERT INTO public.market_data (asset_symbol, timestamp, price) VALUES ('AAPL', '2019-01-01', 8)",
                "DELETE FROM public.market_data WHERE asset_symbol = 'AAPL' AND timestamp = '2019-01-01'",
                "UPDATE public.market_data SET asset_symbol = 'OTHER' WHERE asset_symbol = 'AAPL' AND timestamp > '2018-01-03'",
                "TRUNCATE public.market_data",
            ]
            for statement in statements {
                _ = try await service.admin.execute(statement)
                for symbol in ["AAPL", "MSFT"] {
                    let cached = try await service.optimizer.pool.transaction(options()) { connection in
                        try await price(service, symbol, on: connection)
                    }
                    let stored = try await service.admin.query(
                        "SELECT price::float8 FROM public.market_data WHERE asset_symbol = \(symbol) ORDER BY timestamp DESC LIMIT 1"
                    )
                    #expect(try cached == stored.first?.decode(Double.self, at: 0), "\(symbol) after \(statement.text)")
                }
            }
        }
    }

    @Test("prices stored in any order become a history by day, the latest of each day")
    func anyOrder() async throws {
        try await ServiceUnderTest.with { service in
            for (instant, price) in [
                ("2018-01-04 00:00Z", 4), ("2018-01-02 15:00Z", 22), ("2018-01-03 00:00Z", 3), ("2018-01-02 00:00Z", 2),
                ("2018-01-02 09:00Z", 21), ("2018-01-01 23:59Z", 1),
            ] {
                _ = try await service.admin.execute(
                    "INSERT INTO public.market_data (asset_symbol, timestamp, price) VALUES ('AAPL', \(instant)::text::timestamptz, \(price)::int4)"
                )
            }
            let history = try await service.optimizer.pool.transaction(options()) { connection in
                try await PriceStore.histories(of: ["AAPL"], on: connection)["AAPL"]
            }
            #expect(history?.prices == [1, 22, 3, 4])
            #expect(history.map { zip($0.days, $0.days.dropFirst()).allSatisfy { $1 == $0 + 1 } } == true)
        }
    }

    @Test("a transaction with an older snapshot does not see what a later one has put into the cache")
    func olderSnapshot() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"], days: 5)
            try await service.optimizer.pool.transaction(options()) { old in
                let before = try await price(service, "AAPL", on: old)
                _ = try await service.admin.execute(
                    "UPDATE public.market_data SET price = 7 WHERE asset_symbol = 'AAPL'")
                let after = try await service.optimizer.pool.transaction(options()) { new in
                    try await price(service, "AAPL", on: new)
                }
                #expect(after == 7)
                #expect(try await price(service, "AAPL", on: old) == before)
            }
        }
    }

    @Test("a change that was in progress when the cache was filled is seen once it is committed")
    func commitsLater() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"], days: 5)
            try await service.admin.transaction { writer in
                _ = try await writer.execute("UPDATE public.market_data SET price = 9 WHERE asset_symbol = 'AAPL'")
                let during = try await service.optimizer.pool.transaction(options()) {
                    try await price(service, "AAPL", on: $0)
                }
                #expect(during != 9)
            }
            let after = try await service.optimizer.pool.transaction(options()) {
                try await price(service, "AAPL", on: $0)
            }
            #expect(after == 9)
        }
    }

    @Test("snapshots are ordered by what they show")
    func snapshots() throws {
        let early = try #require(Snapshot("10:20:12,15"))
        let late = try #require(Snapshot("12:25:15,22"))
        #expect(early.isVisible(within: early))
        #expect(early.isVisible(within: late))
        #expect(!late.isVisible(within: early))
        // 15 is visible in the one and still running in the other, though the other ends later.
        #expect(!(try #require(Snapshot("12:20:12"))).isVisible(within: late))
        #expect(Snapshot("10:20") == nil)
        #expect(Snapshot("a:b:") == nil)
    }
}
