import ConvexSolver
import Foundation
import Logging
import PostgresClient
import ServiceKit
import ServiceLifecycle
import Synchronization
import WireFormat

/// Works on jobs, one at a time for each thread of the solver's batch lane.
///
/// It looks for work when the hub wakes it, and each second for what a silent worker left behind. A lease lasts 15 seconds and is renewed
/// each second; losing it (a cancellation, another worker) stops the solve. A service that stops gives its job back.
struct JobRunner: Service {
    let optimizer: Optimizer

    static let poll = Duration.seconds(1)
    static let heartbeat = Duration.seconds(1)
    /// How often the log tells of a job that goes on.
    static let lines = Duration.seconds(60)
    /// Longest run of a job.
    static let limit = Duration.seconds(3600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for _ in 0..<optimizer.solver.threads { group.addTask { await workForEver() } }
            }
        }
    }

    private func workForEver() async {
        let wake = WakeSignal()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in optimizer.jobHub.changes() { wake.wake() } }
            while !Task.isCancelled {
                do {
                    if let work = try await optimizer.jobStore.claim() {
                        await perform(work)
                    } else {
                        await wake.wait(atMost: Self.poll)
                    }
                } catch {
                    if Task.isCancelled { break }
                    optimizer.logger.warning("Jobs cannot be claimed, trying again", metadata: ["error": "\(error)"])
                    if let problem = Problem(mapping: error) {
                        optimizer.notices.note(problem, tenant: nil, source: "jobs")
                    }
                    // The database is away: nothing tells when it is back.
                    try? await Task.sleep(for: .milliseconds(500))
                }
            }
            group.cancelAll()
        }
    }

    /// One job, whatever comes of it.
    func perform(_ work: ClaimedWork) async {
        let start = ContinuousClock.now
        let outcome: String
        do {
            try await failpoint("job.after_take")
            let result = try await withHeartbeat(work, since: start) { progress in
                try await answer(work, progress: progress)
            }
            let stored = try await optimizer.jobStore.finish(work, result: result, problem: nil)
            outcome = stored ? "done" : "fenced"
        } catch is LeaseLost {
            outcome = "fenced"
        } catch {
            outcome = await giveUp(work, error)
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        optimizer.event.jobEnded(outcome: outcome, seconds: seconds)
        optimizer.logger.info(
            "Job ended",
            metadata: [
                "job": "\(work.id)", "kind": "\(work.kind.rawValue)", "outcome": "\(outcome)",
                "seconds": .stringConvertible(seconds), "request_id": "\(work.requestID ?? "")",
                "trace_id": "\(work.trace.traceID)", "span_id": "\(work.trace.spanID)",
                "parent_span_id": "\(work.trace.parentID ?? "")",
            ])
    }

    private func answer(_ work: ClaimedWork, progress: WorkProgress) async throws -> JSONValue {
        let body = try StrictJSON.parse(work.request, limits: .stored)
        let principal = Principal(tenant: work.tenant, subject: work.subject, scopes: [.optimize])
        if work.kind == .backtest { return try await backtest(body, work, principal, progress) }
        let request = try OptimizeRequest(json: body)
        try optimizer.memory.check(CostModel.bytes(of: request))
        let call = OptimizeCall(
            request: request, isStrict: work.isStrict, principal: principal, requestID: work.requestID ?? work.id,
            lane: .batch, start: .now, limit: Self.limit)
        return try await optimizer.respond(to: call, progress: progress).response.json
    }

    private func backtest(
        _ body: JSONValue, _ work: ClaimedWork, _ principal: Principal, _ progress: WorkProgress
    ) async throws -> JSONValue {
        let wanted = Carried(try BacktestRequest(json: body))
        let call = AdmittedCall(
            principal: principal, requestID: work.requestID ?? work.id, cost: work.estimateSeconds, start: .now,
            limit: Self.limit)
        let monitor = SolverMonitor()
        progress.follow(monitor)
        let deadline = SolverDeadline(
            instant: call.start + call.limit, flag: CancellationFlag(), monitor: monitor)
        let answer = try await withTaskCancellationHandler {
            try await optimizer.backtest(
                wanted, call, lane: .batch, deadline: deadline, onStart: { _ in },
                progress: progress)
        } onCancel: {
            deadline.flag?.cancel()
        }
        try Optimizer.refuse(answer.value.warnings, work.isStrict)
        return answer.value.json
    }

    private struct LeaseLost: Error {}

    /// Runs `body` while the lease is renewed; a lost lease ends it.
    private func withHeartbeat(
        _ work: ClaimedWork, since start: ContinuousClock.Instant,
        _ body: @escaping @Sendable (WorkProgress) async throws -> JSONValue
    ) async throws -> JSONValue {
        let progress = WorkProgress()
        let cancelled = optimizer.jobHub.changes(of: work.id)
        return try await withThrowingTaskGroup(of: JSONValue?.self) { group in
            group.addTask { try await body(progress) }
            group.addTask {
                for await _ in cancelled { progress.changed.wake() }
                return try await Self.forEver()
            }
            group.addTask {
                var nextLine = start + Self.lines
                while true {
                    await progress.changed.wait(atMost: Self.heartbeat)
                    try Task.checkCancellation()
                    let elapsed = (ContinuousClock.now - start) / .seconds(1)
                    let report = progress.report(elapsed: elapsed, estimate: work.estimateSeconds)
                    // A database that is away for a moment costs nothing as long as the lease lasts.
                    let isOurs = try? await optimizer.jobStore.beat(work, report)
                    if isOurs == false { return nil }
                    if .now >= nextLine {
                        nextLine += Self.lines
                        optimizer.logger.info("Job goes on", metadata: Self.metadata(work, report, seconds: elapsed))
                    }
                    // Our own notification wakes us too: not more often than this.
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let answer = first else { throw LeaseLost() }
            return answer
        }
    }

    private static func metadata(_ work: ClaimedWork, _ report: WorkProgress.Report, seconds: Double) -> Logger.Metadata
    {
        var metadata: Logger.Metadata = [
            "job": "\(work.id)", "kind": "\(work.kind.rawValue)", "seconds": .stringConvertible(seconds),
            "phase": "\(report.phase)", "progress": .stringConvertible(report.progress),
            "trace_id": "\(work.trace.traceID)",
        ]
        if let eta = report.etaSeconds { metadata["eta_s"] = .stringConvertible(eta) }
        if let iteration = report.iteration { metadata["iteration"] = .stringConvertible(iteration) }
        if let gap = report.gap { metadata["gap"] = .stringConvertible(gap) }
        if let done = report.partsDone, let parts = report.parts { metadata["parts"] = "\(done)/\(parts)" }
        return metadata
    }

    /// The group takes its first answer: the task that only listens must not be that.
    private static func forEver() async throws -> JSONValue? {
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    /// A run that ended by an error: given back where stopping or the database is the cause, else the job's answer is the problem.
    private func giveUp(_ work: ClaimedWork, _ error: any Error) async -> String {
        let mapped = Problem(mapping: error)
        let isStopping =
            Task.isCancelled || (mapped?.retryable == true && mapped?.code != ProblemCode.deadline.rawValue)
        if isStopping {
            await insist { try await optimizer.jobStore.release(work) }
            return "released"
        }
        if mapped == nil || mapped?.status == 500 {
            optimizer.logger.error(
                "A job failed",
                metadata: [
                    "job": "\(work.id)", "trace_id": "\(work.trace.traceID)", "error": "\(String(reflecting: error))",
                ])
        }
        let answer = mapped ?? Problem(.internalError, "The error has been logged under this job's identifier.")
        optimizer.ended("job", work.id, tenant: work.tenant, in: answer)
        let problem = answer.json(requestID: work.requestID ?? work.id)
        await insist { _ = try await optimizer.jobStore.finish(work, result: nil, problem: problem) }
        return "failed"
    }

    /// Repeats until it works or the lease would be over anyway. In a task of its own: the caller's may be cancelled already.
    private func insist(_ body: @escaping @Sendable () async throws -> Void) async {
        let logger = optimizer.logger
        await Task {
            let end = ContinuousClock.now + .seconds(15)
            while ContinuousClock.now < end {
                do { return try await body() } catch {
                    logger.warning("A job's end is not written, trying again", metadata: ["error": "\(error)"])
                    // As above; the lease ends the trying.
                    try? await Task.sleep(for: .milliseconds(250))
                }
            }
        }.value
    }
}
