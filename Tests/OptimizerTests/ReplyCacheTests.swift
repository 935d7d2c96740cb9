import Foundation
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Replies that are kept", .timeLimit(.minutes(2)))
struct ReplyCacheTests {
    private static let request: JSONValue = [
        "assets": ["AAA", "BBB"], "objective": "MinRisk", "portfolio_id": "kept", "name": "reply-00000000",
    ]

    private func plain(_ answer: JSONValue) -> JSONValue {
        guard var object = answer.objectValue, var meta = object["meta"]?.objectValue else { return answer }
        for member in ["cached", "request_id", "total_ms"] { meta[member] = nil }
        object["meta"] = .object(meta)
        return .object(object)
    }

    @Test("the second of two equal calls says so and is the same otherwise")
    func repeated() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            let first = try await service.optimize(Self.request)
            let second = try await service.optimize(Self.request, headers: [.requestID: "my-request"])
            #expect(first["meta"]?["cached"] == false && second["meta"]?["cached"] == true)
            #expect(second["meta"]?["request_id"] == "my-request")
            #expect(plain(first).serialized() == plain(second).serialized())
            #expect(second["meta"]?["total_ms"]?.doubleValue ?? -1 >= 0)
            #expect(service.optimizer.replies.statistics.entries == 1)
            // Another preference is another question, another tenant another one.
            _ = try await service.optimize(Self.request, headers: [.prefer: "handling=strict"])
            let foreign = try await service.foreignKey()
            let theirs = try await service.call(.post, "/api/portfolio/optimize", Self.request, key: foreign)
            #expect(theirs.json?["meta"]?["cached"] == false)
        }
    }

    @Test("a changed price, a new one, a deleted one, a new name: each makes the next answer a new one")
    func data() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB", "CCC"])
            var body = Self.request.objectValue ?? JSONObject()
            body["assets"] = ["AAA", "BBB"]
            var before = try await service.optimize(.object(body))
            for statement in [
                "UPDATE market_data SET price = price * 1.01 WHERE asset_symbol = 'AAA' AND timestamp = (SELECT max(timestamp) FROM market_data)",
                "INSERT INTO market_data (asset_symbol, timestamp, price) SELECT s, '2030-01-07', 100 FROM unnest(ARRAY['AAA','BBB']) s",
                "DELETE FROM market_data WHERE timestamp = '2030-01-07'",
            ] {
                #expect(try await service.optimize(.object(body))["meta"]?["cached"] == true)
                _ = try await service.admin.execute(.raw(statement))
                let after = try await service.optimize(.object(body))
                #expect(after["data"]?["fingerprint"] != before["data"]?["fingerprint"], "\(statement)")
                before = after
            }
            // A price of an asset that is not asked for: the data are looked at again, and found to be the same.
            _ = try await service.admin.execute(
                "UPDATE market_data SET price = price * 1.01 WHERE asset_symbol = 'CCC'")
            let same = try await service.optimize(.object(body))
            #expect(same["data"]?["fingerprint"] == before["data"]?["fingerprint"] && same["meta"]?["cached"] == true)
            // A new meaning of a name.
            body["assets"] = ["OLD", "BBB"]
            body["portfolio_id"] = "renamed"
            #expect(try await service.call(.post, "/api/portfolio/optimize", .object(body)).status == 422)
            _ = try await service.admin.execute(
                "INSERT INTO ballast.asset_alias (alias, symbol, valid_from) VALUES ('OLD', 'AAA', '2000-01-01')")
            let aliased = try await service.optimize(.object(body))
            _ = try await service.admin.execute("UPDATE ballast.asset_alias SET symbol = 'CCC' WHERE alias = 'OLD'")
            #expect(
                try await service.optimize(.object(body))["data"]?["fingerprint"] != aliased["data"]?["fingerprint"])
        }
    }

    @Test("a portfolio that was deleted is stored again by the same call")
    func deleted() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            for _ in 0..<3 {
                _ = try await service.optimize(Self.request)
                #expect(try await service.call(.get, "/api/portfolio/kept").status == 200)
                #expect(try await service.call(.delete, "/api/portfolio/kept").status == 204)
                #expect(try await service.call(.get, "/api/portfolio/kept").status == 404)
            }
            // Changed by another request under the same id: the first one's call makes it its own again.
            _ = try await service.optimize(Self.request)
            _ = try await service.optimize(["assets": ["AAA"], "portfolio_id": "kept"])
            _ = try await service.optimize(Self.request)
            let stored = try await service.call(.get, "/api/portfolio/kept")
            #expect(stored.json?["request"]?["assets"] == ["AAA", "BBB"])
        }
    }

    @Test("a price that is committed is seen by every call that begins after it, however many run at once")
    func linearizable() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"], days: 40)
            let body: JSONValue = ["assets": ["AAA", "BBB"], "objective": "MinRisk", "store": false]
            _ = try await service.optimize(body)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        while !Task.isCancelled { _ = try await service.call(.post, "/api/portfolio/optimize", body) }
                    }
                }
                for n in 1...25 {
                    let price = "\(100 + n)"
                    _ = try await service.admin.execute(
                        """
                        UPDATE market_data SET price = \(price)::text::numeric
                        WHERE asset_symbol = 'AAA' AND timestamp = (SELECT max(timestamp) FROM market_data)
                        """)
                    let seen = try await service.optimize(body)
                    var fresh = body.objectValue ?? JSONObject()
                    fresh["risk_free_rate"] = JSONValue(Double(n) / 1000)
                    let looked = try await service.optimize(.object(fresh))
                    #expect(seen["data"]?["fingerprint"] == looked["data"]?["fingerprint"], "change \(n)")
                }
                group.cancelAll()
            }
        }
    }

    @Test("a pure call asks the database nothing the second time")
    func pure() async throws {
        try await ServiceUnderTest.with { service in
            let days = (1...28).map { JSONValue.string("2023-02-" + ($0 < 10 ? "0\($0)" : "\($0)")) }
            func series(_ seed: Double) -> JSONValue { JSONValue((1...28).map { sin(Double($0) * seed) / 50 }) }
            let body: JSONValue = [
                "returns": ["dates": .array(days), "values": ["X": series(1.3), "Y": series(2.1)]],
                "objective": "MinRisk",
            ]
            let first = try await service.optimize(body)
            // The credentials are remembered; the rest needs no database at all.
            await service.optimizer.pool.close()
            let second = try await service.optimize(body)
            #expect(second["meta"]?["cached"] == true && plain(first) == plain(second))
        }
    }
}
