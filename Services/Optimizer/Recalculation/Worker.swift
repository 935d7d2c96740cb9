import ConvexSolver
import Foundation
import Logging
import PortfolioModels
import PostgresClient
import ServiceKit
import ServiceLifecycle
import WireFormat

/// Takes due jobs and recalculates their portfolios, a few at a time.
///
/// Between jobs it sleeps exactly until the next one is due by the database's clock, a wake-up, or a second, whichever comes first.
struct Worker: Service {
    let optimizer: Optimizer

    /// Longest sleep: finds jobs whose worker fell silent.
    static let poll = Duration.seconds(1)
    /// A heartbeat each so often; a lease lasts three of them.
    static let heartbeat = Duration.seconds(5)
    /// Longest solve of a recalculation.
    static let solveLimit = Duration.seconds(60)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                let inFlight = InFlight(limit: optimizer.solver.threads * 2)
                while !Task.isCancelled {
                    do {
                        await inFlight.untilFree()
                        if Task.isCancelled { return }
                        let claimed = try await optimizer.jobs.claim()
                        for job in claimed {
                            inFlight.begin()
                            group.addTask {
                                await recalculate(job)
                                inFlight.end()
                                // What became dirty while it ran is due again.
                                optimizer.workerWake.wake()
                            }
                        }
                        if claimed.isEmpty {
                            let next = try await optimizer.jobs.untilNext()
                            await optimizer.workerWake.wait(atMost: min(next ?? Self.poll, Self.poll))
                        }
                    } catch {
                        if Task.isCancelled { return }
                        optimizer.logger.warning(
                            "Jobs cannot be claimed, trying again", metadata: ["error": "\(error)"])
                        try? await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
        }
    }

    /// One run of one job, whatever comes of it.
    func recalculate(_ job: ClaimedJob) async {
        let start = ContinuousClock.now
        let outcome: String
        do {
            try await failpoint("job.after_claim")
            outcome = try await withHeartbeat(job) { flag in
                try await run(job, flag: flag).rawValue
            }
        } catch {
            outcome = await giveUp(job, error)
        }
        optimizer.event.recalculated(
            outcome: outcome, lateMilliseconds: job.lateMilliseconds,
            seconds: (ContinuousClock.now - start) / .seconds(1))
    }

    /// Reads after the claim, so that the data which woke the job is seen; solves; verifies; finishes in one transaction.
    private func run(_ job: ClaimedJob, flag: CancellationFlag) async throws -> RunOutcome {
        var options = TransactionOptions.app(job.tenant)
        options.isolation = .repeatableRead
        options.readOnly = true
        let work = try await optimizer.pool.transaction(options) { connection in
            try await Work.load(job, prices: optimizer.prices, on: connection)
        }
        try await failpoint("job.after_read")
        guard let work else { return .fenced }  // the portfolio is gone, and its job with it
        switch work.input {
        case .refused(let problem):
            return try await finish(job, work, nil, problem)
        case .panel(let loaded):
            if loaded.fingerprint.bytes == work.currentFingerprint { return try await finish(job, work, nil, nil) }
            let solved: SolvedPortfolio
            do throws(Problem) {
                solved = try await optimizer.solve(
                    work.request, loaded, lane: .recalculation, deadline: .after(Self.solveLimit, flag: flag))
            } catch {
                // Infeasible with the new data and the like: no repetition helps, the next change may.
                if error.retryable || error.`class` != .optimization { throw error }
                return try await finish(job, work, nil, error)
            }
            let key = AnswerKey(tenant: job.tenant, requestHash: work.requestHash, fingerprint: loaded.fingerprint)
            optimizer.answers[key] = solved
            let record = ResultRecord(
                request: work.request, loaded: loaded, solved: solved, portfolioID: job.portfolioID)
            return try await finish(job, work, record, nil)
        }
    }

    private func finish(
        _ job: ClaimedJob, _ work: Work, _ record: ResultRecord?, _ problem: Problem?
    ) async throws -> RunOutcome {
        if let problem { optimizer.ended("recalculation", job.portfolioID, tenant: job.tenant, in: problem) }
        try await failpoint("job.before_finish")
        let outcome = try await optimizer.jobs.finish(
            job, requestHash: work.requestHash, record: record, problem: problem.map { "\($0.code) \($0.detail)" })
        try await failpoint("job.after_commit")
        return outcome
    }

    /// What the data of the portfolio comes to.
    private struct Work: Sendable {
        enum Input: Sendable {
            case panel(LoadedPanel)
            /// The data or the request does not allow an answer: the last result stands, and the job says why.
            case refused(Problem)
        }
        var request: OptimizeRequest
        var requestHash: [UInt8]
        var currentFingerprint: [UInt8]?
        var input: Input

        static func load(
            _ job: ClaimedJob, prices: PriceCache, on connection: PostgresConnection
        ) async throws -> Work? {
            guard let portfolio = try await PortfolioStore.find(job.portfolioID, on: connection) else { return nil }
            let current = try await PortfolioStore.currentFingerprint(of: job.portfolioID, on: connection)
            let request = try OptimizeRequest(json: try StrictJSON.parse(portfolio.request, limits: .stored))
            var work = Work(
                request: request, requestHash: portfolio.requestHash,
                currentFingerprint: current?.requestHash == portfolio.requestHash ? current?.fingerprint : nil,
                input: .refused(Problem(.internalError, "")))
            do {
                work.input = .panel(try await PanelLoader.stored(request, prices: prices, on: connection))
            } catch let problem as Problem where !problem.retryable {
                work.input = .refused(problem)
            }
            return work
        }
    }

    /// Runs `body` while the lease is renewed; a lost lease stops the solve.
    private func withHeartbeat<Answer: Sendable>(
        _ job: ClaimedJob, _ body: @escaping @Sendable (CancellationFlag) async throws -> Answer
    ) async throws -> Answer {
        let flag = CancellationFlag()
        return try await withThrowingTaskGroup(of: Answer?.self) { group in
            group.addTask { try await body(flag) }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.heartbeat)
                    // A database that is away for a moment costs nothing as long as the lease lasts.
                    if let isOurs = try? await optimizer.jobs.beat(job), !isOurs {
                        flag.cancel()
                        return nil
                    }
                }
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next(), let answer else { throw LeaseLost() }
            return answer
        }
    }

    private struct LeaseLost: Error {}

    /// A run that ended by an error. Answers of the mathematics are kept as the job's last word; what may pass is tried again.
    private func giveUp(_ job: ClaimedJob, _ error: any Error) async -> String {
        if error is LeaseLost { return RunOutcome.fenced.rawValue }
        if Task.isCancelled || Problem(mapping: error)?.retryable == true {
            if !Task.isCancelled, let problem = Problem(mapping: error) {
                optimizer.ended("recalculation", job.portfolioID, tenant: job.tenant, in: problem)
            }
            // Stopping, or the database went away under the run: back at once, and not held against the job.
            await insist { try await optimizer.jobs.release(job) }
            return "released"
        }
        let problem = Problem(mapping: error)
        let reason = problem.map { "\($0.code) \($0.detail)" } ?? "\(type(of: error))"
        optimizer.ended(
            "recalculation", job.portfolioID, tenant: job.tenant,
            in: problem ?? Problem(.internalError, "The error has been logged under this portfolio's identifier."))
        optimizer.logger.error(
            "A recalculation failed",
            metadata: ["portfolio": "\(job.portfolioID)", "attempt": "\(job.attempts)", "error": "\(error)"])
        await insist { try await optimizer.jobs.fail(job, reason) }
        return "failed"
    }

    /// Repeats until it works or the lease would be over anyway. Runs in a task of its own: the caller's may be cancelled already.
    private func insist(_ body: @escaping @Sendable () async throws -> Void) async {
        let unstructured = Task {
            let end = ContinuousClock.now + .seconds(15)
            while ContinuousClock.now < end {
                do { return try await body() } catch { try? await Task.sleep(for: .milliseconds(200)) }
            }
        }
        await unstructured.value
    }
}
