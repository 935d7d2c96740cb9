import Foundation
import HTTPFetch
import HTTPTypes
import PostgresClient
import Reallocation
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

/// The real service, killed again and again while it executes a confirmed plan over a real PostgreSQL.
@Suite(
    "Execution of plans by processes that are killed",
    .serialized, .enabled(if: OptimizerProcess.path != nil, "optimizer is not built"))
struct KilledExecutionTests {
    /// Where a process dies: around each commit, around each order that is sent, and after an event has been taken up.
    private static let places = [
        "execution.after_commit=kill@1", "execution.before_commit=kill@1", "execution.after_commit=kill@2",
        "execution.before_submit=kill@1", "execution.after_commit=kill@1", "execution.after_submit=kill@1",
        "execution.after_event=kill@1", "execution.before_commit=kill@2",
    ]

    @Test("at the paper broker: killed around every commit, each order once, books and venue agree")
    func paper() async throws {
        try await ServiceUnderTest.with { service in
            let plan = try await BookedPortfolio.confirmed(service)
            let deaths = try await run(service, plan, ["venue": "paper", "seed": 11, "paper": ["partial_share": 1]])
            #expect(deaths >= 8)
            try await check(service, plan)
        }
    }

    @Test("at a broker that lives on: killed at failpoints and at random moments, no second order", arguments: 0..<2)
    func broker(seed: Int) async throws {
        var faults = AlpacaFake.Faults()
        (faults.lostBefore, faults.lostAfter, faults.late) = (0.1, 0.3, 0.3)
        let fake = try AlpacaFake(cash: 1000, positions: ["AAPL": 250], seed: UInt64(seed), faults: faults)
        let file = FileManager.default.temporaryDirectory.appending(path: "alpaca-\(UUID().uuidString)")
        try Data("id\nsecret\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await ServiceUnderTest.with { service in
            let plan = try await BookedPortfolio.confirmed(service, commission: false)
            let deaths = try await run(
                service, plan, ["venue": "alpaca"],
                environment: ["BALLAST_ALPACA_URL": fake.server.url, "BALLAST_ALPACA_KEY_FILE": file.path],
                random: SplitMix64(seed: UInt64(seed)))
            #expect(deaths >= 5)
            try await check(service, plan)
            #expect(fake.orders == plan["legs"]?.arrayValue?.count && Set(fake.clientIDs).count == fake.orders)
            let booked = try await BookedPortfolio.holdings(service)
            #expect(booked.cash == fake.account.cash)
            for (asset, held) in fake.account.positions { #expect((booked.positions[asset] ?? 0) == held) }
        }
    }

    // MARK: Lives

    /// Starts the service again and again until the plan has ended; how often it was killed.
    private func run(
        _ service: ServiceUnderTest, _ plan: JSONValue, _ body: JSONValue, environment: [String: String] = [:],
        random: SplitMix64? = nil
    ) async throws -> Int {
        var random = random
        let id = try #require(plan["plan_id"]?.stringValue)
        var deaths = 0
        for life in 0..<150 {
            let rows = try await service.admin.query("SELECT state FROM ballast.rebalance_plan WHERE plan_id = \(id)")
            let state = try rows.first?.decode(String.self, at: 0)
            if state != "CONFIRMED", state != "EXECUTING" { return deaths }
            // The lease of the one that was killed would hold the next for fifteen seconds.
            _ = try await service.admin.execute("UPDATE ballast.rebalance_execution SET lease_until = now()")
            let process = try await OptimizerProcess.start(
                service.database, failpoints: Self.places[life % Self.places.count], environment: environment)
            defer { process.kill() }
            if state == "CONFIRMED" {
                // The call is not answered where its process dies.
                _ = try? await process.call(.post, "/api/rebalance/\(id)/execute", body, key: service.key)
            }
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await service.waitUntil("the plan has ended") {
                        let rows = try await service.admin.query(
                            "SELECT ended_at IS NOT NULL FROM ballast.rebalance_execution")
                        return try rows.first?.decode(Bool.self, at: 0) ?? false
                    }
                    return false
                }
                group.addTask {
                    try await eventually { process.hasEnded }
                    return true
                }
                // Half of the lives end from outside, at any moment.
                if life % 2 == 0, let delay = random?.integer(600) {
                    group.addTask {
                        try await Task.sleep(for: .milliseconds(delay))
                        process.kill()
                        try await eventually { process.hasEnded }
                        return true
                    }
                }
                if try await group.next() == true { deaths += 1 }
                group.cancelAll()
            }
        }
        Issue.record("the plan did not end")
        return deaths
    }

    /// One intent a leg and attempt, one fill an id, holdings, results and audit that follow from them.
    private func check(_ service: ServiceUnderTest, _ plan: JSONValue) async throws {
        let id = plan["plan_id"]?.stringValue ?? ""
        let report = try await service.call(.get, "/api/rebalance/\(id)/execution")
        #expect(report.json?["state"] == "RECORDED" && report.json?["differences"] == [], "\(report.text)")
        let orders = report.json?["orders"]?.arrayValue ?? []
        #expect(orders.count == plan["legs"]?.arrayValue?.count)
        #expect(Set(orders.map { $0["client_order_id"]?.stringValue }).count == orders.count)
        #expect(orders.allSatisfy { $0["filled"] == $0["quantity"] })
        let counts = try await service.admin.query(
            """
            SELECT count(*) FILTER (WHERE event ->> 'event' = 'intent'),
                count(DISTINCT event ->> 'id') FILTER (WHERE event ->> 'event' = 'intent'),
                count(*) FILTER (WHERE event ->> 'event' = 'fill'),
                (SELECT count(*) FROM ballast.audit WHERE action = 'rebalance.fill')
            FROM ballast.rebalance_execution_event
            """)
        let row = try #require(counts.first)
        #expect(try row.decode(Int64.self, at: 0) == Int64(orders.count))
        #expect(try row.decode(Int64.self, at: 1) == Int64(orders.count))
        #expect(try row.decode(Int64.self, at: 2) == (try row.decode(Int64.self, at: 3)))
        let booked = try await BookedPortfolio.holdings(service)
        #expect(booked.cash == report.json?["cash"]?.stringValue.flatMap { FixedDecimal($0) })
        // What was sold is booked to the last share, lots and positions are the same number.
        let sold = try await service.admin.query("SELECT coalesce(sum(quantity), 0)::text FROM ballast.realised_gain")
        let wanted = (plan["legs"]?.arrayValue ?? []).filter { $0["side"] == "sell" }
            .compactMap { $0["quantity"]?.stringValue.flatMap { FixedDecimal($0) } }.reduce(.zero, +)
        #expect(FixedDecimal(try #require(try sold.first?.decode(String.self, at: 0))) == wanted)
        let lots = try await service.admin.query(
            """
            SELECT count(*) FROM ballast.holding h WHERE asset_symbol NOT LIKE 'CASH:%' AND quantity <> (
                SELECT coalesce(sum(quantity), 0) FROM ballast.tax_lot l WHERE l.asset_symbol = h.asset_symbol)
            """)
        #expect(try lots.first?.decode(Int64.self, at: 0) == 0)
    }
}
