import PortfolioModels
import Testing
import WireFormat

/// From the text of a request to the text of its answer, without a service.
@Suite("Answer")
struct AnswerTests {
    private func answer(_ text: String) throws -> (OptimizeRequest, JSONValue) {
        let request = try OptimizeRequest(json: StrictJSON.parse(text))
        let panel = try ReturnPanel.inline(try #require(request.panel), request: request)
        let result = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: result)
        let meta = OptimizeResponse.Meta(
            version: "0", engine: PortfolioOptimization.engine, solveMilliseconds: 1, totalMilliseconds: 2,
            cached: false,
            requestID: "r", periodsPerYear: result.periodsPerYear, convention: request.convention)
        let response = result.response(
            request: request, panel: panel, portfolioID: nil, timestamp: UTCTimestamp(microsecondsSinceEpoch: 0),
            revision: nil,
            fingerprint: "f", meta: meta)
        return (request, response.json)
    }

    private func inlinePrices(assets: [String], days: Int) -> JSONValue {
        var numbers = RepeatableNumbers(seed: 99)
        let dates = (0..<days).compactMap { CalendarDate(daysSinceEpoch: 18_001 + 7 * ($0 / 5) + $0 % 5)?.description }
        let columns = assets.map { asset -> (String, JSONValue) in
            var price = 100.0
            let series = (0..<days).map { day -> JSONValue in
                price *= 1 + 0.001 + 0.01 * numbers.normal()
                return asset == assets[0] && day == 5 ? .null : JSONValue(price)
            }
            return (asset, .array(series))
        }
        return ["dates": JSONValue(dates), "values": .object(JSONObject(columns))]
    }

    @Test("has the specification's members first, then ours; group Finance is not applied and says so")
    func shape() throws {
        let prices = inlinePrices(assets: ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"], days: 60)
        let request: JSONValue = [
            "assets": ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"], "start_date": "2018-01-01", "end_date": "2023-01-01",
            "model": "Classic", "risk_measure": "MV", "objective": "Sharpe", "risk_free_rate": 0.0,
            "constraints": [
                "lower_bound": 0.0, "upper_bound": 0.3,
                "groups": ["Tech": ["AAPL", "MSFT", "GOOGL"], "Finance": ["JPM", "BAC"]],
                "group_constraints": ["Tech": ["min": 0.2, "max": 0.6], "Finance": ["min": 0.1, "max": 0.4]],
            ],
            "prices": prices, "efficient_frontier": ["points": 6, "weights": true],
        ]
        let (_, json) = try answer(request.serialized())
        let keys = try #require(json.objectValue?.keys)
        #expect(keys.prefix(5) == ["portfolio_id", "timestamp", "weights", "metrics", "efficient_frontier"])
        #expect(Set(keys.dropFirst(5)) == ["solution", "risk", "risk_contributions", "data", "meta", "warnings"])
        #expect(json["portfolio_id"] == .null)
        let weights = try #require(json["weights"]?.objectValue)
        #expect(weights.keys == ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"])
        #expect(abs(weights.members.reduce(0) { $0 + ($1.value.doubleValue ?? .nan) } - 1) <= 1e-12)
        for name in ["expected_return", "volatility", "sharpe_ratio", "max_drawdown", "sortino_ratio", "calmar_ratio"] {
            #expect(json["metrics"]?[name]?.doubleValue != nil, "\(name)")
        }
        #expect(json["risk"]?["CVaR"]?.doubleValue != nil && json["risk"]?["VaR"]?.doubleValue != nil)
        let frontier = try #require(json["efficient_frontier"]?.arrayValue)
        #expect(frontier.count == 6)
        let risks = frontier.compactMap { $0["risk"]?.doubleValue }
        #expect(risks == risks.sorted() && frontier[0]["weights"]?["FB"]?.doubleValue != nil)
        #expect(json["data"]?["observations"] == 58)
        #expect(json["data"]?["missing"]?["dropped_dates"] == 1)
        #expect(json["data"]?["missing"]?["by_asset"]?["AAPL"] == 1)
        let warning = try #require(json["warnings"]?[0])
        #expect(warning["code"] == "group_not_applied" && warning["pointer"] == "#/constraints/groups/Finance")
        let metrics = try #require(json["metrics"])
        let (expected, volatility) = (try metrics.number("expected_return"), try metrics.number("volatility"))
        #expect(abs(try metrics.number("sharpe_ratio") - expected / volatility) < 1e-12)
        let solution = try #require(json["solution"])
        #expect(abs(try solution.number("risk") * 252.0.squareRoot() - volatility) < 1e-12)
        let contributions = try #require(json["risk_contributions"]?.objectValue).members
        let sum = contributions.reduce(0) { $0 + ($1.value.doubleValue ?? .nan) }
        #expect(abs(sum - (try solution.number("risk"))) < 1e-12)
        #expect(!json.serialized().contains(":nan"))
    }

    @Test("a drawdown is compounded and starts at the first value")
    func drawdown() throws {
        let text = #"""
            {"returns":{"dates":["2023-01-02","2023-01-03","2023-01-04","2023-01-05"],"values":{"A":[-0.1,0.05,0.2,-0.3]}},
            "objective":"MinRisk"}
            """#
        let (_, json) = try answer(text)
        let metrics = try #require(json["metrics"])
        #expect(abs(try metrics.number("max_drawdown") - 0.3) < 1e-15)
        let mean = (-0.1 + 0.05 + 0.2 - 0.3) / 4
        #expect(abs(try metrics.number("expected_return") - 252 * mean) < 1e-12)
    }

    @Test("a total loss ends compounding and says so")
    func totalLoss() throws {
        let text = #"""
            {"returns":{"dates":["2023-01-02","2023-01-03","2023-01-04"],"values":{"A":[0.1,-1.5,0.2]}},"objective":"MinRisk"}
            """#
        let (_, json) = try answer(text)
        #expect(json["metrics"]?["max_drawdown"]?.doubleValue == 1)
        #expect(json["warnings"]?.arrayValue?.contains { $0["code"] == "total_loss" } == true)
    }
}
