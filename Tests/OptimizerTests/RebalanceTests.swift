import Foundation
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Rebalance")
struct RebalanceTests {
    private func plan(
        _ service: ServiceUnderTest, _ body: JSONValue = RebalanceSchemas.example
    ) async throws -> JSONValue {
        let answer = try await service.call(.post, "/api/portfolio/rebalance", body)
        try #require(answer.status == 200, "\(answer.status): \(answer.text)")
        return try #require(answer.json)
    }

    private func with(_ body: JSONValue, _ changes: [(String, JSONValue?)]) -> JSONValue {
        var object = body.objectValue ?? JSONObject()
        for (name, value) in changes { object[name] = value }
        return .object(object)
    }

    private func confirm(
        _ service: ServiceUnderTest, _ plan: JSONValue, hash: String? = nil, key: String? = nil,
        credentials: String? = nil
    ) async throws -> (status: Int, json: JSONValue) {
        let id = try #require(plan["plan_id"]?.stringValue)
        var headers = HTTPFields()
        if let key { headers[.idempotencyKey] = key }
        let answer = try await service.call(
            .post, "/api/rebalance/\(id)/confirm", ["plan_hash": .string(hash ?? plan["plan_hash"]?.stringValue ?? "")],
            key: credentials, headers: headers)
        return (answer.status, answer.json ?? .null)
    }

    @Test("a plan is made, kept, shown and confirmed by its hash, and each step is in the chain")
    func life() async throws {
        try await ServiceUnderTest.with { service in
            let plan = try await plan(service)
            #expect(plan["state"] == "AWAITING_CONFIRM")
            let id = try #require(plan["plan_id"]?.stringValue)
            #expect(plan["plan_hash"]?.stringValue?.utf8.count == 64)
            #expect((plan["legs"]?.arrayValue?.count ?? 0) > 0 && plan["gap"]?.doubleValue ?? 1 < 1e-6)
            let shown = try await service.call(.get, "/api/rebalance/\(id)")
            #expect(shown.json == plan)
            let wrong = try await confirm(service, plan, hash: String(repeating: "0", count: 64))
            #expect(wrong.status == 412)
            let first = try await confirm(service, plan, key: "k1")
            #expect(first.status == 200 && first.json["state"] == "CONFIRMED")
            // The same call again gives the same answer; another one comes too late.
            let again = try await confirm(service, plan, key: "k1")
            #expect(again.status == 200 && again.json == first.json)
            #expect(try await confirm(service, plan, key: "k2").status == 409)
            let reject = try await service.call(.post, "/api/rebalance/\(id)/reject", [:])
            #expect(reject.status == 409)
            let events = try await service.call(.get, "/api/rebalance/\(id)/events")
            let items = events.json?["items"]?.arrayValue ?? []
            #expect(items.map { $0["to"] } == ["DRAFT", "PRICED", "FEASIBLE", "AWAITING_CONFIRM", "CONFIRMED"])
            #expect(items[1]["prev_hash"] == items[0]["hash"])
            let holds = try await service.admin.query(
                "SELECT set_config('app.tenant', tenant_id::text, false), ballast.rebalance_chain_holds(plan_id) FROM ballast.rebalance_plan"
            )
            #expect(try holds.first?.decode(Bool.self, at: 1) == true)
            let audit = try await service.admin.query(
                "SELECT count(*) FROM ballast.audit WHERE action LIKE 'rebalance.%'")
            #expect(try audit.first?.decode(Int64.self, at: 0) == 5)
        }
    }

    @Test("of a hundred confirmations at once one wins")
    func oneWinner() async throws {
        try await ServiceUnderTest.with { service in
            let plan = try await plan(service)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for n in 0..<100 { group.addTask { try await confirm(service, plan, key: "key-\(n)").status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 200 }.count == 1)
            #expect(statuses.filter { $0 == 409 }.count == 99)
            let events = try await service.admin.query(
                "SELECT count(*) FROM ballast.rebalance_event WHERE to_state = 'CONFIRMED'")
            #expect(try events.first?.decode(Int64.self, at: 0) == 1)
        }
    }

    @Test("an expired, a foreign or a rejected plan never runs")
    func refused() async throws {
        try await ServiceUnderTest.with { service in
            let expired = try await plan(service)
            _ = try await service.admin.execute(
                "UPDATE ballast.rebalance_plan SET expires_at = now() - interval '1 second'")
            let shown = try await service.call(.get, "/api/rebalance/\(expired["plan_id"]?.stringValue ?? "")")
            #expect(shown.json?["state"] == "EXPIRED")
            #expect(try await confirm(service, expired).status == 409)
            let state = try await service.admin.query("SELECT state FROM ballast.rebalance_plan")
            #expect(try state.first?.decode(String.self, at: 0) == "EXPIRED")

            let plan = try await plan(service)
            let foreign = try await service.foreignKey()
            #expect(try await confirm(service, plan, credentials: foreign).status == 404)
            let id = plan["plan_id"]?.stringValue ?? ""
            #expect(try await service.call(.get, "/api/rebalance/\(id)", key: foreign).status == 404)
            #expect(try await service.call(.get, "/api/rebalance/\(id)/events", key: foreign).status == 404)
            #expect(try await service.call(.post, "/api/rebalance/\(id)/reject", ["reason": "no"]).status == 200)
            #expect(try await service.call(.post, "/api/rebalance/\(id)/reject", ["reason": "no"]).status == 200)
            #expect(try await confirm(service, plan).status == 409)
            #expect(try await service.call(.get, "/api/rebalance/nobody-has-this").status == 404)
        }
    }

    @Test("a call that stores nothing is pure; scopes are kept apart")
    func pure() async throws {
        try await ServiceUnderTest.with { service in
            let body = with(RebalanceSchemas.example, [("store", false)])
            let made = try await plan(service, body)
            #expect(made["plan_id"] == .null && made["state"] == "AWAITING_CONFIRM")
            let rows = try await service.admin.query("SELECT count(*) FROM ballast.rebalance_plan")
            #expect(try rows.first?.decode(Int64.self, at: 0) == 0)
            let reader = try await APIKeys(service.optimizer.pool).create(
                name: "reader", scopes: [.dataRead, .optimize]
            ).reveal()
            #expect(try await service.call(.post, "/api/portfolio/rebalance", body, key: reader).status == 403)
            let planner = try await APIKeys(service.optimizer.pool).create(name: "planner", scopes: [.rebalancePlan])
                .reveal()
            #expect(try await service.call(.post, "/api/portfolio/rebalance", body, key: planner).status == 200)
            let kept = try await plan(service)
            #expect(try await confirm(service, kept, credentials: planner).status == 403)
            let strict = try await service.call(
                .post, "/api/portfolio/rebalance", with(body, [("covariance", nil)]),
                headers: [HTTPField.Name("Prefer") ?? .cookie: "handling=strict"])
            #expect(strict.status == 422 && strict.json?["code"] == "REQ-107")
        }
    }

    @Test("contradicting limits are a 422 with the conflict")
    func infeasible() async throws {
        try await ServiceUnderTest.with { service in
            var settings = RebalanceSchemas.example["settings"]?.objectValue ?? JSONObject()
            settings["relax"] = false
            settings["constraints"] = ["upper_bound": ["AAPL": 0.3], "turnover": 0.05]
            let answer = try await service.call(
                .post, "/api/portfolio/rebalance", with(RebalanceSchemas.example, [("settings", .object(settings))]))
            #expect(answer.status == 422 && answer.json?["code"] == "OPT-101")
            #expect(
                Set(answer.json?["conflict"]?.arrayValue?.compactMap { $0.stringValue } ?? []) == [
                    "turnover", "upper_bound.AAPL",
                ])
            let wrong = try await service.call(
                .post, "/api/portfolio/rebalance", with(RebalanceSchemas.example, [("cahs", "1")]))
            #expect(wrong.status == 422 && wrong.text.contains("Did you mean cash?"))
        }
    }

    @Test("a stored portfolio is planned from what is stored, and a plan of other holdings never runs")
    func stored() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            _ = try await service.optimize([
                "assets": ["AAPL", "MSFT"], "objective": "MinRisk", "portfolio_id": "demo",
            ])
            #expect(try await service.call(.post, "/api/portfolio/demo/rebalance", [:]).status == 409)
            let holdings: JSONValue = [
                "cash": "1000",
                "holdings": [
                    [
                        "asset": "AAPL",
                        "lots": [["id": "L1", "acquired": "2016-03-01", "quantity": "200", "basis_per_share": "80"]],
                    ]
                ],
            ]
            #expect(try await service.call(.put, "/api/portfolio/demo/holdings", holdings).status == 200)
            let request: JSONValue = ["settings": ["risk_aversion": 200]]
            func make() async throws -> JSONValue {
                let answer = try await service.call(.post, "/api/portfolio/demo/rebalance", request)
                try #require(answer.status == 200, "\(answer.text)")
                return try #require(answer.json)
            }
            let first = try await make()
            #expect(first["state"] == "AWAITING_CONFIRM" && first["portfolio_id"] == "demo")
            // The covariance came from the stored prices: nothing had to be assumed.
            #expect(first["warnings"]?.arrayValue?.contains { $0["code"] == "covariance_missing" } == false)
            let second = try await make()
            #expect(try await confirm(service, first).status == 409)
            // Another holding: the plan is of a portfolio that is no more.
            #expect(
                try await service.call(.put, "/api/portfolio/demo/holdings", with(holdings, [("cash", "1001")])).status
                    == 200)
            let stale = try await confirm(service, second)
            #expect(stale.status == 409 && stale.json["code"] == "STA-002")
            let third = try await make()
            // A price beyond the tolerance of one per cent.
            _ = try await service.admin.execute(
                """
                INSERT INTO public.market_data (asset_symbol, "timestamp", price)
                SELECT asset_symbol, max("timestamp") + interval '1 day', (array_agg(price ORDER BY "timestamp" DESC))[1] * 1.02
                FROM public.market_data WHERE asset_symbol = 'AAPL' GROUP BY 1
                """)
            #expect(try await confirm(service, third).status == 412)
            let fourth = try await make()
            let id = fourth["plan_id"]?.stringValue ?? ""
            let execute: JSONValue = ["venue": "paper", "seed": 7]
            #expect(try await service.call(.post, "/api/rebalance/\(id)/execute", execute).status == 409)
            #expect(try await confirm(service, fourth).status == 200)
            let done = try await service.call(.post, "/api/rebalance/\(id)/execute", execute)
            try #require(done.status == 200, "\(done.text)")
            #expect(done.json?["state"] == "RECORDED" && done.json?["differences"] == [])
            // The same call again books nothing twice.
            #expect(try await service.call(.post, "/api/rebalance/\(id)/execute", execute).json == done.json)
            let booked = try await service.call(.get, "/api/portfolio/demo/holdings")
            #expect(booked.json?["cash"] == done.json?["cash"])
            let events = try await service.call(.get, "/api/rebalance/\(id)/events")
            let states = events.json?["items"]?.arrayValue?.compactMap { $0["to"]?.stringValue }
            #expect(
                states == [
                    "DRAFT", "PRICED", "FEASIBLE", "AWAITING_CONFIRM", "CONFIRMED", "EXECUTING", "COMPLETED",
                    "VERIFIED",
                    "RECORDED",
                ])
            // What was held, less what was sold, plus what was bought.
            var shares = ["AAPL": 200]
            for leg in fourth["legs"]?.arrayValue ?? [] {
                let quantity = leg["quantity"]?.stringValue.flatMap { Int($0) } ?? 0
                shares[leg["asset"]?.stringValue ?? "", default: 0] += leg["side"] == "sell" ? -quantity : quantity
            }
            for item in booked.json?["holdings"]?.arrayValue ?? [] {
                let held = item["quantity"]?.stringValue.flatMap { Double($0) }
                #expect(held == shares[item["asset"]?.stringValue ?? ""].map { Double($0) })
            }
            #expect(try await service.call(.post, "/api/portfolio/nope/rebalance", [:]).status == 404)
        }
    }
}
