import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Estimators and views over HTTP")
struct MomentsOverHTTPTests {
    private static let names = ["AAPL", "MSFT", "AMZN"]

    /// The answer to a mean-variance request with more members.
    private func answer(_ service: ServiceUnderTest, _ members: [(String, JSONValue)]) async throws -> JSONValue {
        var object = JSONObject([("assets", JSONValue(Self.names)), ("objective", "MinRisk"), ("store", false)])
        for (name, value) in members { object[name] = value }
        return try await service.optimize(.object(object))
    }

    @Test("every estimator, BL and EP answer; metrics stay the sample's and solution is the model's")
    func models() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names)
            let plain = try await answer(service, [])
            let shrunk = try await answer(service, [("covariance_estimator", ["method": "shrunk", "alpha": 1])])
            // Shrunk all the way the covariance is a multiple of the identity: equal weights.
            for name in Self.names {
                let weight = try #require(shrunk["weights"]?[name]?.doubleValue)
                #expect(abs(weight - 1.0 / 3) < 1e-9)
            }
            #expect(plain["weights"] != shrunk["weights"])
            for method in ["ewma1", "semi", "ledoit", "oas", "fixed", "gerber2", "jlogo", "gl"] {
                let found = try await answer(service, [("covariance_estimator", ["method": .string(method)])])
                #expect(found["solution"]?["status"] == "optimal", "\(method)")
            }
            let views = try await answer(
                service,
                [
                    ("model", "BL"), ("objective", "MaxRet"),
                    ("views", ["items": ["AMZN - AAPL == 0.05", "AMZN - MSFT == 0.05"]]),
                ])
            #expect(views["weights"]?["AMZN"]?.doubleValue == 1)
            let daily = try #require(views["solution"]?["expected_return"]?.doubleValue)
            let annual = try #require(views["metrics"]?["expected_return"]?.doubleValue)
            #expect(abs(252 * daily - annual) > 0.1 * abs(annual))
            let pooled = try await answer(
                service, [("model", "EP"), ("views", ["items": ["std(AAPL) == 0.0001"]])])
            #expect((pooled["weights"]?["AAPL"]?.doubleValue ?? 0) > 0.9)
        }
    }

    @Test("views that contradict each other are refused by pointer")
    func conflict() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names)
            let found = try await service.call(
                .post, "/api/portfolio/optimize",
                [
                    "assets": JSONValue(Self.names), "model": "EP", "objective": "MinRisk",
                    "views": ["items": ["AAPL == 0.001", "AAPL == 0.002"]],
                ])
            #expect(found.status == 422)
            #expect(found.json?["code"] == "OPT-101")
            #expect(found.json?["conflict"] == ["#/views/items/0", "#/views/items/1"])
        }
    }
}
