import ArgumentParser
import ServiceKit
import Testing
import WireFormat

@testable import CommandLineTool

@Suite("Arguments of the command line")
struct ArgumentTests {
    @Test(
        "reads spans of time", arguments: [("90d", 7_776_000), ("12h", 43_200), ("30m", 1800), ("45s", 45), ("7", 7)])
    func lifetimes(text: String, seconds: Int) {
        #expect(Lifetime(argument: text)?.seconds == seconds)
    }

    @Test("refuses other spans", arguments: ["", "0", "-1", "d", "1w", "1.5h", "99999999999999999999d", "9999999d"])
    func badLifetimes(text: String) {
        #expect(Lifetime(argument: text) == nil)
    }

    @Test("reads scopes, all of them or none")
    func scopes() {
        #expect(ScopeList(argument: "data:read,optimize")?.scopes == [.dataRead, .optimize])
        #expect(ScopeList(argument: "data:read,root") == nil)
        #expect(ScopeList(argument: "") == nil)
    }

    @Test("parses the commands")
    func commands() throws {
        let optimize = try #require(try BallastCommand.parseAsRoot(["optimize", "-", "--json"]) as? OptimizeCommand)
        #expect(optimize.input.file == "-")
        #expect(optimize.input.json)
        let backtest = try #require(
            try BallastCommand.parseAsRoot(["backtest", "x.json", "--strict", "--timeout", "60"]) as? BacktestCommand)
        #expect(
            backtest.input.file == "x.json" && backtest.input.strict && backtest.timeout == 60 && !backtest.input.json)
        let create = try #require(
            try BallastCommand.parseAsRoot([
                "keys", "create", "--name", "ci", "--scopes", "admin", "--expires-in", "90d",
            ])
                as? KeysCommand.Create)
        #expect(create.scopes.scopes == [.admin])
        #expect(create.expiresIn?.seconds == 7_776_000)
        #expect(create.tenant.tenant == "default")
        let token = try #require(try BallastCommand.parseAsRoot(["token", "--role", "service_role"]) as? TokenCommand)
        #expect(token.role == .serviceRole)
        for wrong in [
            ["optimize"], ["keys", "create", "--name", "x"], ["keys", "create", "--name", "x", "--scopes", "y"],
            ["token", "--role", "root"], ["token", "--tenant", "x"], ["migrate", "--wait", "-5"],
            ["optimize", "-", "--timeout", "0"], ["backtest"], ["backtest", "-", "--timeout", "0"],
        ] {
            #expect(throws: (any Error).self) { try BallastCommand.parseAsRoot(wrong) }
        }
    }

    @Test("the help names each variable")
    func help() {
        let help = BallastCommand.helpMessage()
        for row in CommandOptions.rows { #expect(help.contains(row.variable)) }
    }

    @Test("the endpoint is joined with or without a final slash")
    func endpoint() {
        for url in ["http://h:1/", "http://h:1"] {
            #expect(ServiceCall.address(url, "/api/portfolio/optimize") == "http://h:1/api/portfolio/optimize")
        }
    }
}

@Suite("What the command line prints")
struct RenderingTests {
    @Test("aligns columns")
    func table() {
        var table = TextTable([("Asset", .left), ("Weight", .right)])
        table.add("AAPL", "9.50 %")
        table.add("GOOGLE", "90.50 %")
        #expect(table.text == "Asset    Weight\n------  -------\nAAPL     9.50 %\nGOOGLE  90.50 %")
    }

    @Test("writes figures")
    func figures() {
        #expect(Figures.percent(0.15344) == "15.34 %")
        #expect(Figures.percent(-0.005) == "-0.50 %")
        #expect(Figures.percent(nil) == "-")
        #expect(Figures.fixed(0.67, digits: 4) == "0.6700")
        #expect(Figures.fixed(-0.00001, digits: 2) == "0.00")
        #expect(Figures.fixed(12.999, digits: 1) == "13.0")
        #expect(Figures.magnitude(3.2e-12) == "3e-12")
        #expect(Figures.magnitude(0) == "0")
        #expect(Figures.magnitude(9.7) == "1e1")
        #expect(Figures.grouped(1_234_567) == "1,234,567")
        #expect(Figures.grouped(-12) == "-12")
    }

    @Test("the answer of optimize")
    func optimize() throws {
        let answer = try StrictJSON.parse(
            """
            {"portfolio_id":"12345abc","timestamp":"2023-05-01T12:00:00Z","weights":{"AAPL":0.4,"MSFT":0.6,"JPM":0.0},
             "metrics":{"expected_return":0.12,"volatility":0.18,"sharpe_ratio":0.6667,"max_drawdown":null},
             "efficient_frontier":[{"risk":0.1,"return":0.05},{"risk":0.2,"return":0.14}],
             "solution":{"status":"optimal","duality_gap":1.2e-12,"primal_residual":3e-16,"dual_residual":2e-15,"iterations":9},
             "meta":{"solve_ms":3.14,"cached":false},
             "warnings":[{"code":"group_not_applied","pointer":"#/constraints/groups/Finance","detail":"No member."}]}
            """)
        let text = OptimizeReport(answer: answer).text
        let lines = text.split(separator: "\n").map { String($0) }
        #expect(lines.contains("AAPL   40.00 %  ████████████████"))
        #expect(lines.contains("JPM     0.00 %"))
        #expect(lines.contains("sharpe ratio      0.6667"))
        #expect(lines.contains("max drawdown           -"))
        #expect(lines.contains("Solution optimal  ·  gap 1e-12  ·  residuals 2e-15  ·  9 iterations  ·  3.1 ms"))
        #expect(lines.contains("Frontier 2 points, risk 10.00 % to 20.00 %"))
        #expect(lines.contains("Warning group_not_applied at #/constraints/groups/Finance: No member."))
    }

    @Test("a problem says what, where and what would help")
    func problem() {
        let problem = Problem(
            .infeasible, "They cannot hold.", errors: [Violation(JSONPointer(["a"]), .outOfRange, "too large")],
            conflict: ["groups.Tech.min", "upper_bound"],
            relaxation: [.init(constraint: "groups.Tech.min", from: 0.7, to: 0.6)])
        let text = ProblemReport(status: 422, body: problem.json(requestID: "abc12345").bytes()).text
        #expect(
            text == """
                Constraints cannot all hold (OPT-101, status 422)
                  They cannot hold.
                  #/a: too large
                  These cannot hold together: groups.Tech.min, upper_bound
                  It would work with groups.Tech.min 0.6 instead of 0.7
                  Request abc12345
                """)
        #expect(ProblemReport(status: 502, body: Array("<html>".utf8)).text.contains("502"))
    }

    @Test("the state of an installation")
    func status() {
        var optimizer = ServiceStatus(name: "optimizer", address: "http://127.0.0.1:9080")
        optimizer.isReachable = true
        optimizer.checks = [("database", false, "The database cannot be reached.")]
        var database = DatabaseStatus(migration: 5)
        database.knownMigrations = 6
        database.amounts = [("market data rows", 1234)]
        database.oldestJobSeconds = 1.25
        database.waitingJobs = 2
        let report = StatusReport(services: [optimizer], database: database, databaseFailure: nil)
        #expect(!report.isWell)
        #expect(report.text.contains("not ready"))
        #expect(report.text.contains("database: The database cannot be reached."))
        #expect(report.text.contains("5 of 6"))
        #expect(report.text.contains("1,234"))
        #expect(report.text.contains("2, oldest 1.3 s"))
        #expect(report.json["well"] == false)
    }
}

@Suite("What the command line prints of a backtest")
struct BacktestReportTests {
    @Test("the figures of a walk-forward, its falls and what failed")
    func walkForward() throws {
        let answer: JSONValue = [
            "method": "walk_forward", "fits": [[:], [:]], "data": ["start": "2020-01-02", "end": "2021-01-04"],
            "metrics": ["volatility": 0.12345, "sharpe_ratio": 0.987654, "turnover_annual": nil],
            "sharpe": ["annual": 0.99, "probabilistic": 0.84, "deflated": 0.31, "trials": 20],
            "drawdowns": [["depth": 0.2, "peak": nil, "trough": "2020-03-23", "recovery": nil]],
            "failures": [["fit": 1, "date": "2020-06-01", "code": "OPT-101", "detail": "no"]],
            "warnings": [["code": "fit_failed", "pointer": "#", "detail": "one"]], "meta": ["solve_ms": 12.3],
        ]
        let text = BacktestReport(answer: answer).text
        for part in [
            "Walk-forward  ·  2 fits  ·  data 2020-01-02 to 2021-01-04  ·  12 ms", "volatility", "12.35 %", "0.9877",
            "Sharpe ratio 0.99 a year: above zero with probability 84.00 %, more than the luck of 20 trials with 31.00 %",
            "20.00 %  start  2020-03-23  -", "2020-06-01    OPT-101  no", "Warning fit_failed: one",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
    }

    @Test("the distribution of a combinatorial backtest")
    func combinatorial() {
        let answer: JSONValue = [
            "method": "combinatorial_purged", "fits": [[:]], "paths": [[:], [:], [:]],
            "distribution": ["sharpe_ratio": ["mean": 0.5, "p05": 0.1, "median": 0.55, "p95": 0.9]],
        ]
        let text = BacktestReport(answer: answer).text
        #expect(text.contains("Combinatorial purged  ·  1 fits  ·  3 paths"))
        #expect(text.contains("sharpe ratio    0.5000  0.1000  0.5500  0.9000"))
    }
}
