import ConvexSolver
import Foundation
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Progress of long jobs", .timeLimit(.minutes(3)))
struct JobProgressTests {
    /// Runs `body` with the hub and the job runner working.
    private func working(_ service: ServiceUnderTest, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.optimizer.jobHub.run() }
            group.addTask { try await JobRunner(optimizer: service.optimizer).run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    private func accepted(_ service: ServiceUnderTest, _ path: String, _ request: JSONValue) async throws -> String {
        let answer = try await service.call(.post, path, request, headers: [.prefer: "respond-async"])
        try #require(answer.status == 202, "\(answer.text)")
        for name in ["iteration", "gap", "parts_done", "parts"] { #expect(answer.json?[name] == .null, "\(name)") }
        return try #require(answer.json?["job_id"]?.stringValue)
    }

    /// Reads a job until it tells what is asked for, or is over.
    private func job(
        _ service: ServiceUnderTest, _ id: String, until isTold: (JSONValue) -> Bool
    ) async throws -> JSONValue {
        while true {
            let job = try #require(try await service.call(.get, "/api/jobs/\(id)").json)
            if isTold(job) { return job }
            try #require(["queued", "running"].contains(job["state"]?.stringValue), "\(job.serialized())")
            // Nothing tells a client of plain HTTP that there is news.
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private static func returns(assets: Int, days: Int) -> (names: JSONValue, returns: JSONValue) {
        var numbers = SplitMix64(seed: 3)
        let names = (0..<assets).map { "A\($0)" }
        let values = JSONObject(names.map { ($0, JSONValue(numbers.vector(days).map { 0.01 * $0 + 0.0003 })) })
        let dates = (0..<days).map { CalendarDate(daysSinceEpoch: 18_000 + $0)?.description ?? "" }
        return (JSONValue(names), ["dates": JSONValue(dates), "values": .object(values)])
    }

    @Test("a long backtest tells its fits, iterations and gap while it runs; its events too")
    func backtest() async throws {
        try await ServiceUnderTest.with { service in
            let (names, returns) = Self.returns(assets: 100, days: 299)
            let id = try await accepted(
                service, "/api/portfolio/backtest",
                [
                    "assets": names, "returns": returns, "risk_measure": "RLDaR", "objective": "MinRisk",
                    "backtest": ["train": 120, "rebalance": 1, "series": false],
                ])
            try await working(service) {
                let first = try await job(service, id) { ($0["iteration"]?.intValue ?? 0) > 0 }
                #expect(first["phase"] == "solving" && first["parts"]?.intValue == 179)
                let later = try await job(service, id) { job in
                    (job["parts_done"]?.intValue ?? 0) > (first["parts_done"]?.intValue ?? 0)
                        && job["gap"]?.doubleValue != nil
                }
                #expect((later["iteration"]?.intValue ?? 0) > (first["iteration"]?.intValue ?? 0))
                #expect((later["gap"]?.doubleValue ?? -1) >= 0)
                #expect((later["eta_s"]?.doubleValue ?? -1) > 0)
                let done = later["parts_done"]?.doubleValue ?? 0
                #expect(abs((later["progress"]?.doubleValue ?? 0) - (0.02 + 0.95 * done / 179)) < 1e-12)
                let cancelled = try await service.call(.delete, "/api/jobs/\(id)")
                #expect(cancelled.status == 200)
                let told = try await service.call(.get, "/api/jobs/\(id)/events").text
                let iterations = told.components(separatedBy: "\"iteration\"").dropFirst().compactMap { text in
                    Int(text.drop { !$0.isNumber && $0 != "n" }.prefix { $0.isNumber })
                }
                #expect(iterations.contains { $0 > 0 } && iterations == iterations.sorted(), "\(iterations)")
            }
        }
    }

    @Test("a search for the assets to hold tells its gap")
    func search() async throws {
        try await ServiceUnderTest.with { service in
            let (names, returns) = Self.returns(assets: 60, days: 90)
            let id = try await accepted(
                service, "/api/portfolio/optimize",
                [
                    "assets": names, "returns": returns,
                    "risk_measure": "CVaR", "objective": "MinRisk",
                    "constraints": ["cardinality": ["max": 12], "min_position": 0.03],
                ])
            try await working(service) {
                let job = try await job(service, id) { ($0["gap"]?.doubleValue ?? 0) > 1e-3 }
                #expect(job["state"] == "running" && (job["iteration"]?.intValue ?? 0) > 10)
                #expect((job["gap"]?.doubleValue ?? 9) < 1 && job["parts"] == .null)
                _ = try await service.call(.delete, "/api/jobs/\(id)")
            }
        }
    }

    @Test("whoever waits for another's solve reads that solve's progress")
    func shared() async throws {
        let flights = SingleFlight<String, Int>()
        let (go, open) = AsyncStream.makeStream(of: Void.self)
        let progress = (0..<2).map { _ in WorkProgress() }
        let callers = progress.map { own in
            own.enter("solving")
            return Task {
                try await flights.value(for: "a", onBoard: { own.follow($0) }) { _, monitor in
                    monitor.iterated(7, gap: 0.125)
                    for await _ in go { break }
                    return 1
                }.value
            }
        }
        try await eventually { flights.waiting(for: "a") == 2 }
        try await eventually { progress.allSatisfy { $0.report(elapsed: 1, estimate: 2).iteration == 7 } }
        for own in progress { #expect(own.report(elapsed: 1, estimate: 2).gap == 0.125) }
        open.yield()
        for caller in callers { #expect(try await caller.value == 1) }
    }

    @Test("progress goes by parts where there are any, else by time; it never claims to be done")
    func reports() throws {
        let progress = WorkProgress()
        #expect(progress.report(elapsed: 0, estimate: 10) == .init(phase: "loading", progress: 0.02, etaSeconds: 10))
        progress.enter("solving")
        let early = progress.report(elapsed: 2, estimate: 10)
        #expect(abs(early.progress - 0.23) < 1e-12 && early.etaSeconds == 8 && early.iteration == nil)
        let late = progress.report(elapsed: 1000, estimate: 10)
        #expect(late.progress <= 0.95 && late.etaSeconds == 0)
        let monitor = SolverMonitor()
        progress.follow(monitor)
        monitor.iterated(40, gap: 0.5)
        let parts = try #require(monitor.divide(into: 20))
        #expect(progress.report(elapsed: 3, estimate: 10).etaSeconds == 10)
        parts.finished(5)
        #expect(
            progress.report(elapsed: 3, estimate: 10)
                == .init(
                    phase: "solving", progress: 0.02 + 0.95 * 0.25, etaSeconds: 9, iteration: 40, gap: 0.5,
                    partsDone: 5, parts: 20))
        progress.enter("storing")
        #expect(progress.report(elapsed: 3, estimate: 10).progress == 0.97)
    }

    @Test("a worker of the release before goes on telling without the new figures")
    func formerCall() async throws {
        try await ServiceUnderTest.with { service in
            let id = try await accepted(service, "/api/portfolio/optimize", ["assets": ["AAA", "BBB"]])
            let store = service.optimizer.jobStore
            let work = try #require(try await store.claim())
            let told = WorkProgress.Report(
                phase: "solving", progress: 0.1, iteration: 3_000_000_000, gap: 1e-7, partsDone: 1, parts: 9)
            #expect(try await store.beat(work, told))
            let job = try await service.call(.get, "/api/jobs/\(id)").json
            #expect(job?["iteration"]?.intValue == 3_000_000_000 && job?["gap"]?.doubleValue == 1e-7)
            let (owner, fence) = (store.owner, work.fence)
            let isOurs = try await service.optimizer.pool.transaction(.app(work.tenant)) { connection in
                try await connection.query(
                    "SELECT ballast.job_beat(\(id), \(owner), \(fence), \(0.2), \("solving"), \(nil as Double?))"
                ).first?.decode(Bool.self, at: 0)
            }
            #expect(isOurs == true)
            #expect(try await service.call(.get, "/api/jobs/\(id)").json?["progress"]?.doubleValue == 0.2)
        }
    }
}
