import HTTPTypes
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("POST /api/portfolio/metrics")
struct MetricsTests {
    private static let path = "/api/portfolio/metrics"

    @Test("stored prices: the assets of the weights, every figure, nothing kept")
    func stored() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "SPY"])
            let answer = try await service.call(
                .post, Self.path,
                [
                    "weights": ["AAPL": 0.7, "MSFT": 0.3], "risk_free_rate": 0.02, "benchmark": ["MSFT": 1],
                    "groups": ["A": ["AAPL"]], "factors": ["assets": ["SPY"], "feature_selection": "none"],
                ])
            try #require(answer.status == 200, "\(answer.text)")
            let json = try #require(answer.json)
            #expect(json["risk"]?.objectValue?.count == RiskMeasureCode.allCases.count)
            #expect(json["ratios"]?.objectValue?.count == RiskMeasureCode.allCases.count)
            let sum = json["risk_contributions"]?["CVaR"]?.objectValue?.members.compactMap { $0.value.doubleValue }
                .reduce(0, +)
            let risk = try #require(json["risk"]?["CVaR"]?.doubleValue)
            #expect(abs(try #require(sum) - risk) < 1e-9 * risk)
            let parts = try #require(json["factor_contributions"]?["MV"]?.objectValue)
            #expect(parts.keys == ["SPY", "residual"])
            #expect(json["brinson"]?["classes"]?.objectValue?.keys == ["A", "other"])
            #expect(json["metrics"]?["tracking_error"]?.doubleValue != nil)
            #expect(json["data"]?["observations"] == 299)
            #expect(json["data"]?["assets"] == 2)
            #expect(json["drawdowns"]?.arrayValue?.count == 10)
            #expect(try await service.call(.get, "/api/portfolio").json?["items"] == [])
        }
    }

    @Test("the figures of optimize's own weights are those of optimize")
    func consistent() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "AMZN"])
            let best = try await service.optimize(["assets": ["AAPL", "MSFT", "AMZN"], "store": false])
            let answer = try await service.call(
                .post, Self.path, ["assets": ["AAPL", "MSFT", "AMZN"], "weights": try #require(best["weights"])])
            let json = try #require(answer.json)
            for member in try #require(best["metrics"]?.objectValue).members {
                #expect(json["metrics"]?[member.key] == member.value, "\(member.key)")
            }
            #expect(json["data"]?["fingerprint"] == best["data"]?["fingerprint"])
        }
    }

    @Test("strict handling refuses what would be a warning")
    func strict() async throws {
        try await ServiceUnderTest.with { service in
            let body: JSONValue = ["returns": EvaluationExamples.panel, "weights": ["AAPL": 0.6]]
            let plain = try await service.call(.post, Self.path, body)
            #expect(plain.status == 200)
            #expect(plain.json?["warnings"]?.arrayValue?.contains { $0["code"] == "weights_total" } == true)
            let strict = try await service.call(.post, Self.path, body, headers: [.prefer: "handling=strict"])
            #expect(strict.json?["code"] == "REQ-107")
        }
    }

    @Test(
        "hostile bodies get a 4xx that names the member",
        arguments: [
            (#"{}"#, "#/weights"), (#"[]"#, "#"), (#"{"weights":{}}"#, "#/weights"), (#"{"weights":[1]}"#, "#/weights"),
            (#"{"weights":{"A":"1"}}"#, "#/weights/A"), (#"{"weights":{"A":1e400}}"#, "#/weights/A"),
            (#"{"weights":{"A":null}}"#, "#/weights/A"), (#"{"weights":{" ":1}}"#, "#/weights/%20"),
            (#"{"assets":["A"],"weights":{"B":1}}"#, "#/weights/B"),
            (#"{"weights":{"A":1},"alpha":0}"#, "#/alpha"), (#"{"weights":{"A":1},"a_sim":1000000000}"#, "#/a_sim"),
            (#"{"weights":{"A":1},"measures":[]}"#, "#/measures"),
            (#"{"weights":{"A":1},"measures":["MV","MV"]}"#, "#/measures/1"),
            (#"{"weights":{"A":1},"measures":["vol"]}"#, "#/measures/0"),
            (#"{"weights":{"A":1},"drawdowns":-1}"#, "#/drawdowns"),
            (#"{"weights":{"A":1},"drawdowns":1e9}"#, "#/drawdowns"),
            (#"{"weights":{"A":1},"convention":"other"}"#, "#/convention"),
            (#"{"weights":{"A":1},"groups":{"X":["A"]}}"#, "#/benchmark"),
            (#"{"weights":{"A":1},"benchmark":{"A":1},"groups":{"X":["A"],"Y":["A"]}}"#, "#/groups/Y/0"),
            (#"{"weights":{"A":1},"benchmark":{"A":1},"benchmark_returns":[1]}"#, "#/benchmark_returns"),
            (#"{"weights":{"A":1},"weigths":{}}"#, "#/weigths"),
            (
                #"{"weights":{"A":1},"factors":{"returns":{"dates":["2023-01-03"],"values":{"residual":[1]}}}}"#,
                "#/factors"
            ),
            (#"{"weights":{"A":1},"start_date":"2023-02-30"}"#, "#/start_date"),
        ])
    func hostile(body: String, pointer: String) throws {
        let problem = #expect(throws: Problem.self) {
            _ = try MetricsRequest(json: try StrictJSON.parse(body))
        }
        #expect(problem?.errors.first.map { "\($0.pointer)" } == pointer)
        #expect(problem?.status == 422)
    }

    @Test("refusals of the data are typed")
    func data() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL"])
            let unknown = try await service.call(.post, Self.path, ["weights": ["AAPL": 0.5, "AAPX": 0.5]])
            #expect(unknown.json?["code"] == "DAT-001")
            let short = try await service.call(
                .post, Self.path,
                ["weights": ["AAPL": 1], "start_date": "2018-01-01", "end_date": "2018-01-05"])
            #expect(short.json?["code"] == "DAT-002")
            let series = try await service.call(
                .post, Self.path, ["weights": ["AAPL": 1], "benchmark_returns": [0.1, 0.2]])
            #expect(series.status == 422 && series.json?["errors"]?[0]?["pointer"] == "#/benchmark_returns")
            let gap = try await service.call(
                .post, Self.path,
                [
                    "weights": ["AAPL": 1],
                    "factors": ["returns": ["dates": ["2018-01-02"], "values": ["M": [0.1]]]],
                ])
            #expect(gap.json?["code"] == "DAT-003")
        }
    }
}
