import Foundation
import HTTPFetch
import PostgresClient
import Testing
import WireFormat

/// The main job, through the real processes: prices in, a stored portfolio moves, and whoever listens is told.
@Suite("The stack", .serialized, .enabled(if: LocalStack.isBuilt, "the executables are not beside the tests"))
struct StackTests {
    static let assets = ["AAPL", "JPM", "KO", "MSFT"]

    /// A stored portfolio of four assets, with a short quiet time.
    static func request(id: String?) -> JSONValue {
        var request: JSONValue = [
            "assets": .array(assets.map { .string($0) }), "start_date": "2019-01-01", "model": "Classic",
            "risk_measure": "MV",
            "objective": "MinRisk", "constraints": ["lower_bound": 0, "upper_bound": 0.6],
        ]
        if case .object(var object) = request {
            if let id {
                object["portfolio_id"] = .string(id)
            } else {
                object["store"] = .bool(false)
            }
            request = .object(object)
        }
        return request
    }

    @Test("an inserted price recalculates the portfolio, and a Supabase client is told of the new result")
    func insertIsRecalculatedAndPushed() async throws {
        try await LocalStack.with { stack in
            try await stack.waitForSamples(Self.assets)
            let before = try await stack.optimize(Self.request(id: "pushed"))
            let subscriber = try await Subscriber.start(stack)
            for asset in Self.assets {
                _ = try await stack.pool.execute(
                    """
                    insert into market_data (asset_symbol, timestamp, price)
                    select asset_symbol, timestamp + interval '1 day', price * 1.01 from market_data
                    where asset_symbol = \(asset) order by timestamp desc limit 1
                    """)
            }
            try await stack.wait("the new result") {
                let stored = try await stack.call(.get, "/api/portfolio/pushed").body
                return stored["data"]?["end"] != before["data"]?["end"]
            }
            let stored = try await stack.call(.get, "/api/portfolio/pushed").body
            let fresh = try await stack.optimize(Self.request(id: nil))
            #expect(stored["weights"] == fresh["weights"])
            #expect(stored["data"]?["fingerprint"] == fresh["data"]?["fingerprint"])
            if let subscriber {
                let told = try await subscriber.first { $0["record"]?["portfolio_id"] == "pushed" }
                #expect(told["type"] == "INSERT")
            }
        }
    }

    @Test("kills of each process and of PostgreSQL in a stream of 1,000 updates lose nothing")
    func survivesKills() async throws {
        try await LocalStack.with { stack in
            try await stack.waitForSamples(Self.assets)
            _ = try await stack.optimize(Self.request(id: "killed"))

            var repairs: [Task<Void, any Error>] = []
            defer { for repair in repairs { repair.cancel() } }
            for update in 0..<1000 {
                switch update {
                case 100: try stack.kill("optimizer")
                case 300: try stack.kill("store-notifier")
                case 500: try stack.kill("etl")
                case 600: repairs.append(Task { try await stack.crashPostgres() })
                case 800:
                    try stack.kill("optimizer")
                    try stack.kill("store-notifier")
                default: break
                }
                // Whoever looks after the machine notices a little later.
                if [150, 350, 550, 900].contains(update) { repairs.append(Task { try await stack.up() }) }
                try await Self.set(update, on: stack)
            }
            for repair in repairs { try await repair.value }
            try await stack.up()

            let fresh = try await stack.optimize(Self.request(id: nil))
            try await stack.wait("the stored result of the last prices") {
                let stored = try await stack.call(.get, "/api/portfolio/killed").body
                return stored["data"]?["fingerprint"] == fresh["data"]?["fingerprint"]
            }
            let stored = try await stack.call(.get, "/api/portfolio/killed").body
            #expect(stored["weights"] == fresh["weights"])
            #expect(stored["metrics"] == fresh["metrics"])
        }
    }

    /// The nth update: one asset's close of one of ten days is set to a value that depends on n only, so that trying again is harmless.
    private static func set(_ update: Int, on stack: LocalStack) async throws {
        let asset = assets[update % assets.count]
        let day = Int64(update / assets.count % 10)
        let factor = 1 + Double(update % 97 - 48) / 5000
        try await stack.wait("update \(update)") {
            do {
                let changed = try await stack.pool.execute(
                    """
                    update market_data set price = round((b.price * \(factor)::float8::numeric), 6)
                    from (select timestamp, price from market_data where asset_symbol = \(asset)
                          order by timestamp desc offset \(day + 10) limit 1) d,
                         (select price from market_data where asset_symbol = \(asset) and timestamp = '2019-06-03') b
                    where asset_symbol = \(asset) and market_data.timestamp = d.timestamp
                    """)
                return changed == 1
            } catch is PostgresError {
                return false
            }
        }
    }
}
