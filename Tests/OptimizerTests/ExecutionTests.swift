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

@Suite("Execution of plans")
struct PlanExecutionTests {
    /// A confirmed plan of a stored portfolio: sells AAPL, buys MSFT.
    private func confirmed(_ service: ServiceUnderTest, _ name: String = "demo") async throws -> JSONValue {
        try await service.writePrices(["AAPL", "MSFT"])
        _ = try await service.optimize([
            "assets": ["AAPL", "MSFT"], "objective": "MinRisk", "portfolio_id": .string(name),
        ])
        let holdings: JSONValue = [
            "cash": "1000",
            "holdings": [
                [
                    "asset": "AAPL",
                    "lots": [["id": "L1", "acquired": "2016-03-01", "quantity": "200", "basis_per_share": "80"]],
                ]
            ],
        ]
        #expect(try await service.call(.put, "/api/portfolio/\(name)/holdings", holdings).status == 200)
        let plan = try await service.call(
            .post, "/api/portfolio/\(name)/rebalance", ["settings": ["risk_aversion": 200]])
        let made = try #require(plan.json)
        #expect((made["legs"]?.arrayValue?.count ?? 0) >= 2)
        let id = try #require(made["plan_id"]?.stringValue)
        let answer = try await service.call(
            .post, "/api/rebalance/\(id)/confirm", ["plan_hash": made["plan_hash"] ?? .null])
        #expect(answer.status == 200)
        return made
    }

    private func desk(_ fake: AlpacaFake) -> TradingDesk {
        var desk = TradingDesk()
        desk.venues["alpaca"] = AlpacaVenue(
            url: fake.server.url, keyID: "id", secret: "secret", client: HTTPClient(), patience: .milliseconds(2))
        return desk
    }

    @Test("a broker that loses answers, repeats and delays: each leg once, books and broker agree", arguments: 0..<4)
    func alpaca(seed: Int) async throws {
        var faults = AlpacaFake.Faults()
        (faults.lostBefore, faults.lostAfter, faults.tooMany, faults.late) = (0.15, 0.4, 0.1, 0.5)
        let fake = try AlpacaFake(cash: 1000, positions: ["AAPL": 200], seed: UInt64(seed), faults: faults)
        try await ServiceUnderTest.with(trading: desk(fake)) { service in
            let plan = try await confirmed(service)
            let id = plan["plan_id"]?.stringValue ?? ""
            let opened = try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "alpaca"])
            #expect(opened.status == 202, "\(opened.text)")
            let principal = try await tenant(service)
            var report: JSONValue?
            // A process that dies now and then: the next goes on from the log.
            for attempt in 0..<200 where report == nil {
                let run = Task { try await Executor(service.optimizer, tenant: principal, plan: id).run() }
                if attempt < 6 {
                    // Dies at another place each time.
                    try await Task.sleep(for: .milliseconds(15 + 10 * attempt))
                    run.cancel()
                }
                report = try? await run.value
                _ = try await service.admin.execute("UPDATE ballast.rebalance_execution SET lease_until = now()")
            }
            let done = try #require(report)
            #expect(done["differences"] == [], "\(done.serialized())")
            #expect(done["state"] == "RECORDED")
            #expect(Set(fake.clientIDs).count == fake.orders)
            #expect(fake.orders == plan["legs"]?.arrayValue?.count)
            let booked = try await BookedPortfolio.holdings(service)
            #expect(booked.cash == fake.account.cash)
            for (asset, held) in fake.account.positions { #expect((booked.positions[asset] ?? 0) == held) }
            // The log alone gives the same books.
            let again = try await service.call(.get, "/api/rebalance/\(id)/execution")
            #expect(again.json == done)
        }
    }

    private func tenant(_ service: ServiceUnderTest) async throws -> UUID {
        let rows = try await service.admin.query("SELECT tenant_id FROM ballast.rebalance_plan LIMIT 1")
        return try #require(try rows.first?.decode(UUID.self, at: 0))
    }

    @Test("an order that does not fill is taken back, sent again at a worse price, and given up")
    func reprice() async throws {
        var faults = AlpacaFake.Faults()
        faults.isStuck = true
        let fake = try AlpacaFake(cash: 1000, positions: ["AAPL": 200], seed: 1, faults: faults)
        try await ServiceUnderTest.with(trading: desk(fake)) { service in
            let plan = try await confirmed(service)
            let id = plan["plan_id"]?.stringValue ?? ""
            let body: JSONValue = [
                "venue": "alpaca",
                "limits": ["attempts": 2, "reprice_step": "0.001", "order_seconds": 0.01, "collar": "0.2"],
            ]
            #expect(try await service.call(.post, "/api/rebalance/\(id)/execute", body).status == 202)
            let report = try await Executor(service.optimizer, tenant: try await tenant(service), plan: id).run()
            #expect(report?["state"] == "RECORDED")
            let sales = report?["orders"]?.arrayValue?.filter { $0["side"] == "sell" } ?? []
            #expect(sales.map { $0["attempt"] } == [1, 2])
            #expect(sales.allSatisfy { $0["state"] == "CLOSED" && $0["filled"] == "0" })
            #expect((report?["unfilled"]?.arrayValue?.count ?? 0) == plan["legs"]?.arrayValue?.count)
            #expect(try await BookedPortfolio.holdings(service).cash == 1000)
        }
    }

    @Test("cancel and kill switch: what is open is taken back, nothing new is sent")
    func stops() async throws {
        var faults = AlpacaFake.Faults()
        faults.isStuck = true
        let fake = try AlpacaFake(cash: 1000, positions: ["AAPL": 200], seed: 1, faults: faults)
        try await ServiceUnderTest.with(trading: desk(fake)) { service in
            let plan = try await confirmed(service)
            let id = plan["plan_id"]?.stringValue ?? ""
            let halted = try await service.call(.put, "/api/trading/halt", ["on": true, "reason": "storm"])
            #expect(halted.json?["on"] == true)
            #expect(try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "alpaca"]).status == 409)
            #expect(try await service.call(.put, "/api/trading/halt", ["on": false]).json == ["on": false])
            #expect(try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "alpaca"]).status == 202)
            let tenant = try await tenant(service)
            let run = Task { try await Executor(service.optimizer, tenant: tenant, plan: id).run() }
            // The fake is a server: the first order has to have reached it.
            while fake.orders == 0 { try await Task.sleep(for: .milliseconds(5)) }
            let cancelled = try await service.call(.post, "/api/rebalance/\(id)/cancel", ["reason": "changed my mind"])
            #expect(cancelled.status == 200)
            let report = try await run.value
            #expect(report?["state"] == "RECORDED" && fake.orders == 1)
            let events = try await service.call(.get, "/api/rebalance/\(id)/events")
            let states = events.json?["items"]?.arrayValue?.compactMap { $0["to"]?.stringValue } ?? []
            #expect(states.suffix(3) == ["COMPLETED_SHORT", "VERIFIED", "RECORDED"])
            #expect(try await service.call(.post, "/api/rebalance/\(id)/cancel", [:]).status == 409)
        }
    }

    @Test("limits of an order and a price beyond the collar are never sent")
    func limits() async throws {
        try await ServiceUnderTest.with { service in
            let plan = try await confirmed(service)
            let id = plan["plan_id"]?.stringValue ?? ""
            let body: JSONValue = ["venue": "paper", "limits": ["order": "1"]]
            let report = try await service.call(.post, "/api/rebalance/\(id)/execute", body)
            #expect(report.status == 200 && report.json?["orders"] == [])
            let reason = report.json?["unfilled"]?[0]?["reason"]?.stringValue ?? ""
            #expect(reason.contains("beyond the limit of 1"))
            #expect(try await BookedPortfolio.holdings(service).cash == 1000)
            #expect(try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "moon"]).status == 422)
        }
    }

    @Test("a process that dies at the paper broker is followed by another that ends the same plan")
    func resumes() async throws {
        try await ServiceUnderTest.with { service in
            let plan = try await confirmed(service)
            let id = plan["plan_id"]?.stringValue ?? ""
            // Opened as a call would, by an owner that is gone: only the intent of the first leg was written.
            let call = Task {
                try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "paper", "seed": 3])
            }
            call.cancel()
            _ = try? await call.value
            let tenant = try await tenant(service)
            for _ in 0..<50 {
                _ = try await service.admin.execute("UPDATE ballast.rebalance_execution SET lease_until = now()")
                let rows = try await service.admin.query(
                    "SELECT state FROM ballast.rebalance_plan WHERE plan_id = \(id)")
                if try rows.first?.decode(String.self, at: 0) == "RECORDED" { break }
                let run = Task { try await Executor(service.optimizer, tenant: tenant, plan: id).run() }
                // Long enough for a step or two, so that each process leaves something half done.
                try await Task.sleep(for: .milliseconds(8))
                run.cancel()
                _ = try? await run.value
            }
            let done = try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "paper", "seed": 3])
            #expect(done.json?["state"] == "RECORDED" && done.json?["differences"] == [])
            let orders = done.json?["orders"]?.arrayValue ?? []
            #expect(Set(orders.map { $0["client_order_id"]?.stringValue }).count == orders.count)
            #expect(
                try await BookedPortfolio.holdings(service).cash
                    == done.json?["cash"]?.stringValue.flatMap { FixedDecimal($0) })
        }
    }
}
