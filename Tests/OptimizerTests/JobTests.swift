import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PostgresClient
import ServiceKit
import Synchronization
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Jobs", .timeLimit(.minutes(2)))
struct JobTests {
    private static let request: JSONValue = [
        "assets": ["AAA", "BBB"], "risk_measure": "MV", "objective": "MinRisk", "portfolio_id": "by-job",
    ]
    private static let later: HTTPFields = [.prefer: "respond-async"]

    /// Runs `body` with the hub and the job runner working.
    private func working(_ service: ServiceUnderTest, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.optimizer.jobHub.run() }
            group.addTask { try await JobRunner(optimizer: service.optimizer).run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    private func accepted(_ service: ServiceUnderTest, _ request: JSONValue = JobTests.request) async throws -> String {
        let answer = try await service.call(.post, "/api/portfolio/optimize", request, headers: Self.later)
        try #require(answer.status == 202, "\(answer.text)")
        let id = try #require(answer.json?["job_id"]?.stringValue)
        #expect(answer.headers[.location] == "/api/jobs/\(id)")
        #expect(answer.headers[.preferenceApplied] == "respond-async" && answer.headers[.retryAfter] != nil)
        #expect(answer.json?["state"] == "queued" && answer.json?["result"] == .null)
        return id
    }

    /// Reads the stream of events to its end: id, name and data of each.
    private func events(
        _ service: ServiceUnderTest, _ id: String, after: String? = nil
    ) async throws -> [(id: Int, name: String, data: JSONValue)] {
        var headers: HTTPFields = [:]
        headers[.lastEventID] = after
        let answer = try await service.call(.get, "/api/jobs/\(id)/events", headers: headers)
        #expect(answer.status == 200 && answer.headers[.contentType] == "text/event-stream")
        return try answer.text.components(separatedBy: "\n\n").compactMap { block in
            let fields = block.split(separator: "\n").map { $0.split(separator: ":", maxSplits: 1).map { String($0) } }
            func field(_ name: String) -> String? {
                fields.first { $0.count == 2 && $0[0] == name }.map { String($0[1].drop { $0 == " " }) }
            }
            guard let id = field("id").flatMap({ Int($0) }), let name = field("event"), let data = field("data") else {
                return nil
            }
            return (id, name, try StrictJSON.parse(data, limits: .stored))
        }
    }

    @Test("a job is accepted, worked on, and answers what the call would have answered")
    func life() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            let id = try await accepted(service)
            try await working(service) {
                let told = try await events(service, id)
                let last = try #require(told.last)
                #expect(last.name == "done" && last.data["state"] == "done" && last.data["progress"]?.doubleValue == 1)
                #expect(told.map { $0.id } == Array(1...told.count))
                #expect(told.first?.data["state"] == "queued")
                #expect(told.contains { $0.data["state"] == "running" })
                let job = try await service.call(.get, "/api/jobs/\(id)")
                #expect(job.json == last.data && job.headers[.retryAfter] == nil)
                let direct = try await service.optimize(Self.request)
                #expect(job.json?["result"]?["weights"] == direct["weights"])
                #expect(job.json?["result"]?["portfolio_id"] == "by-job")
                // Whoever comes back gets what came after, and only that.
                let rest = try await events(service, id, after: "\(told.count - 1)")
                #expect(rest.map { $0.id } == [told.count] && rest.first?.name == "done")
                #expect(try await events(service, id, after: "\(told.count)").isEmpty)
                let wrong = try await service.call(.get, "/api/jobs/\(id)/events", headers: [.lastEventID: "x"])
                #expect(wrong.status == 400)
            }
            #expect(service.optimizer.jobHub.subscribers == 0)
        }
    }

    @Test("?async does the same, and a refusal becomes the job's problem")
    func problems() async throws {
        try await ServiceUnderTest.with { service in
            let answer = try await service.call(.post, "/api/portfolio/optimize?async=true", ["assets": ["NOSUCH"]])
            #expect(answer.status == 202)
            let id = try #require(answer.json?["job_id"]?.stringValue)
            try await working(service) {
                let last = try #require(try await events(service, id).last)
                #expect(last.name == "failed" && last.data["problem"]?["code"] == "DAT-001")
                #expect(last.data["problem"]?["class"] == "data_validation" && last.data["result"] == .null)
            }
            for value in ["=maybe", "=", "=1"] {
                #expect(
                    try await service.call(.post, "/api/portfolio/optimize?async\(value)", Self.request).status == 422)
            }
            #expect(try await service.call(.post, "/api/portfolio/optimize?async", Self.request).status == 202)
            // What is no request never becomes a job.
            #expect(try await service.call(.post, "/api/portfolio/optimize?async", ["assets": 1]).status == 422)
        }
    }

    @Test("a tenant with a thousand open jobs is told to come back; another is not")
    func mostOpen() async throws {
        try await ServiceUnderTest.with { service in
            let other = UUID()
            _ = try await service.admin.execute(
                "INSERT INTO ballast.tenant (tenant_id, name) VALUES (\(other), 'other')")
            _ = try await service.admin.execute(
                """
                INSERT INTO ballast.job (tenant_id, job_id, kind, request, subject)
                SELECT \(Tenants.standard), lpad(n::text, 14, '0'), 'optimize', '{}', 'test' FROM generate_series(1, \(JobStore.mostOpen)) n
                """)
            let store = service.optimizer.jobStore
            func add(_ tenant: UUID) async throws -> String {
                try await store.add(
                    [:], isStrict: false, estimateSeconds: 1,
                    for: Principal(tenant: tenant, subject: "test", scopes: [.optimize]), requestID: "test-0001",
                    trace: TraceContext(traceparent: nil))
            }
            let refused = await #expect(throws: Problem.self) { try await add(Tenants.standard) }
            #expect(refused?.code == "LIM-001" && refused?.retryAfter == 30)
            _ = try await add(other)
            _ = try await service.admin.execute(
                "UPDATE ballast.job SET state = 'cancelled', finished_at = now() WHERE job_id = \(String(repeating: "0", count: 13) + "1")"
            )
            _ = try await add(Tenants.standard)
        }
    }

    @Test("a queued job is cancelled at once and never runs; an ended one is 409; nobody else's job is seen")
    func cancel() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            let id = try await accepted(service)
            let foreign = try await service.foreignKey()
            for (method, path) in [(HTTPRequest.Method.get, ""), (.get, "/events"), (.delete, "")] {
                #expect(try await service.call(method, "/api/jobs/\(id)\(path)", key: foreign).status == 404)
            }
            let cancelled = try await service.call(.delete, "/api/jobs/\(id)")
            #expect(cancelled.status == 200 && cancelled.json?["state"] == "cancelled")
            #expect(try await service.call(.delete, "/api/jobs/\(id)").status == 409)
            #expect(try await service.optimizer.jobStore.claim() == nil)
            #expect(try await events(service, id).last?.name == "cancelled")
            #expect(try await service.call(.get, "/api/portfolio/by-job").status == 404)
            #expect(try await service.call(.get, "/api/jobs/nosuchjob").status == 404)
        }
    }

    @Test("cancelling a running job takes it from its worker, whose work is for nothing")
    func cancelRunning() async throws {
        try await ServiceUnderTest.with { service in
            let store = service.optimizer.jobStore
            let id = try await accepted(service)
            let work = try #require(try await store.claim())
            #expect(work.id == id)
            #expect(try await store.beat(work, .init(phase: "solving", progress: 0.5, etaSeconds: 3)))
            let running = try #require(try await store.find(id, tenant: work.tenant))
            #expect(running.state == .running && running.progress == 0.5 && running.etaSeconds == 3)
            #expect(try await service.call(.delete, "/api/jobs/\(id)").status == 200)
            #expect(try await !store.beat(work, .init(phase: "solving", progress: 0.6, etaSeconds: 2)))
            #expect(try await !store.finish(work, result: ["weights": [:]], problem: nil))
            try await store.release(work)
            #expect(try await store.find(id, tenant: work.tenant)?.state == .cancelled)
        }
    }

    @Test("a job whose worker fell silent is taken over; after three it is given up")
    func takeOver() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            let store = service.optimizer.jobStore
            let id = try await accepted(service)
            let first = try #require(try await store.claim())
            #expect(try await store.claim() == nil)
            func silence() async throws {
                _ = try await service.admin.execute(
                    "UPDATE ballast.job SET lease_until = clock_timestamp() - interval '1 s'")
            }
            try await silence()
            let other = JobStore(pool: service.optimizer.pool, owner: "another process")
            let second = try #require(try await other.claim())
            #expect(second.fence > first.fence)
            // The first wakes up: it can write nothing.
            #expect(try await !store.beat(first, .init(phase: "solving", progress: 0.9)))
            #expect(try await !store.finish(first, result: ["weights": [:]], problem: nil))
            // A clean stop gives the job back, and is not held against it.
            try await other.release(second)
            let third = try #require(try await store.claim())
            try await silence()
            #expect(try await other.claim() != nil)
            try await silence()
            #expect(try await store.claim() == nil)
            let job = try #require(try await store.find(id, tenant: third.tenant))
            #expect(job.state == .failed && job.problem?.contains("SYS-302") == true)
        }
    }

    @Test("jobs survive the service: another one on the same database finishes them")
    func restart() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            var ids: [String] = []
            for n in 0..<5 {
                ids.append(
                    try await accepted(
                        service,
                        ["assets": ["AAA", "BBB"], "objective": "MinRisk", "portfolio_id": .string("job-\(n)")]))
            }
            let taken = try #require(try await service.optimizer.jobStore.claim())
            _ = try await service.admin.execute(
                "UPDATE ballast.job SET lease_until = clock_timestamp() WHERE job_id = \(taken.id)")
            let next = Optimizer(
                pool: service.optimizer.pool, solverThreads: 1, registry: PrometheusRegistry(),
                logger: TestPostgres.logger)
            defer { next.solver.stop() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await JobRunner(optimizer: next).run() }
                group.addTask { try await service.optimizer.jobHub.run() }
                defer { group.cancelAll() }
                for id in ids {
                    let last = try await events(service, id).last
                    #expect(last?.name == "done")
                }
            }
            for n in 0..<5 { #expect(try await service.call(.get, "/api/portfolio/job-\(n)").status == 200) }
        }
    }

    @Test("of many workers at once each job has one, and tenants take turns")
    func claims() async throws {
        try await ServiceUnderTest.with { service in
            for n in 0..<6 {
                _ = try await accepted(service, ["assets": ["AAA"], "portfolio_id": .string("mine-\(n)")])
            }
            let foreign = try await service.foreignKey()
            let theirs = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAA"]], key: foreign, headers: Self.later)
            #expect(theirs.status == 202)
            let store = service.optimizer.jobStore
            let first = try #require(try await store.claim())
            let second = try #require(try await store.claim())
            #expect(first.tenant != second.tenant)
            let rest = try await withThrowingTaskGroup(of: ClaimedWork?.self) { group in
                for _ in 0..<12 { group.addTask { try await store.claim() } }
                return try await group.reduce(into: []) { $0.append($1) }.compactMap { $0 }
            }
            #expect(Set(rest.map { $0.id }).count == rest.count)
            #expect(rest.count <= 5)
        }
    }
}
