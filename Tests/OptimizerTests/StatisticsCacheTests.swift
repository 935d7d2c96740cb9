import HTTPTypes
import PortfolioModels
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Statistics cache")
struct StatisticsCacheTests {
    @Test(
        "other questions about the same data share the estimate; other data or estimators do not; answers are the same bytes"
    )
    func shared() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "AMZN"])
            func ask(_ members: [(String, JSONValue)]) async throws -> JSONValue {
                let base: [(String, JSONValue)] = [("assets", ["AAPL", "MSFT", "AMZN"]), ("store", false)]
                return try await service.optimize(.object(JSONObject(base + members)))
            }
            let statistics = { service.optimizer.statistics.statistics }
            _ = try await ask([("objective", "MinRisk")])
            #expect(statistics().misses == 1 && statistics().hits == 0)
            let shared = try await ask([("objective", "Utility"), ("constraints", ["upper_bound": 0.6])])
            #expect(statistics().misses == 1 && statistics().hits == 1)
            _ = try await ask([("objective", "MinRisk"), ("risk_free_rate", 0.03)])
            #expect(statistics().misses == 1 && statistics().hits == 2, "the sample's moments know of no rate")
            _ = try await ask([("covariance_estimator", ["method": "ledoit"])])
            #expect(statistics().misses == 2)
            _ = try await service.admin.execute(
                "UPDATE public.market_data SET price = price * 1.01 WHERE asset_symbol = 'AAPL' AND timestamp = '2018-05-01'"
            )
            _ = try await ask([("objective", "MinRisk")])
            #expect(statistics().misses == 3 && statistics().bytes > 0)
            _ = try await service.admin.execute(
                "UPDATE public.market_data SET price = price / 1.01 WHERE asset_symbol = 'AAPL' AND timestamp = '2018-05-01'"
            )
            // Without any cache: another service over the same data.
            let fresh = Optimizer(
                pool: service.optimizer.pool, solverThreads: 1, cacheBytes: 0, registry: PrometheusRegistry(),
                logger: TestPostgres.logger)
            defer { fresh.solver.stop() }
            #expect(fresh.statistics.statistics.bytes == 0)
            var request = OptimizeRequest(assets: ["AAPL", "MSFT", "AMZN"])
            request.objective = .utility
            request.constraints.upperBound = .all(0.6)
            request.store = false
            let principal = Principal(tenant: Tenants.standard, subject: "test", scopes: [.optimize])
            let alone = try await fresh.respond(
                to: OptimizeCall(
                    request: request, isStrict: false, principal: principal, requestID: "test-0001", lane: .request,
                    start: .now, limit: .seconds(30))
            ).response
            for name in ["weights", "metrics", "solution", "risk"] {
                #expect(alone.json[name]?.serialized() == shared[name]?.serialized(), "\(name)")
            }
        }
    }

    @Test("a trace goes into the job that a request becomes, and comes out of it")
    func trace() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            let id = "4bf92f3577b34da6a3ce929d0e0e4736"
            let answer = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAPL", "MSFT"], "store": false],
                headers: [.prefer: "respond-async", .traceparent: "00-\(id)-00f067aa0ba902b7-01"])
            #expect(answer.status == 202)
            let span = try #require(answer.headers[.traceparent])
            #expect(span.hasPrefix("00-\(id)-") && answer.json?["trace_id"]?.stringValue == id)
            let work = try #require(try await service.optimizer.jobStore.claim())
            #expect(work.trace.traceID == id)
            #expect(span == "00-\(id)-\(work.trace.parentID ?? "")-01")
        }
    }
}
