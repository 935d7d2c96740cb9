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
