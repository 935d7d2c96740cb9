import Foundation
import HTTPTypes
import PostgresClient
import Reallocation
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

/// A portfolio whose plan is known to the last share: 200 old shares of AAPL at a basis of 120 and 50 bought ten days ago at 90, 1,000 of
/// cash, AAPL at 100 and MSFT at 50. Its target is 195 AAPL and 104 MSFT; 55 shares are to be sold, first in, first out.
enum BookedPortfolio {
    static var today: CalendarDate { UTCTimestamp.now.date }
    static var recent: CalendarDate { today.adding(days: -10) ?? today }

    static func store(_ service: ServiceUnderTest) async throws {
        try await service.writePrices(["AAPL", "MSFT"])
        _ = try await service.admin.execute(
            """
            INSERT INTO public.market_data (asset_symbol, "timestamp", price)
            VALUES ('AAPL', '2024-01-01', 100), ('MSFT', '2024-01-01', 50)
            """)
        _ = try await service.optimize([
            "assets": ["AAPL", "MSFT"], "objective": "MinRisk", "portfolio_id": "demo",
        ])
        let holdings: JSONValue = [
            "cash": "1000",
            "holdings": [
                [
                    "asset": "AAPL",
                    "lots": [
                        ["id": "L1", "acquired": "2016-03-01", "quantity": "200", "basis_per_share": "120"],
                        [
                            "id": "L2", "acquired": .string(recent.description), "quantity": "50",
                            "basis_per_share": "90",
                        ],
                    ],
                ]
            ],
        ]
        let put = try await service.call(.put, "/api/portfolio/demo/holdings", holdings)
        try #require(put.status == 200, "\(put.text)")
    }

    static func plan(
        _ service: ServiceUnderTest, _ settings: JSONValue? = nil, target: JSONValue? = nil
    ) async throws -> JSONValue {
        let answer = try await service.call(
            .post, "/api/portfolio/demo/rebalance",
            [
                "target": target ?? ["AAPL": "0.75", "MSFT": "0.2", "CASH": "0.05"],
                "covariance": ["assets": ["AAPL", "MSFT"], "values": [[0.04, 0], [0, 0.04]]],
                "settings": settings ?? [
                    "risk_aversion": 2000, "costs": ["commission": ["per_share": "0.01"]],
                ],
            ])
        try #require(answer.status == 200, "\(answer.text)")
        return try #require(answer.json)
    }

    /// `commission`: a cent a share, as the paper broker takes it; brokers that are faked take none.
    static func confirmed(_ service: ServiceUnderTest, commission: Bool = true) async throws -> JSONValue {
        try await store(service)
        let plan = try await plan(service, commission ? nil : ["risk_aversion": 2000])
        let legs = plan["legs"]?.arrayValue ?? []
        #expect(legs.map { $0["quantity"] } == ["55", "104"], "\(plan.serialized())")
        let id = try #require(plan["plan_id"]?.stringValue)
        let confirmed = try await service.call(
            .post, "/api/rebalance/\(id)/confirm", ["plan_hash": plan["plan_hash"] ?? .null])
        try #require(confirmed.status == 200, "\(confirmed.text)")
        return plan
    }

    /// A plan confirmed and run to its end at a broker that is faked; the report.
    static func executed(_ service: ServiceUnderTest, at venue: String) async throws -> JSONValue? {
        let plan = try await confirmed(service, commission: false)
        let id = try #require(plan["plan_id"]?.stringValue)
        let started = try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": .string(venue)])
        #expect(started.status == 202)
        let rows = try await service.admin.query("SELECT tenant_id FROM ballast.rebalance_plan LIMIT 1")
        let tenant = try #require(try rows.first?.decode(UUID.self, at: 0))
        return try await Executor(service.optimizer, tenant: tenant, plan: id).run()
    }

    static func holdings(
        _ service: ServiceUnderTest
    ) async throws -> (cash: FixedDecimal, positions: [String: FixedDecimal]) {
        let json = try #require(try await service.call(.get, "/api/portfolio/demo/holdings").json)
        var positions: [String: FixedDecimal] = [:]
        for item in json["holdings"]?.arrayValue ?? [] {
            positions[item["asset"]?.stringValue ?? ""] = item["quantity"]?.stringValue.flatMap { FixedDecimal($0) }
        }
        return (json["cash"]?.stringValue.flatMap { FixedDecimal($0) } ?? 0, positions)
    }
}
