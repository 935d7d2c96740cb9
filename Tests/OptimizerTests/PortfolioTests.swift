import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Stored portfolios")
struct PortfolioTests {
    private func stored(_ service: ServiceUnderTest, id: String = "mine") async throws {
        try await service.writePrices(["AAPL", "MSFT"])
        _ = try await service.optimize([
            "assets": ["AAPL", "MSFT"], "portfolio_id": .string(id), "objective": "MinRisk",
        ])
    }

    @Test("the ETag is strong, answers 304 without a body, and changes with the result")
    func etag() async throws {
        try await ServiceUnderTest.with { service in
            try await stored(service)
            let first = try await service.call(.get, "/api/portfolio/mine")
            let tag = try #require(first.headers[.eTag])
            #expect(tag.hasPrefix("\""))
            let again = try await service.call(.get, "/api/v1/portfolio/mine", headers: [.ifNoneMatch: "\"x\", \(tag)"])
            #expect(again.status == 304)
            #expect(again.body.isEmpty)
            _ = try await service.optimize(["assets": ["AAPL", "MSFT"], "portfolio_id": "mine", "objective": "MaxRet"])
            let changed = try await service.call(.get, "/api/portfolio/mine", headers: [.ifNoneMatch: tag])
            #expect(changed.status == 200)
            #expect(changed.headers[.eTag] != tag)
        }
    }

    @Test("another tenant's portfolio is not there, whatever is asked")
    func tenants() async throws {
        try await ServiceUnderTest.with { service in
            try await stored(service)
            let foreign = try await service.foreignKey()
            let calls: [(HTTPRequest.Method, String, JSONValue?)] = [
                (.get, "/api/portfolio/mine", nil), (.get, "/api/portfolio/mine/history", nil),
                (.get, "/api/portfolio/mine/holdings", nil), (.get, "/api/portfolio/mine/recalculation", nil),
                (.put, "/api/portfolio/mine/recalculation", ["enabled": false]),
                (.put, "/api/portfolio/mine/holdings", ["holdings": []]), (.delete, "/api/portfolio/mine", nil),
            ]
            for (method, path, body) in calls {
                let answer = try await service.call(method, path, body, key: foreign)
                #expect(answer.status == 404, "\(method) \(path)")
                #expect(answer.json?["code"] == "REQ-301")
            }
            #expect(try await service.call(.get, "/api/portfolio", key: foreign).json?["items"] == [])
            #expect(try await service.call(.get, "/api/portfolio/mine").status == 200)
            // The same request of the other tenant is its own portfolio, and its own solve.
            let answer = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAPL", "MSFT"], "objective": "MinRisk"], key: foreign)
            #expect(answer.json?["meta"]?["cached"] == false)
        }
    }

    @Test(
        "a stored result is made again from its own record, the same bytes, by a service that has kept nothing",
        arguments: [
            ["objective": "Sharpe", "risk_measure": "CVaR", "efficient_frontier": 5],
            ["model": "BL", "objective": "Utility", "views": ["items": ["AAPL - MSFT == 0.0001"]]],
            ["model": "HRP", "covariance_estimator": ["method": "ledoit"]],
        ] as [JSONValue])
    func again(request: JSONValue) async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "AMZN"])
            var members = try #require(request.objectValue)
            members["assets"] = ["AAPL", "MSFT", "AMZN"]
            members["portfolio_id"] = "mine"
            members["risk_free_rate"] = 0.02
            _ = try await service.optimize(.object(members))
            let record = try #require(try await service.call(.get, "/api/portfolio/mine").json)
            let fresh = Optimizer(
                pool: service.optimizer.pool, solverThreads: 1, cacheBytes: 0, registry: PrometheusRegistry(),
                logger: TestPostgres.logger)
            defer { fresh.solver.stop() }
            var wanted = try OptimizeRequest(json: try #require(record["request"]))
            wanted.store = false
            let principal = Principal(tenant: Tenants.standard, subject: "test", scopes: [.optimize])
            let made = try await fresh.respond(
                to: OptimizeCall(
                    request: wanted, isStrict: false, principal: principal, requestID: "test-0001", lane: .request,
                    start: .now, limit: .seconds(30))
            ).response.json
            #expect(made["meta"]?["cached"] == false)
            for name in [
                "weights", "metrics", "solution", "risk_contributions", "efficient_frontier", "data", "warnings",
            ] {
                #expect(made[name]?.serialized() == record[name]?.serialized(), "\(name)")
            }
        }
    }

    @Test("DELETE answers 204, then nothing is there")
    func delete() async throws {
        try await ServiceUnderTest.with { service in
            try await stored(service)
            #expect(try await service.call(.delete, "/api/portfolio/mine").status == 204)
            #expect(try await service.call(.get, "/api/portfolio/mine").status == 404)
            #expect(try await service.call(.delete, "/api/portfolio/mine").status == 404)
            let rows = try await service.admin.query("SELECT count(*) FROM ballast.portfolio_result")
            #expect(try rows[0].decode(Int64.self, at: 0) == 0)
        }
    }

    @Test("pages follow next until it is null and show each portfolio once")
    func pages() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            for n in 0..<5 {
                _ = try await service.optimize([
                    "assets": ["AAPL", "MSFT"], "risk_free_rate": JSONValue(Double(n) / 1000),
                ])
            }
            var path: String? = "/api/portfolio?limit=2"
            var seen: [String] = []
            while let next = path {
                let page = try #require(try await service.call(.get, next).json)
                seen += page["items"]?.arrayValue?.compactMap { $0["portfolio_id"]?.stringValue } ?? []
                path = page["next"]?.stringValue
            }
            #expect(seen.count == 5)
            #expect(Set(seen).count == 5)
            #expect(try await service.call(.get, "/api/portfolio?limit=501").status == 422)
            #expect(try await service.call(.get, "/api/portfolio?lmit=5").status == 422)
        }
    }

    @Test("holdings keep their decimals; lots that do not add up are refused with a pointer")
    func holdings() async throws {
        try await ServiceUnderTest.with { service in
            try await stored(service)
            let put = try await service.call(.put, "/api/portfolio/mine/holdings", Examples.holdings[0].1)
            #expect(put.status == 200, "\(put.text)")
            let got = try await service.call(.get, "/api/portfolio/mine/holdings").json
            #expect(got?["cash"] == "12500.00")
            #expect(got?["holdings"]?[0]?["quantity"] == "120")
            #expect(got?["holdings"]?[0]?["lots"]?[0]?["basis_per_share"] == "172.40")
            #expect(got?["holdings"]?[1]?["quantity"] == "10.5")
            let wrong = try await service.call(
                .put, "/api/portfolio/mine/holdings",
                [
                    "holdings": [
                        [
                            "asset": "AAPL", "quantity": "2",
                            "lots": [["id": "a", "acquired": "2024-01-02", "quantity": "1", "basis_per_share": "1"]],
                        ]
                    ]
                ])
            #expect(wrong.status == 422)
            #expect(wrong.json?["errors"]?[0]?["pointer"] == "#/holdings/0/quantity")
            #expect(try await service.call(.get, "/api/portfolio/mine/holdings").json?["cash"] == "12500.00")
        }
    }

    @Test("every change has its entry in the audit chain")
    func audit() async throws {
        try await ServiceUnderTest.with { service in
            try await stored(service)
            _ = try await service.call(.put, "/api/portfolio/mine/recalculation", ["enabled": false])
            _ = try await service.call(.delete, "/api/portfolio/mine")
            let rows = try await service.admin.query(
                "SELECT action FROM ballast.audit WHERE object = 'mine' ORDER BY seq")
            #expect(
                try rows.map { try $0.decode(String.self, at: 0) }
                    == ["portfolio.create", "portfolio.recalculation", "portfolio.delete"])
        }
    }
}
