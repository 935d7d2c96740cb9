import Foundation
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

/// Each `ballast rebalance` command: the real program against the real service over a real PostgreSQL.
@Suite(
    "ballast rebalance", .serialized,
    .enabled(if: OptimizerProcess.path != nil && BallastProgram.path != nil, "optimizer and ballast are not built"))
struct RebalanceCommandTests {
    /// A portfolio in the database and a service process over it.
    private func with(
        environment: [String: String] = [:],
        _ body: (ServiceUnderTest, BallastProgram) async throws -> Void
    ) async throws {
        try await ServiceUnderTest.with { service in
            try await BookedPortfolio.store(service)
            let process = try await OptimizerProcess.start(service.database, environment: environment)
            defer { process.kill() }
            try await body(service, BallastProgram(url: try #require(process.url), key: service.key))
        }
    }

    private static let request: JSONValue = [
        "target": ["AAPL": "0.75", "MSFT": "0.2", "CASH": "0.05"],
        "covariance": ["assets": ["AAPL", "MSFT"], "values": [[0.04, 0], [0, 0.04]]],
        "settings": ["risk_aversion": 2000, "costs": ["commission": ["per_share": "0.01"]]],
    ]

    /// Plans and gives id and hash, as a person would read them from the page.
    private func plan(_ ballast: BallastProgram, _ request: JSONValue = Self.request) async throws -> (String, String) {
        let run = try await ballast(["plan", "-", "--portfolio", "demo"], input: request.serialized())
        try #require(run.status == 0, "\(run.error)")
        func line(_ name: String) throws -> String {
            let found = run.output.split(separator: "\n").first { $0.hasPrefix(name) }
            return try #require(found.map { $0.dropFirst(name.count).trimmingCharacters(in: .whitespaces) })
        }
        return (try line("Plan "), try line("Hash "))
    }

    @Test("plan, show, confirm, execute, watch: from drift to booked, and costs learned on the way")
    func life() async throws {
        try await with { service, ballast in
            let (id, hash) = try await plan(ballast)
            let shown = try await ballast(["show", id])
            #expect(shown.status == 0 && shown.output.contains("State    AWAITING_CONFIRM"))
            #expect(shown.output.contains("1. sell 55 AAPL at 100") || shown.output.contains("2. sell 55 AAPL at 100"))
            #expect(shown.output.contains("Confirm with: ballast rebalance confirm \(id) \(hash)"))
            let json = try StrictJSON.parse(try await ballast(["show", id, "--json"]).output)
            #expect(json["plan_hash"]?.stringValue == hash)
            // Not the plan that was shown: refused, and said why.
            let wrong = try await ballast(["confirm", id, String(repeating: "0", count: 64)])
            #expect(wrong.status == 1 && wrong.error.contains("hash"))
            let early = try await ballast(["execute", id])
            #expect(early.status == 1 && early.error.contains("CONFIRMED"))
            let confirmed = try await ballast(["confirm", id, hash, "--idempotency-key", "k"])
            #expect(confirmed.status == 0 && confirmed.output == "\(id): CONFIRMED\n")
            // The same call again is the first one's.
            #expect(try await ballast(["confirm", id, hash, "--idempotency-key", "k"]).status == 0)
            #expect(try await ballast(["confirm", id, hash, "--idempotency-key", "other"]).status == 1)
            #expect(try await ballast(["reject", id]).status == 1)
            let executed = try await ballast(["execute", id, "--seed", "7"])
            #expect(
                executed.status == 0 && executed.output.contains("Plan \(id) at paper: RECORDED"), "\(executed.error)")
            #expect(executed.output.contains("sell 55 AAPL: FILLED, 55 filled at 100"))
            #expect(executed.output.contains("Shortfall "))
            let watched = try await ballast(["watch", id, "--interval", "0.1"])
            #expect(watched.status == 0 && watched.output == executed.output)
            let held = try await BookedPortfolio.holdings(service)
            #expect(held.positions["AAPL"] == 195 && held.positions["MSFT"] == 104)
            #expect(try await ballast(["cancel", id]).status == 1)
        }
    }

    @Test("reject, cancel and what does not exist")
    func refusals() async throws {
        try await with { _, ballast in
            let (id, hash) = try await plan(ballast)
            let rejected = try await ballast(["reject", id, "--reason", "not today"])
            #expect(rejected.status == 0 && rejected.output == "\(id): REJECTED\n")
            #expect(try await ballast(["confirm", id, hash]).status == 1)
            let (next, key) = try await plan(ballast)
            #expect(try await ballast(["confirm", next, key]).status == 0)
            // Confirmed and not executing: cancelling is rejecting.
            let cancelled = try await ballast(["cancel", next, "--reason", "changed my mind"])
            #expect(cancelled.status == 0 && cancelled.output.contains("Plan \(next) at -: REJECTED"))
            #expect(try await ballast(["show", "nothing1"]).status == 1)
            #expect(try await ballast(["watch", "nothing1"]).status == 1)
            #expect(try await ballast(["plan", "-"], input: "{}").status == 1)
            #expect(try await ballast(["execute"]).status == 64)
            #expect(try await ballast(["halt", "--on", "--off"]).status == 64)
            #expect(try await BallastProgram(url: "http://127.0.0.1:1", key: "x")(["show", id]).status == 2)
        }
    }

    @Test("a stateless plan from a file, and limits that keep an order from being sent")
    func limits() async throws {
        try await with { _, ballast in
            let file = FileManager.default.temporaryDirectory.appending(path: "plan-\(UUID().uuidString).json")
            try Data(RebalanceSchemas.example.serialized().utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let made = try await ballast(["plan", file.path, "--json"])
            let json = try StrictJSON.parse(made.output)
            #expect(made.status == 0 && json["portfolio_id"] == .null && json["legs"]?.arrayValue?.isEmpty == false)
            let (id, hash) = try await plan(ballast)
            #expect(try await ballast(["confirm", id, hash]).status == 0)
            let run = try await ballast([
                "execute", id, "--order-limit", "1", "--day-limit", "5", "--collar", "0.05", "--attempts", "2",
                "--reprice-step", "0.001", "--order-seconds", "1", "--json",
            ])
            let report = try StrictJSON.parse(run.output)
            #expect(run.status == 0 && report["orders"] == [] && report["state"] == "RECORDED")
            #expect(report["unfilled"]?[0]?["reason"]?.stringValue?.contains("beyond the limit of 1") == true)
        }
    }

    @Test("pause, resume, kill switch and costs at a broker that does not fill")
    func pauses() async throws {
        var faults = AlpacaFake.Faults()
        faults.isStuck = true
        let fake = try AlpacaFake(cash: 1000, positions: ["AAPL": 250], seed: 1, faults: faults)
        let file = FileManager.default.temporaryDirectory.appending(path: "alpaca-\(UUID().uuidString)")
        try Data("id\nsecret\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let environment = ["BALLAST_ALPACA_URL": fake.server.url, "BALLAST_ALPACA_KEY_FILE": file.path]
        try await with(environment: environment) { service, ballast in
            let off = try await ballast(["halt"])
            #expect(off.status == 0 && off.output == "Trading is on.\n")
            let on = try await ballast(["halt", "--on", "--reason", "storm"])
            #expect(on.output == "Trading is halted: storm\n")
            let request: JSONValue = [
                "target": Self.request["target"] ?? .null, "covariance": Self.request["covariance"] ?? .null,
                "settings": ["risk_aversion": 2000],
            ]
            let (id, hash) = try await plan(ballast, request)
            #expect(try await ballast(["confirm", id, hash]).status == 0)
            #expect(try await ballast(["execute", id, "--venue", "alpaca"]).status == 1)
            #expect(try await ballast(["halt", "--off"]).output == "Trading is on.\n")
            #expect(try await ballast(["pause", id]).status == 1)
            let started = try await ballast(["execute", id, "--venue", "alpaca"])
            #expect(started.status == 0 && started.output.contains("EXECUTING"), "\(started.error)")
            try await eventually { fake.orders == 1 }
            let paused = try await ballast(["pause", id, "--reason", "lunch"])
            #expect(paused.status == 0 && paused.output.contains("Plan \(id) at alpaca: PAUSED"), "\(paused.error)")
            let resumed = try await ballast(["resume", id])
            #expect(resumed.status == 0 && resumed.output.contains("EXECUTING"))
            let cancelled = try await ballast(["cancel", id])
            #expect(cancelled.status == 0)
            let watched = try await ballast(["watch", id, "--interval", "0.1"])
            #expect(
                watched.status == 0 && watched.output.contains("RECORDED") && watched.output.contains("not traded: "))
            #expect(fake.orders == 1)
            let states = try await service.admin.query(
                "SELECT to_state FROM ballast.rebalance_event WHERE plan_id = \(id) ORDER BY seq"
            ).map { try $0.decode(String.self, at: 0) }
            #expect(
                states.suffix(6)
                    == ["EXECUTING", "PAUSED", "EXECUTING", "COMPLETED_SHORT", "VERIFIED", "RECORDED"])
            // Nothing was filled, so nothing was learned; what another venue taught is shown and forgotten.
            _ = try await service.admin.execute(
                """
                INSERT INTO ballast.trading_cost (tenant_id, venue, orders, impact_square, impact_moment, scale)
                SELECT tenant_id, 'paper', 40, 40, 60, 0.1 FROM ballast.rebalance_plan LIMIT 1
                """)
            let costs = try await ballast(["costs"])
            #expect(costs.status == 0 && costs.output.contains("paper      40"), "\(costs.output)")
            #expect(try await ballast(["costs", "--forget", "paper"]).output == "paper: forgotten\n")
            #expect(try await ballast(["costs", "--forget", "paper"]).status == 1)
        }
    }
}

/// The program `ballast` beside the test bundle.
struct BallastProgram: Sendable {
    struct Run: Sendable {
        var status: Int32
        var output: String
        var error: String
    }

    let url: String
    let key: String

    static let path: String? = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("ballast").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    /// Runs `ballast rebalance` to its end.
    func callAsFunction(_ arguments: [String], input: String = "") async throws -> Run {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.path))
        process.arguments = ["rebalance"] + arguments
        process.environment = ["BALLAST_URL": url, "BALLAST_API_KEY": key]
        let folder = FileManager.default.temporaryDirectory.appending(path: "ballast-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ text: String = "") throws -> FileHandle {
            let place = folder.appending(path: name)
            try Data(text.utf8).write(to: place)
            return try FileHandle(forUpdating: place)
        }
        process.standardInput = try file("input", input)
        process.standardOutput = try file("output")
        process.standardError = try file("error")
        let status = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { done.resume(throwing: error) }
        }
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
        }
        return Run(status: status, output: try text("output"), error: try text("error"))
    }
}
