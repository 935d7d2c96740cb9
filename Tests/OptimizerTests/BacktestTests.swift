import ConvexSolver
import HTTPTypes
import PortfolioModels
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("POST /api/portfolio/backtest", .timeLimit(.minutes(3)))
struct BacktestOverHTTPTests {
    private static let path = "/api/portfolio/backtest"
    private static let strategy: JSONValue = [
        "assets": ["AAPL", "MSFT", "AMZN"], "risk_measure": "CVaR", "objective": "MinRisk",
        "backtest": ["train": 60, "rebalance": 20, "cost": 0.001, "benchmark": ["AAPL": 1]],
    ]

    @Test("small: answered at once; parallel threads give what one thread gives, bit for bit; nothing is kept")
    func synchronous() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "AMZN"])
            let answer = try await service.call(.post, Self.path, Self.strategy)
            try #require(answer.status == 200, "\(answer.text)")
            let json = try #require(answer.json)
            #expect(json["method"] == "walk_forward")
            let request = try BacktestRequest(json: Self.strategy)
            let principal = Principal(tenant: Tenants.standard, subject: "test", scopes: [])
            let loaded = try await service.optimizer.load(request.strategy, for: principal)
            let backtest = try Backtest(request, panel: loaded.panel)
            let own = try backtest.run()
            #expect(json["returns"] == JSONValue(own.paths[0].returns))
            #expect(json["fits"]?.arrayValue?.count == backtest.fits)
            for (index, fit) in own.fits.enumerated() {
                let weights = try #require(json["fits"]?[index]?["weights"]?.objectValue)
                #expect(weights.members.compactMap { $0.value.doubleValue } == fit.weights)
            }
            for name in ["turnover_annual", "cost_total", "tracking_error", "sharpe_ratio"] {
                #expect(json["metrics"]?[name]?.doubleValue != nil, "\(name)")
            }
            #expect(json["sharpe"]?["deflated"] == json["sharpe"]?["probabilistic"])
            #expect(json["dates"]?.arrayValue?.count == json["returns"]?.arrayValue?.count)
            #expect(json["risk"]?["RLVaR"]?.doubleValue != nil)
            #expect(try await service.call(.get, "/api/portfolio").json?["items"] == [])
        }
    }

    @Test("as a job: 202, progress, the same answer; a cancelled one stops; another worker takes over a silent one's")
    func jobs() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "AMZN"])
            let direct = try await service.call(.post, Self.path, Self.strategy)
            func accepted(_ body: JSONValue) async throws -> String {
                let answer = try await service.call(.post, Self.path, body, headers: [.prefer: "respond-async"])
                try #require(answer.status == 202, "\(answer.text)")
                return try #require(answer.json?["job_id"]?.stringValue)
            }
            // A worker that claims a job and falls silent.
            let left = try await accepted(Self.strategy)
            let silent = try #require(try await service.optimizer.jobStore.claim())
            #expect(silent.id == left && silent.kind == .backtest)
            _ = try await service.admin.execute(
                "UPDATE ballast.job SET lease_until = clock_timestamp() - interval '1 second'")
            let id = try await accepted(Self.strategy)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.optimizer.jobHub.run() }
                group.addTask { try await JobRunner(optimizer: service.optimizer).run() }
                defer { group.cancelAll() }
                for job in [left, id] {
                    let told = try await service.call(.get, "/api/jobs/\(job)/events")
                    #expect(told.text.contains("event: done"), "\(told.text)")
                    let found = try await service.call(.get, "/api/jobs/\(job)")
                    #expect(found.json?["result"]?["returns"] == direct.json?["returns"])
                    #expect(found.json?["progress"]?.doubleValue == 1)
                }
                // Two thousand fits.
                let long = try await accepted([
                    "assets": ["AAPL", "MSFT", "AMZN"], "risk_measure": "RLVaR", "objective": "MinRisk",
                    "backtest": ["train": 60, "rebalance": 1, "series": false],
                ])
                for _ in 0..<200 {
                    let job = try await service.call(.get, "/api/jobs/\(long)").json
                    if job?["state"] == "running" { break }
                    // Nothing tells a client of plain HTTP when a job begins.
                    try await Task.sleep(for: .milliseconds(20))
                }
                let cancelled = try await service.call(.delete, "/api/jobs/\(long)")
                #expect(cancelled.status == 200 && cancelled.json?["state"] == "cancelled")
            }
            // The finished worker's fence is gone: the silent one can write nothing.
            #expect(try await service.optimizer.jobStore.finish(silent, result: [:], problem: nil) == false)
        }
    }

    @Test(
        "hostile bodies get a 4xx that names the member",
        arguments: [
            (#"{"assets":["A"],"backtest":7}"#, "#/backtest"),
            (#"{"assets":["A"],"backtest":{"method":"magic"}}"#, "#/backtest/method"),
            (#"{"assets":["A"],"backtest":{"train":9}}"#, "#/backtest/train"),
            (#"{"assets":["A"],"backtest":{"train":1e9}}"#, "#/backtest/train"),
            (#"{"assets":["A"],"backtest":{"train":20.5}}"#, "#/backtest/train"),
            (#"{"assets":["A"],"backtest":{"rebalance":0}}"#, "#/backtest/rebalance"),
            (#"{"assets":["A"],"backtest":{"rebalance":"hourly"}}"#, "#/backtest/rebalance"),
            (#"{"assets":["A"],"backtest":{"rebalance":{}}}"#, "#/backtest/rebalance"),
            (#"{"assets":["A"],"backtest":{"folds":4}}"#, "#/backtest/folds"),
            (
                #"{"assets":["A"],"backtest":{"method":"combinatorial_purged","folds":5,"test_folds":5}}"#,
                "#/backtest/test_folds"
            ),
            (#"{"assets":["A"],"backtest":{"method":"combinatorial_purged","folds":1000000000}}"#, "#/backtest/folds"),
            (#"{"assets":["A"],"backtest":{"method":"combinatorial_purged","train":60}}"#, "#/backtest/train"),
            (#"{"assets":["A"],"backtest":{"cost":-1}}"#, "#/backtest/cost"),
            (#"{"assets":["A"],"backtest":{"cost":{"B":0.1}}}"#, "#/backtest/cost/B"),
            (#"{"assets":["A"],"backtest":{"cost":"1"}}"#, "#/backtest/cost"),
            (#"{"assets":["A"],"backtest":{"trials":{}}}"#, "#/backtest/trials/count"),
            (#"{"assets":["A"],"backtest":{"trials":{"count":0}}}"#, "#/backtest/trials/count"),
            (#"{"assets":["A"],"backtest":{"trial":1}}"#, "#/backtest/trial"),
            (#"{"assets":["A"],"efficient_frontier":5}"#, "#/efficient_frontier"),
            (#"{"assets":["A"],"store":false}"#, "#/store"),
            (#"{"assets":["A"],"portfolio_id":"demo"}"#, "#/portfolio_id"),
            (#"{"assets":["A"],"scenario_weights":[1]}"#, "#/scenario_weights"),
            (#"{"backtest":{}}"#, "#/assets"),
        ])
    func hostile(body: String, pointer: String) throws {
        let problem = #expect(throws: Problem.self) {
            _ = try BacktestRequest(json: try StrictJSON.parse(body))
        }
        #expect(problem?.errors.first.map { "\($0.pointer)" } == pointer)
        #expect(problem?.status == 422)
    }

    @Test("more than can be done is refused before anything is done")
    func bounds() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            func code(_ body: JSONValue) async throws -> String? {
                let answer = try await service.call(.post, Self.path, body)
                #expect((400..<500).contains(answer.status), "\(answer.text)")
                return answer.json?["code"]?.stringValue
            }
            let pair: JSONValue = ["AAPL", "MSFT"]
            #expect(
                try await code([
                    "assets": pair, "objective": "MinRisk",
                    "backtest": ["method": "combinatorial_purged", "folds": 60, "test_folds": 30],
                ]) == "OPT-301")
            #expect(try await code(["assets": pair, "objective": "MinRisk", "backtest": ["train": 5000]]) == "DAT-002")
            #expect(
                try await code([
                    "assets": pair, "objective": "MinRisk", "constraints": ["lower_bound": 0.9],
                    "backtest": ["train": 60],
                ]) == "OPT-101")
            #expect(
                try await code(["assets": pair, "scenario_weights": ["half_life": 0]]) == "REQ-104")
        }
    }
}
