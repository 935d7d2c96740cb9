import Foundation
import HTTPFetch
import HTTPTypes
import PostgresClient
import Reallocation
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Booking of an executed plan")
struct BookingTests {
    private func decimals(_ rows: [PostgresRow], _ at: Int) throws -> [FixedDecimal] {
        try rows.map { FixedDecimal(try $0.decode(String.self, at: at)) ?? .overflow }
    }

    @Test("cash, lots, gains, the wash sale and audit of the worked plan, to the cent; the next plan knows of them")
    func worked() async throws {
        try await ServiceUnderTest.with { service in
            let plan = try await BookedPortfolio.confirmed(service)
            let id = try #require(plan["plan_id"]?.stringValue)
            // While it executes nobody puts other holdings under it.
            let done = try await service.call(
                .post, "/api/rebalance/\(id)/execute", ["venue": "paper", "seed": 11])
            try #require(done.status == 200, "\(done.text)")
            let report = try #require(done.json)
            // Sold 55 at 100.00 less 0.55, bought 104 at 50.00 and 1.04: 1,000 + 5,499.45 - 5,201.04.
            #expect(report["cash"] == "1298.41" && report["state"] == "RECORDED")
            // 55 x (99.99 - 120) = -1,100.55 for long; fifty recent shares take over 50 x 20.01.
            #expect(report["realised"]?["long"] == "-1100.55" && report["realised"]?["short"] == "0")
            #expect(report["realised"]?["disallowed_long"] == "1000.5")

            let holdings = try #require(try await service.call(.get, "/api/portfolio/demo/holdings").json)
            #expect(holdings["cash"] == "1298.41")
            let lots = try await service.admin.query(
                "SELECT asset_symbol, lot_id, acquired, quantity::text, basis_per_share::text FROM ballast.tax_lot ORDER BY 1, 3, 2"
            )
            let days = BookedPortfolio.today.daysSinceEpoch - (CalendarDate(iso: "2016-03-01")?.daysSinceEpoch ?? 0)
            let carried = try #require(BookedPortfolio.recent.adding(days: -days))
            var old = FixedDecimal.zero
            var washed: [FixedDecimal] = []
            for row in lots {
                let lot = try row.decode(String.self, at: 1)
                let acquired = try row.decode(PostgresDate.self, at: 2).daysSinceEpoch
                let quantity = try #require(FixedDecimal(try row.decode(String.self, at: 3)))
                let basis = try #require(FixedDecimal(try row.decode(String.self, at: 4)))
                switch lot {
                case "L1":
                    old = quantity
                    #expect(basis == 120)
                case _ where lot.hasPrefix("L2.w"):
                    // 90 + 20.01, and the days that the sold shares were held.
                    #expect(basis == FixedDecimal("110.01") && acquired == carried.daysSinceEpoch)
                    washed.append(quantity)
                default:
                    #expect(lot.hasPrefix("\(id).2.") && quantity == 104 && basis == FixedDecimal("50.01"))
                }
            }
            #expect(old == 145 && washed.reduce(.zero, +) == 50)

            let gains = try #require(try await service.call(.get, "/api/portfolio/demo/gains").json)
            #expect(gains["long"] == "-100.05" && gains["short"] == "0" && gains["carry_long"] == "0")
            #expect(gains["items"]?.arrayValue?.allSatisfy { $0["lot"] == "L1" && $0["term"] == "long" } == true)
            #expect(try await service.call(.get, "/api/portfolio/demo/gains?year=2001").json?["items"] == [])
            #expect(try await service.call(.get, "/api/portfolio/demo/gains?year=x").status == 422)
            #expect(try await service.call(.get, "/api/portfolio/nope/gains").status == 404)

            let audit = try await service.admin.query(
                "SELECT detail ->> 'cash' FROM ballast.audit WHERE action = 'rebalance.fill' ORDER BY seq")
            #expect(try audit.last?.decode(String.self, at: 0) == "1298.41")

            // The next plan: the allowed loss is in its year, and AAPL is not bought back.
            let settings: JSONValue = [
                "risk_aversion": 2000, "tax": ["rate_short": "0.37", "rate_long": "0.2", "ordinary_cap": "3000"],
            ]
            let next = try await BookedPortfolio.plan(
                service, settings, target: ["AAPL": "0.95", "MSFT": "0.05"])
            #expect(next["buy_blocks"]?.arrayValue?.first?["asset"] == "AAPL")
            #expect(next["legs"]?.arrayValue?.contains { $0["asset"] == "AAPL" } == false)
            let year = next["tax"]?.serialized() ?? ""
            #expect(year.contains("-100.05"), "\(year)")
            // What the caller gives holds.
            let own = try await BookedPortfolio.plan(
                service,
                [
                    "risk_aversion": 2000,
                    "tax": [
                        "rate_short": "0.37", "rate_long": "0.2", "ordinary_cap": "3000", "realised_long": "77.77",
                        "wash_sale": false,
                    ],
                ])
            #expect(own["tax"]?.serialized().contains("77.77") == true)
        }
    }

    @Test("losses of earlier years are carried into the next plan's year")
    func carried() async throws {
        try await ServiceUnderTest.with { service in
            let plan = try await BookedPortfolio.confirmed(service)
            let id = try #require(plan["plan_id"]?.stringValue)
            let done = try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "paper", "seed": 11])
            try #require(done.status == 200, "\(done.text)")
            // As if the sale had been two years ago and had lost 5,000.00 more: 5,100.05 - 3,000 are carried, and 2,100.05 - 2,100.05 after
            // the year between.
            let year = BookedPortfolio.today.year
            _ = try await service.admin.execute(
                """
                WITH one AS (SELECT fill_id FROM ballast.realised_gain LIMIT 1)
                UPDATE ballast.realised_gain SET basis = basis + CASE WHEN fill_id = (SELECT fill_id FROM one) THEN 5000 ELSE 0 END,
                    sold_on = make_date(\(Int32(year - 1)), 6, 1)
                """)
            let gains = try #require(try await service.call(.get, "/api/portfolio/demo/gains").json)
            #expect(gains["long"] == "0" && gains["carry_long"] == "2100.05")
            let next = try await BookedPortfolio.plan(
                service,
                [
                    "risk_aversion": 2000,
                    "tax": ["rate_short": "0.37", "rate_long": "0.2", "ordinary_cap": "3000"],
                ])
            #expect(next["tax"]?.serialized().contains("2100.05") == true, "\(next["tax"]?.serialized() ?? "")")
        }
    }

    @Test("holdings are not put under a plan that executes")
    func guarded() async throws {
        var faults = AlpacaFake.Faults()
        faults.isStuck = true
        let fake = try AlpacaFake(cash: 1000, positions: ["AAPL": 250], seed: 1, faults: faults)
        var desk = TradingDesk()
        desk.venues["alpaca"] = AlpacaVenue(
            url: fake.server.url, keyID: "id", secret: "secret", client: .init(), patience: .milliseconds(2))
        try await ServiceUnderTest.with(trading: desk) { service in
            let plan = try await BookedPortfolio.confirmed(service)
            let id = try #require(plan["plan_id"]?.stringValue)
            #expect(try await service.call(.post, "/api/rebalance/\(id)/execute", ["venue": "alpaca"]).status == 202)
            let put = try await service.call(.put, "/api/portfolio/demo/holdings", ["cash": "1", "holdings": []])
            #expect(put.status == 409 && put.json?["code"] == "STA-001", "\(put.text)")
        }
    }
}
