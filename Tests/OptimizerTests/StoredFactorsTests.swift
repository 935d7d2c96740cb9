import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

/// Factors that are named by stored symbols give what the same figures give inline.
@Suite("Stored factors")
struct StoredFactorsTests {
    private static let names = ["AAPL", "MSFT", "AMZN"]

    /// Dates and stored closes of some symbols, as an inline panel.
    private func prices(_ service: ServiceUnderTest, _ symbols: [String]) async throws -> JSONValue {
        var dates: [JSONValue] = []
        var values: [(String, JSONValue)] = []
        for symbol in symbols {
            let answer = try await service.call(.get, "/api/market-data/\(symbol)")
            let items = try #require(answer.json?["items"]?.arrayValue)
            dates = try items.map { .string(String(try #require($0["timestamp"]?.stringValue).prefix(10))) }
            let closes = items.map { item in
                item["price"]?.doubleValue ?? item["price"]?.stringValue.flatMap { Double($0) } ?? 0
            }
            values.append((symbol, JSONValue(closes)))
        }
        return ["dates": .array(dates), "values": .object(JSONObject(values))]
    }

    @Test("every model that reads factors answers as with inline ones; the panel is that of the assets")
    func models() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names + ["SPY", "TLT"])
            let assets = try await prices(service, Self.names)
            let more: [(String, [(String, JSONValue)])] = [
                ("FM", [("objective", "MaxRet")]), ("FM", [("objective", "MinRisk")]),
                ("FactorRiskParity", []),
                (
                    "Classic",
                    [
                        ("objective", "MinRisk"), ("risk_measure", "CVaR"),
                        ("constraints", ["factor_exposure": ["SPY": ["max": 0.02]]]),
                    ]
                ),
                (
                    "BL_FM",
                    [
                        ("objective", "MaxRet"),
                        ("views", ["items": [["weights": ["SPY": 1], "return": 0.002]], "flavor": "BLB"]),
                    ]
                ),
            ]
            for (model, members) in more {
                // What mimics made-up factors may add up to less than nothing; what mimics two of the assets does not.
                let symbols = model == "FactorRiskParity" ? ["AAPL", "MSFT"] : ["SPY", "TLT"]
                let factors = try await prices(service, symbols)
                func body(_ given: [(String, JSONValue)], _ ofFactors: (String, JSONValue)) -> JSONValue {
                    var selection = JSONObject([("feature_selection", "none"), ("scenarios", "model")])
                    if model == "Classic" || model == "FactorRiskParity" { selection["scenarios"] = nil }
                    selection[ofFactors.0] = ofFactors.1
                    var object = JSONObject([("model", .string(model)), ("factors", .object(selection))])
                    for (name, value) in members + given { object[name] = value }
                    return .object(object)
                }
                let stored = try await service.optimize(
                    body([("assets", JSONValue(Self.names)), ("store", false)], ("assets", JSONValue(symbols))))
                let inline = try await service.optimize(body([("prices", assets)], ("prices", factors)))
                for name in Self.names {
                    let own = try #require(stored["weights"]?[name]?.doubleValue)
                    let other = try #require(inline["weights"]?[name]?.doubleValue)
                    #expect(abs(own - other) < 1e-9, "\(model) \(name)")
                }
                #expect(stored["data"]?["assets"] == 3)
                #expect(stored["data"]?["observations"] == inline["data"]?["observations"])
                // Other factors' figures are part of what was used.
                let isOwn = stored["data"]?["fingerprint"] == inline["data"]?["fingerprint"]
                #expect(isOwn == (model == "FactorRiskParity"))
            }
        }
    }

    @Test("an asset may be a factor as well, and a backtest reads them too")
    func others() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names)
            let own = try await service.optimize([
                "assets": JSONValue(Self.names), "store": false, "objective": "MinRisk",
                "factors": ["assets": ["MSFT"], "feature_selection": "none"],
                "constraints": ["factor_exposure": ["MSFT": ["max": 0.1]]],
            ])
            #expect((own["weights"]?["MSFT"]?.doubleValue ?? 1) < 0.2)
            let tested = try await service.call(
                .post, "/api/portfolio/backtest",
                [
                    "assets": ["AAPL", "MSFT"], "model": "FM", "objective": "MinRisk",
                    "factors": ["assets": ["AMZN"], "feature_selection": "none", "scenarios": "model"],
                    "backtest": ["train": 100, "rebalance": 50],
                ])
            try #require(tested.status == 200, "\(tested.text)")
        }
    }

    @Test("a stored portfolio keeps the names, and new prices of a factor make its answer another one")
    func kept() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names + ["SPY"])
            let body: JSONValue = [
                "assets": JSONValue(Self.names), "model": "FM", "objective": "MaxRet",
                "factors": ["assets": ["SPY"], "feature_selection": "none"],
            ]
            let first = try await service.optimize(body)
            let id = try #require(first["portfolio_id"]?.stringValue)
            let kept = try await service.call(.get, "/api/portfolio/\(id)")
            #expect(kept.json?["request"]?["factors"]?["assets"] == ["SPY"])
            #expect(kept.json?["request"]?["factors"]?["returns"] == nil)
            let again = try await service.optimize(body)
            #expect(again["meta"]?["cached"] == true)
            _ = try await service.admin.execute(
                "UPDATE public.market_data SET price = price * 1.5 WHERE asset_symbol = 'SPY' AND \"timestamp\" > '2018-06-01'"
            )
            let changed = try await service.optimize(body)
            #expect(changed["meta"]?["cached"] == false)
            #expect(changed["data"]?["fingerprint"] != first["data"]?["fingerprint"])
        }
    }

    @Test("a factor that nobody knows is refused where the request names it; inline assets need inline factors")
    func refused() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names)
            for path in ["/api/portfolio/optimize", "/api/portfolio/metrics"] {
                let own: [(String, JSONValue)] =
                    path.hasSuffix("metrics")
                    ? [("weights", ["AAPL": 1])]
                    : [("assets", JSONValue(Self.names)), ("model", "FM"), ("objective", "MinRisk")]
                let answer = try await service.call(
                    .post, path, .object(JSONObject(own + [("factors", ["assets": ["MSFT", "MSFX"]])])))
                #expect(answer.status == 422)
                #expect(answer.json?["code"] == "DAT-001")
                #expect(answer.json?["errors"]?[0]?["pointer"] == "#/factors/assets/1", "\(answer.text)")
            }
            let inline = try await service.call(
                .post, "/api/portfolio/optimize",
                [
                    "prices": try await prices(service, Self.names), "model": "FM", "objective": "MinRisk",
                    "factors": ["assets": ["MSFT"]],
                ])
            #expect(inline.status == 422)
            #expect(inline.json?["errors"]?[0]?["pointer"] == "#/factors")
        }
    }
}
