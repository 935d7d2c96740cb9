import ConvexSolver
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("POST /api/portfolio/optimize")
struct PostOptimizeTests {
    private static let names = ["AAPL", "MSFT", "AMZN", "GOOGL", "META"]

    @Test("the specification's request, verbatim, answers in its shape, warns of the empty group and is kept")
    func specificationVerbatim() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names)
            let answer = try await service.optimize(specification)
            let weights = try #require(answer["weights"]?.objectValue)
            #expect(weights.keys == ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"])
            let values = weights.members.compactMap { $0.value.doubleValue }
            #expect(abs(values.reduce(0, +) - 1) < 1e-12)
            #expect(values.allSatisfy { $0 >= 0 && $0 <= 0.3 + 1e-12 })
            for name in ["expected_return", "volatility", "sharpe_ratio", "max_drawdown"] {
                #expect(answer["metrics"]?[name]?.doubleValue != nil, "\(name)")
            }
            #expect(answer["solution"]?["status"] == "optimal")
            #expect(answer["data"]?["observations"] == 299)
            #expect(answer["warnings"]?[0]?["code"] == "group_not_applied")
            #expect(answer["warnings"]?[0]?["pointer"]?.stringValue?.contains("Finance") == true)
            let id = try #require(answer["portfolio_id"]?.stringValue)

            let stored = try await service.call(.get, "/api/portfolio/\(id)")
            #expect(stored.status == 200)
            #expect(stored.json?["weights"] == answer["weights"])
            #expect(stored.json?["request"]?["assets"]?[4] == "FB")
        }
    }

    @Test("Prefer: handling=strict turns the warning into a 422 and keeps nothing")
    func strict() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names)
            let answer = try await service.call(
                .post, "/api/portfolio/optimize", specification, headers: [.prefer: "handling=strict"])
            #expect(answer.status == 422)
            #expect(answer.json?["code"] == "REQ-107")
            #expect(try await service.call(.get, "/api/portfolio").json?["items"] == [])
        }
    }

    @Test("the second of two identical calls is cached and is the same portfolio; new data is not cached")
    func cached() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            let request: JSONValue = ["assets": ["AAPL", "MSFT"], "objective": "MinRisk"]
            let first = try await service.optimize(request)
            let second = try await service.optimize(request)
            #expect(first["meta"]?["cached"] == false)
            #expect(second["meta"]?["cached"] == true)
            #expect(first["portfolio_id"] == second["portfolio_id"])
            #expect(first["weights"] == second["weights"])
            _ = try await service.admin.execute(
                "UPDATE public.market_data SET price = price * 1.1 WHERE asset_symbol = 'AAPL' AND timestamp = '2018-05-01'"
            )
            let third = try await service.optimize(request)
            #expect(third["meta"]?["cached"] == false)
            #expect(third["data"]?["fingerprint"] != first["data"]?["fingerprint"])
            let id = try #require(first["portfolio_id"]?.stringValue)
            let history = try await service.call(.get, "/api/portfolio/\(id)/history").json
            #expect(history?["items"]?.arrayValue?.count == 2)
            #expect(history?["items"]?[0]?["data"]?["fingerprint"] == third["data"]?["fingerprint"])
        }
    }

    @Test("a call with its own returns is pure: nothing is kept and there is no id")
    func inline() async throws {
        try await ServiceUnderTest.with { service in
            let answer = try await service.optimize(Examples.optimize[0].1)
            #expect(answer["portfolio_id"] == .null)
            #expect(answer["data"]?["revision"] == .null)
            #expect(try await service.call(.get, "/api/portfolio").json?["items"] == [])
        }
    }

    @Test("store false keeps nothing")
    func storeFalse() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            let answer = try await service.optimize(["assets": ["AAPL", "MSFT"], "store": false])
            #expect(answer["portfolio_id"] == .null)
            #expect(try await service.call(.get, "/api/portfolio").json?["items"] == [])
        }
    }

    @Test("FB is META's former name: the same figures, and after the change of name it is nobody's")
    func alias() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "META"])
            let old = try await service.optimize(["assets": ["AAPL", "FB"], "end_date": "2020-01-01", "store": false])
            let new = try await service.optimize([
                "assets": ["AAPL", "META"], "end_date": "2020-01-01", "store": false,
            ])
            #expect(old["weights"]?["FB"] == new["weights"]?["META"])
            let later = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAPL", "FB"], "start_date": "2022-07-01"])
            #expect(later.status == 422)
            #expect(later.json?["code"] == "DAT-001")
            let twice = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["META", "FB"], "end_date": "2020-01-01"])
            #expect(twice.status == 422)
            #expect(twice.json?["errors"]?[0]?["pointer"] == "#/assets/1")
        }
    }

    @Test("what cannot be answered is a 422 with the class of the specification and a pointer")
    func dataProblems() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            try await service.writePrices(["LATE"], from: "2022-01-03")
            let unknown = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAPL", "MSTF", "NOPE"]])
            #expect(unknown.status == 422)
            #expect(unknown.json?["code"] == "DAT-001")
            #expect(unknown.json?["class"] == "data_validation")
            #expect(unknown.json?["errors"]?[0]?["pointer"] == "#/assets/1")
            #expect(unknown.json?["suggestions"]?["MSTF"] == ["MSFT"])
            #expect(unknown.headers[.contentType] == "application/problem+json")
            let short = try await service.call(
                .post, "/api/portfolio/optimize",
                ["assets": ["AAPL", "MSFT"], "start_date": "2018-01-01", "end_date": "2018-01-08"])
            #expect(short.json?["code"] == "DAT-002")
            let disjoint = try await service.call(.post, "/api/portfolio/optimize", ["assets": ["AAPL", "LATE"]])
            #expect(disjoint.json?["code"] == "DAT-003")
            let empty = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAPL", "MSFT"], "start_date": "2030-01-01"])
            #expect(empty.json?["code"] == "DAT-003")
            #expect(empty.status == 422)
        }
    }

    @Test("constraints that cannot all hold are named, with the smallest relaxation")
    func infeasible() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "JPM"])
            let answer = try await service.call(
                .post, "/api/portfolio/optimize",
                [
                    "assets": ["AAPL", "MSFT", "JPM"],
                    "constraints": [
                        "upper_bound": ["AAPL": 0.3, "MSFT": 0.3], "groups": ["Tech": ["AAPL", "MSFT"]],
                        "group_constraints": ["Tech": ["min": 0.7]],
                    ],
                ])
            #expect(answer.status == 422)
            #expect(answer.json?["code"] == "OPT-101")
            #expect(answer.json?["class"] == "optimization")
            let conflict = answer.json?["conflict"]?.arrayValue?.compactMap { $0.stringValue } ?? []
            #expect(conflict.contains("group_constraints.Tech.min"))
            #expect(answer.json?["relaxation"]?.arrayValue?.isEmpty == false)
        }
    }

    @Test(
        "a body that makes no sense is a 4xx with a code",
        arguments: [
            ("{", 400, "REQ-001"), ("{\"assets\":[\"A\"],\"assets\":[\"B\"]}", 400, "REQ-003"), ("[]", 422, "REQ-101"),
            ("{}", 422, "REQ-102"),
            ("{\"assets\":\"AAPL\"}", 422, "REQ-101"),
            ("{\"assets\":[\"AAPL\"],\"objektive\":\"MinRisk\"}", 422, "REQ-103"),
            ("{\"assets\":[\"AAPL\"],\"start_date\":\"2023-02-30\"}", 422, "REQ-104"),
            ("{\"assets\":[\"AAPL\"],\"start_date\":\"2023-01-02\",\"end_date\":\"2022-01-02\"}", 422, "REQ-105"),
            (
                "{\"assets\":[\"AAPL\",\"MSFT\"],\"constraints\":{\"lower_bound\":0.6,\"upper_bound\":0.3}}", 422,
                "REQ-105"
            ),
            ("{\"assets\":[\"AAPL\"],\"risk_free_rate\":1e999}", 422, "REQ-104"),
        ])
    func malformed(body: String, status: Int, code: String) async throws {
        try await ServiceUnderTest.with { service in
            let answer = try await service.client.send(
                .post, "/api/portfolio/optimize", headers: [.authorization: "Bearer \(service.key)"], body: body)
            #expect(answer.status == status)
            #expect(answer.json?["code"]?.stringValue == code)
        }
    }

    @Test("credentials are needed, and their scope")
    func credentials() async throws {
        try await ServiceUnderTest.with { service in
            #expect(try await service.client.send(.get, "/api/portfolio").status == 401)
            let reader = try await APIKeysOf(service).create(scopes: [.dataRead])
            #expect(try await service.call(.get, "/api/portfolio", key: reader).status == 200)
            let refused = try await service.call(.post, "/api/portfolio/optimize", Examples.optimize[0].1, key: reader)
            #expect(refused.status == 403)
        }
    }

    @Test("a deadline that has passed is a 504, and a header that is none a 400")
    func deadline() async throws {
        try await ServiceUnderTest.with { service in
            let panel = try PanelLoader.inline(
                try #require(try OptimizeRequest(json: Examples.optimize[0].1).panel),
                of: OptimizeRequest(json: Examples.optimize[0].1))
            let request = try OptimizeRequest(json: Examples.optimize[0].1)
            let problem = await #expect(throws: Problem.self) {
                try await service.optimizer.solve(request, panel, lane: .request, deadline: .after(.zero))
            }
            #expect(problem?.status == 504)
            let name = try #require(HTTPField.Name("X-Request-Timeout"))
            let wrong = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAPL"]], headers: [name: "soon"])
            #expect(wrong.status == 400)
        }
    }

    @Test("a call that outlasts its caller's patience becomes a job: 202 with its place, and no 504")
    func outOfTime() async throws {
        try await ServiceUnderTest.with { service in
            var generator = SplitMix64(seed: 4)
            // Foreseen to take half of a second, takes several.
            let dates = try (0..<4000).map {
                JSONValue.string(try #require(CalendarDate(daysSinceEpoch: 10_000 + $0)).description)
            }
            var values = JSONObject()
            for name in ["A", "B", "C", "D", "E", "F", "G", "H"] {
                values[name] = .array(
                    dates.map { _ in
                        JSONValue((Double.random(in: -0.02...0.0205, using: &generator) * 1e6).rounded() / 1e6)
                    })
            }
            let body: JSONValue = [
                "returns": ["dates": .array(dates), "values": .object(values)], "objective": "Sharpe",
                "risk_measure": "RLDaR", "efficient_frontier": 200,
            ]
            let name = try #require(HTTPField.Name("X-Request-Timeout"))
            let answer = try await service.call(.post, "/api/portfolio/optimize", body, headers: [name: "1"])
            #expect(answer.status == 202, "\(answer.text.prefix(300))")
            let place = try #require(answer.headers[.location])
            let job = try await service.call(.get, place)
            #expect(job.status == 200)
            #expect(try await service.call(.delete, place).status < 300)
        }
    }
}
