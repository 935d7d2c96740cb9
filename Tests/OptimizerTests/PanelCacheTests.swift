import HTTPTypes
import PortfolioModels
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Panel cache")
struct PanelCacheTests {
    @Test(
        "the same assets and window are read once, until a price of them changes; other windows and factors are other panels"
    )
    func reuse() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "AMZN"])
            let principal = Principal(tenant: Tenants.standard, subject: "test", scopes: [.optimize])
            var request = OptimizeRequest(assets: ["AAPL", "MSFT"])
            func panel() async throws -> LoadedPanel { try await service.optimizer.load(request, for: principal) }
            func entries() -> Int { service.optimizer.panels.statistics.entries }

            let first = try await panel()
            #expect(entries() == 1 && service.optimizer.panels.statistics.bytes > 8 * 299 * 2)
            // Something else is written: the change log is looked at, and the panel stands.
            _ = try await service.optimize(["assets": ["AAPL", "AMZN"]])
            let second = try await panel()
            #expect(second.snapshot == first.snapshot && second.panel == first.panel)

            request.endDate = CalendarDate(iso: "2018-12-31")
            #expect(try await panel().panel.observations < first.panel.observations)
            request.endDate = nil

            _ = try await service.admin.execute(
                "UPDATE public.market_data SET price = price * 1.01 WHERE asset_symbol = 'AAPL' AND timestamp = '2018-05-01'"
            )
            let third = try await panel()
            #expect(third.snapshot != first.snapshot && third.fingerprint != first.fingerprint)
            _ = try await service.admin.execute(
                "INSERT INTO ballast.asset_alias (alias, symbol, valid_from, valid_to) VALUES ('APPLE', 'AAPL', '2018-01-01', '2018-02-01')"
            )
            #expect(try await panel().snapshot != third.snapshot, "a name counts as a change")
        }
    }

    @Test("gaps are carried over where that is asked for, and panels of the two policies are kept apart")
    func forwardFill() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            _ = try await service.admin.execute(
                "DELETE FROM public.market_data WHERE asset_symbol = 'MSFT' AND timestamp IN ('2018-03-06', '2018-03-07', '2018-06-01')"
            )
            let request: JSONValue = ["assets": ["AAPL", "MSFT"], "objective": "MinRisk", "store": false]
            guard var filling = request.objectValue else { return }
            filling["missing"] = "forward_fill"
            for _ in 0..<2 {
                let dropped = try await service.optimize(request)["data"]
                let filled = try await service.optimize(.object(filling))["data"]
                #expect(dropped?["observations"]?.intValue == 296 && dropped?["missing"]?["filled_by_asset"] == nil)
                #expect(dropped?["missing"]?["dropped_dates"]?.intValue == 3)
                #expect(filled?["observations"]?.intValue == 299 && filled?["missing"]?["policy"] == "forward_fill")
                #expect(filled?["missing"]?["dropped_dates"]?.intValue == 0)
                #expect(filled?["missing"]?["filled_by_asset"]?["MSFT"]?.intValue == 3)
                #expect(filled?["fingerprint"] != dropped?["fingerprint"])
            }
            let days: JSONValue = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-20", "2024-01-21"]
            let inline: JSONValue = [
                "prices": ["dates": days, "values": ["A": [1, 2, 1, 2, 1, 2], "B": [nil, 4, nil, 5, nil, 4]]],
                "objective": "MinRisk", "missing": "forward_fill",
            ]
            let answer = try await service.optimize(inline)
            #expect(answer["data"]?["missing"]?["filled_by_asset"]?["B"]?.intValue == 1)
            // The first day has nothing to carry, and sixteen days are too long.
            #expect(answer["data"]?["missing"]?["dropped_dates"]?.intValue == 2)
            let returns = try await service.call(
                .post, "/api/portfolio/optimize",
                ["returns": ["dates": days, "values": ["A": [0, 0, 0, 0, 0, 0]]], "missing": "forward_fill"])
            #expect(returns.status == 422 && returns.json?["errors"]?[0]?["pointer"] == "#/missing")
        }
    }

    @Test("a price that no double can hold is refused, and loses nothing")
    func tooLargePrice() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT"])
            for price in ["1e400", "1e-400"] {
                _ = try await service.admin.execute(
                    "UPDATE public.market_data SET price = \(price)::text::numeric WHERE asset_symbol = 'AAPL' AND timestamp = '2018-05-01'"
                )
                let answer = try await service.call(
                    .post, "/api/portfolio/optimize", ["assets": ["AAPL", "MSFT"], "store": false])
                #expect(answer.status == 422 && answer.json?["code"]?.stringValue == "DAT-004")
            }
        }
    }
}
