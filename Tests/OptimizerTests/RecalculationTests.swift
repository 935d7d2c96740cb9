import ConvexSolver
import Foundation
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Recalculation")
struct RecalculationTests {
    private static let names = ["AAPL", "MSFT", "JPM"]
    private static let request: JSONValue = [
        "assets": ["AAPL", "MSFT", "JPM"], "portfolio_id": "held", "objective": "MinRisk",
        "recalculation": ["enabled": true, "quiet_ms": 50, "max_wait_ms": 500],
    ]

    private func prepare(_ service: ServiceUnderTest) async throws {
        try await service.writePrices(Self.names)
        _ = try await service.optimize(Self.request)
    }

    private func results(_ service: ServiceUnderTest) async throws -> Int64 {
        try await service.admin.query("SELECT count(*) FROM ballast.portfolio_result WHERE portfolio_id = 'held'")[0]
            .decode(Int64.self, at: 0)
    }

    private func job(_ service: ServiceUnderTest) async throws -> (wanted: Int64, done: Int64, fence: Int64) {
        try await service.admin.query(
            "SELECT wanted, done, fence FROM ballast.recalculation_job WHERE portfolio_id = 'held'")[0]
            .decode((Int64, Int64, Int64).self)
    }

    /// What a fresh call finds from the prices as they are.
    private func fresh(_ service: ServiceUnderTest) async throws -> JSONValue {
        try await service.optimize(["assets": ["AAPL", "MSFT", "JPM"], "objective": "MinRisk", "store": false])
    }

    private func stored(_ service: ServiceUnderTest) async throws -> JSONValue {
        try #require(try await service.call(.get, "/api/portfolio/held").json)
    }

    @Test("a price inserted by plain SQL becomes a new result")
    func insertByHand() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            try await service.recalculating {
                _ = try await service.admin.execute(
                    """
                    INSERT INTO public.market_data (asset_symbol, "timestamp", price)
                    SELECT asset_symbol, '2019-06-03', price * 1.01 FROM public.market_data WHERE "timestamp" = '2018-06-01'
                    """)
                try await service.waitUntil("a second result") { try await results(service) == 2 }
            }
            let held = try await stored(service)
            #expect(held["data"]?["end"] == "2019-06-03")
            #expect(held["weights"] == (try await fresh(service))["weights"])
            let trigger = try await service.admin.query(
                "SELECT trigger FROM ballast.portfolio_result WHERE portfolio_id = 'held' ORDER BY revision DESC LIMIT 1"
            )
            #expect(try trigger[0].decode(String.self, at: 0) == "recalculation")
        }
    }

    @Test("1,000 updates in a burst are a few runs, and the last result is of the last prices")
    func burst() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            let before = try await job(service)
            try await service.recalculating {
                for n in 0..<1000 {
                    _ = try await service.admin.execute(
                        """
                        UPDATE public.market_data SET price = round((100 + \(Double(n % 37)) / 10)::numeric, 4)
                        WHERE asset_symbol = \(Self.names[n % 3]) AND "timestamp" = '2018-03-05'
                        """)
                }
                try await service.waitUntil("the job to be done") {
                    let fanned = try await service.admin.query(
                        "SELECT (SELECT tick FROM rt.subscriber WHERE name = 'optimizer') = (SELECT max(tick) FROM rt.tick)"
                    )
                    let job = try await job(service)
                    let unseen = try await service.admin.query("SELECT rt.make_tick() IS NULL")
                    return try fanned[0].decode(Bool.self, at: 0) && unseen[0].decode(Bool.self, at: 0)
                        && job.wanted == job.done
                }
            }
            let held = try await stored(service)
            let now = try await fresh(service)
            #expect(held["data"]?["fingerprint"] == now["data"]?["fingerprint"])
            #expect(held["weights"] == now["weights"])
            let runs = try await job(service).fence - before.fence
            #expect(runs < 100, "\(runs) runs for 1,000 updates")
        }
    }

    @Test("data that goes back to an earlier state makes the earlier result stand again")
    func goingBack() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            let first = try await stored(service)
            for change: SQL in ["price * 2", "price / 2"] {
                _ = try await service.admin.execute(
                    "UPDATE public.market_data SET price = " + change
                        + " WHERE asset_symbol = 'AAPL' AND timestamp = '2018-03-05'")
                try await runDueJobs(service)
                let now = try await fresh(service)
                #expect(try await stored(service)["data"]?["fingerprint"] == now["data"]?["fingerprint"])
            }
            #expect(try await stored(service)["revision"] == 1)
            #expect(try await stored(service)["weights"] == first["weights"])
            #expect(try await results(service) == 2)
        }
    }

    @Test("a change outside the portfolio's window, of another asset or of a volume wakes nobody")
    func irrelevantChanges() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names + ["OTHER"])
            var closed = try #require(Self.request.objectValue)
            closed["end_date"] = "2018-12-31"
            _ = try await service.optimize(.object(closed))
            _ = try await service.optimizer.fanOut.advance()
            let before = try await job(service)
            _ = try await service.admin.execute(
                """
                INSERT INTO public.market_data (asset_symbol, "timestamp", price) VALUES ('AAPL', '2019-06-03', 120)
                """)
            _ = try await service.admin.execute(
                "UPDATE public.market_data SET price = price * 2 WHERE asset_symbol = 'OTHER'")
            _ = try await service.admin.execute("UPDATE public.market_data SET volume = 7 WHERE asset_symbol = 'AAPL'")
            let step = try await service.optimizer.fanOut.advance()
            #expect(step.isLeader)
            #expect(step.marked == 0)
            #expect(try await job(service) == before)
            // And inside the window it does.
            _ = try await service.admin.execute(
                """
                UPDATE public.market_data SET price = price * 1.02 WHERE asset_symbol = 'AAPL' AND "timestamp" = '2018-03-05'
                """)
            #expect(try await service.optimizer.fanOut.advance().marked == 1)
        }
    }

    @Test("a worker that was taken for dead publishes nothing")
    func fencing() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            try await change(service)
            let stale = try #require(try await claim(service))
            // Its lease ends while it is stopped; another worker takes over and finishes.
            _ = try await service.admin.execute(
                "UPDATE ballast.recalculation_job SET lease_until = now() - interval '1 second'")
            let other = Worker(
                optimizer: service.optimizer)
            let taken = try #require(try await claim(service))
            #expect(taken.fence == stale.fence + 1)
            await other.recalculate(taken)
            let count = try await results(service)
            #expect(count == 2)
            try await change(service)
            await other.recalculate(stale)
            #expect(try await results(service) == count)
            #expect(try await service.optimizer.jobs.beat(stale) == false)
            // The second change is still wanted: nothing that the stale worker did took it away.
            try await runDueJobs(service)
            #expect(try await results(service) == 3)
        }
    }

    @Test("three leases that end by silence park the job with its cause; switching recalculation on starts it afresh")
    func poison() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            try await change(service)
            for _ in 0..<3 {
                _ = try #require(try await claim(service))
                _ = try await service.admin.execute(
                    "UPDATE ballast.recalculation_job SET lease_until = now() - interval '1 second'")
            }
            #expect(try await service.optimizer.jobs.claim().isEmpty)
            let parked = try await service.call(.get, "/api/portfolio/held/recalculation").json
            #expect(parked?["state"] == "parked")
            #expect(parked?["problem"]?.stringValue?.contains("silence") == true)
            _ = try await service.call(.put, "/api/portfolio/held/recalculation", ["enabled": true])
            try await runDueJobs(service)
            #expect(try await results(service) == 2)
            #expect(try await service.call(.get, "/api/portfolio/held/recalculation").json?["state"] == "idle")
        }
    }

    @Test("changes made while nothing ran are caught up with from the cursor")
    func downtime() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            for _ in 0..<5 {
                try await change(service)
                _ = try await service.admin.query("SELECT rt.make_tick()")
            }
            try await service.recalculating {
                try await service.waitUntil("the new result") { try await results(service) == 2 }
            }
            #expect(try await stored(service)["weights"] == (try await fresh(service))["weights"])
        }
    }

    @Test("a cursor that the log no longer reaches, or that is lost, recalculates every portfolio")
    func expiredCursor() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            _ = try await service.optimizer.fanOut.advance()
            for sql: SQL in [
                "UPDATE rt.subscriber SET tick = -5 WHERE name = 'optimizer'",
                "DELETE FROM rt.subscriber WHERE name = 'optimizer'",
            ] {
                _ = try await service.admin.execute(sql)
                let step = try await service.optimizer.fanOut.advance()
                #expect(step.expired)
                #expect(step.marked == 1)
            }
            // Nothing changed, so nothing is stored: the runs find the data they had.
            try await runDueJobs(service)
            #expect(try await results(service) == 1)
        }
    }

    @Test("a change between a request's snapshot and its commit is not lost")
    func changeDuringRequest() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(Self.names)
            let request = try OptimizeRequest(json: Self.request)
            let principal = Principal(tenant: Tenants.standard, subject: "test", scopes: [.optimize])
            let loaded = try await service.optimizer.load(request, for: principal)
            let solved = try await service.optimizer.solve(request, loaded, lane: .request, deadline: .none)
            // Committed and fanned out before the portfolio can be seen.
            try await change(service)
            #expect(try await service.optimizer.fanOut.advance().marked == 0)
            _ = try await service.optimizer.record(request, loaded, solved, for: principal, requestID: "test-request")
            let job = try await job(service)
            #expect(job.wanted > job.done)
            try await runDueJobs(service)
            #expect(try await stored(service)["weights"] == (try await fresh(service))["weights"])
        }
    }

    @Test("data that no longer allow an answer keep the last result, and the job says why")
    func infeasibleLater() async throws {
        try await ServiceUnderTest.with { service in
            try await prepare(service)
            _ = try await service.admin.execute(
                "DELETE FROM public.market_data WHERE asset_symbol = 'JPM' AND timestamp > '2018-01-05'")
            try await runDueJobs(service)
            #expect(try await results(service) == 1)
            let state = try await service.call(.get, "/api/portfolio/held/recalculation").json
            #expect(state?["state"] == "idle")
            #expect(state?["problem"]?.stringValue?.hasPrefix("DAT-002") == true)
            await service.optimizer.notices.flush()
            let told = try await service.admin.query("SELECT code || ' ' || source FROM ballast.problem_notice")
                .map { try $0.decode(String.self, at: 0) }
            #expect(told.contains("DAT-002 held"))
        }
    }

    // MARK: Steps by hand

    private func change(_ service: ServiceUnderTest) async throws {
        _ = try await service.admin.execute(
            """
            UPDATE public.market_data SET price = round(price * 1.01, 4) WHERE asset_symbol = 'AAPL' AND "timestamp" = '2018-03-05'
            """)
    }

    /// Fans out and claims as if the quiet time were over.
    private func claim(_ service: ServiceUnderTest) async throws -> ClaimedJob? {
        _ = try await service.optimizer.fanOut.advance()
        _ = try await service.admin.execute(
            "UPDATE ballast.recalculation_job SET run_after = now() - interval '1 second'")
        return try await service.optimizer.jobs.claim().first
    }

    private func runDueJobs(_ service: ServiceUnderTest) async throws {
        let worker = Worker(optimizer: service.optimizer)
        while let job = try await claim(service) { await worker.recalculate(job) }
    }
}
