import HTTPTypes
import Hummingbird
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Market data")
struct MarketDataTests {
    private func send(
        _ service: ServiceUnderTest, _ body: String, as type: String
    ) async throws -> RouterClient<RouterResponder<BallastRequestContext>>.Answer {
        try await service.client.send(
            .post, "/api/market-data", headers: [.authorization: "Bearer \(service.key)", .contentType: type],
            body: body)
    }

    private func push(_ service: ServiceUnderTest, _ body: String, as type: String) async throws -> JSONValue {
        let answer = try await send(service, body, as: type)
        try #require(answer.status == 200, "\(answer.text)")
        return try #require(answer.json)
    }

    @Test("bad lines are set aside with their rule, the rest is stored; again nothing is written")
    func ndjson() async throws {
        try await ServiceUnderTest.with { service in
            let body = """
                {"asset_symbol":"AAPL","timestamp":"2023-05-01T12:00:00Z","price":150.25,"volume":15000000,"return":0.015,"created_at":"2023-05-01T12:30:00Z"}
                {"asset_symbol":"AAPL","timestamp":"2023-05-02T12:00:00Z","price":"151.00"}
                {"asset_symbol":"AAPL","timestamp":"2023-05-03T12:00:00Z","price":0}
                {"asset_symbol":"AAPL","timestamp":"2023-05-04T12:00:00Z","price":-3}

                {"asset_symbol":"AAPL","timestamp":"2023-05-05","price":1}
                not json
                {"asset_symbol":"AA PL","timestamp":"2023-05-05T12:00:00Z","price":1}
                {"asset_symbol":"AAPL","timestamp":"2023-05-06T12:00:00Z","price":1e999}
                """
            let first = try await push(service, body, as: "application/x-ndjson")
            #expect(first["inserted"] == 2)
            let rules = first["quarantined"]?.arrayValue?.compactMap { $0["rule"]?.stringValue }
            #expect(
                rules == [
                    "price_not_positive", "price_not_positive", "bad_timestamp", "not_json", "bad_symbol",
                    "price_not_finite",
                ])
            #expect(first["quarantined"]?[0]?["line"] == 3)
            let second = try await push(service, body, as: "application/x-ndjson")
            #expect(second["inserted"] == 0)
            #expect(second["unchanged"] == 2)
            let kept = try await service.admin.query("SELECT count(*), max(times) FROM ballast.quarantine")
            #expect(try kept[0].decode((Int64, Int64).self) == (Int64(6), Int64(2)))

            let got = try await service.call(.get, "/api/market-data/AAPL?start=2023-05-01&end=2023-05-02").json
            #expect(got?["items"]?.arrayValue?.count == 2)
            #expect(got?["items"]?[0]?["return"] == 0.015)
            // Computed from the bar before: 151.00 / 150.25 - 1.
            let computed = try #require(got?["items"]?[1]?["return"]?.doubleValue)
            #expect(abs(computed - (151.00 / 150.25 - 1)) < 1e-11)
        }
    }

    @Test("CSV is read by its header; a changed price is an update with its former value kept")
    func csv() async throws {
        try await ServiceUnderTest.with { service in
            let first = try await push(
                service,
                "timestamp,asset_symbol,price,volume\r\n2023-05-01,\"MSFT\",300.5,10\r\n2023-05-02,MSFT,301,\r\n2023-05-03,MSFT\r\n",
                as: "text/csv; charset=utf-8")
            #expect(first["inserted"] == 2)
            #expect(first["quarantined"]?[0]?["rule"] == "wrong_column_count")
            #expect(first["quarantined"]?[0]?["line"] == 4)
            // A null byte is no text for the database, wherever it stands.
            let null = try await push(
                service,
                "asset_symbol,timestamp,price,source\n\0,2023-05-04,1,\nMSFT,2023-05-04,3\0,\nMSFT,2023-05-04,3,pu\0sh\nMSFT,2023-05-04\n\0\n",
                as: "text/csv")
            #expect(null["inserted"] == 0 && null["quarantined"]?.arrayValue?.count == 5)
            let second = try await push(service, "asset_symbol,timestamp,price\nMSFT,2023-05-02,302\n", as: "text/csv")
            #expect(second["updated"] == 1)
            let kept = try await service.admin.query(
                "SELECT old_price::text, new_price::text FROM ballast.market_data_revision")
            #expect(try kept[0].decode((String, String).self) == ("301", "302"))
        }
    }

    @Test("a better source is not overwritten, and the line says so")
    func outranked() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL"], days: 5)
            let answer = try await push(
                service, "{\"asset_symbol\":\"AAPL\",\"timestamp\":\"2018-01-01T00:00:00Z\",\"price\":1}\n",
                as: "application/x-ndjson")
            #expect(answer["updated"] == 0)
            #expect(answer["quarantined"]?[0]?["rule"] == "outranked")
        }
    }

    @Test("another media type is a 415, an unknown symbol a 404, a wrong day a 422")
    func refusals() async throws {
        try await ServiceUnderTest.with { service in
            let wrongType = try await service.call(.post, "/api/market-data", [:])
            #expect(wrongType.status == 415)
            for body in ["{}\n", "price\n[1]\n", "\n\n"] {
                #expect(try await send(service, body, as: "application/x-ndjson").status == 422)
            }
            #expect(try await service.call(.get, "/api/market-data/NOPE").status == 404)
            #expect(try await service.call(.get, "/api/market-data/NOPE?start=2023-02-30").status == 422)
        }
    }

    @Test("pages follow next")
    func pages() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL"], days: 25)
            var path: String? = "/api/market-data/AAPL?limit=10"
            var seen: [String] = []
            while let next = path {
                let page = try #require(try await service.call(.get, next).json)
                seen += page["items"]?.arrayValue?.compactMap { $0["timestamp"]?.stringValue } ?? []
                path = page["next"]?.stringValue
            }
            #expect(seen.count == 25)
            #expect(seen == seen.sorted())
        }
    }
}
