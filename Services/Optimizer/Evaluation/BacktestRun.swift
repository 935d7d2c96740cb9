import ConvexSolver
import PortfolioModels
import Synchronization
import WireFormat

extension Optimizer {
    /// Loads, fits in parallel over the threads of the lane, and walks the paths.
    ///
    /// The fits go to the threads a few at a time, so that other calls of the lane take their turns between them.
    /// - Parameter progress: told when a phase begins; the deadline's monitor tells how much of it is done.
    func backtest(
        _ wanted: Carried<BacktestRequest>, _ call: AdmittedCall, lane: SolverPool.Lane, deadline: SolverDeadline,
        onStart: @escaping @Sendable (Duration) -> Void, progress: WorkProgress? = nil
    ) async throws -> Carried<BacktestResponse> {
        progress?.enter("loading")
        let begin = ContinuousClock.now
        let loaded = Carried(try await load(wanted.value.strategy, for: call.principal))
        var resolved = wanted.value
        resolved.strategy = resolved.strategy.with(factors: loaded.value.factors)
        let backtest = Carried(try Backtest(resolved, panel: loaded.value.panel))
        let fits = BacktestFits(backtest, deadline: deadline)
        progress?.enter("solving")
        do {
            if backtest.value.isSequential {
                try await fitInTurn(fits, lane, onStart)
            } else {
                try await fitInParallel(fits, lane, onStart)
            }
        } catch {
            // The other threads need not go on.
            deadline.flag?.cancel()
            throw error
        }
        let figures = try await solver.solve(lane: lane, deadline: deadline) { () throws(Problem) in
            Carried(try backtest.value.assemble(fits.outcomes, deadline: deadline))
        }
        let milliseconds = (ContinuousClock.now - begin) / .milliseconds(1)
        event.evaluated("backtest", seconds: milliseconds / 1000)
        return Carried(
            figures.value.response(
                backtest.value, revision: loaded.value.tick, fingerprint: loaded.value.fingerprint.hex,
                meta: Self.meta(
                    call, solveMilliseconds: milliseconds, periodsPerYear: backtest.value.periodsPerYear,
                    convention: wanted.value.strategy.convention),
                warnings: loaded.value.warnings))
    }

    private func fitInParallel(
        _ fits: BacktestFits, _ lane: SolverPool.Lane, _ onStart: @escaping @Sendable (Duration) -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<min(solver.threads, fits.count) {
                group.addTask {
                    while fits.hasMore {
                        let seconds = try await solver.solve(lane: lane, deadline: fits.deadline, onStart: onStart) {
                            () throws(Problem) in try fits.work()
                        }
                        learn(fits, seconds)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func fitInTurn(
        _ fits: BacktestFits, _ lane: SolverPool.Lane, _ onStart: @escaping @Sendable (Duration) -> Void
    ) async throws {
        while fits.hasMore {
            let seconds = try await solver.solve(lane: lane, deadline: fits.deadline, onStart: onStart) {
                () throws(Problem) in try fits.workInTurn()
            }
            learn(fits, seconds)
        }
    }

    private func learn(_ fits: BacktestFits, _ seconds: Double?) {
        guard let seconds else { return }
        costs.learn(fits.strategy, observations: fits.observations, seconds: seconds)
    }
}

/// The fits of a backtest, handed out to whoever works on them.
private final class BacktestFits: Sendable {
    private struct State {
        var next = 0
        var outcomes: [Backtest.Outcome?]
        var turn: Backtest.Progress
    }

    private let backtest: Carried<Backtest>
    let deadline: SolverDeadline
    let count: Int
    let observations: Int
    let strategy: OptimizeRequest
    private let state: Mutex<State>
    private let parts: SolverMonitor.Parts?

    /// About how long a thread works before it looks whether others wait.
    private static let turn = Duration.milliseconds(20)

    init(_ backtest: Carried<Backtest>, deadline: SolverDeadline) {
        self.backtest = backtest
        self.deadline = deadline
        count = backtest.value.fits
        observations = backtest.value.mostObservations
        strategy = backtest.value.request.strategy
        state = Mutex(
            State(outcomes: [Backtest.Outcome?](repeating: nil, count: count), turn: backtest.value.start))
        parts = deadline.monitor?.divide(into: count)
    }

    var hasMore: Bool { state.withLock { $0.next < count } }

    var outcomes: [Backtest.Outcome] { state.withLock { $0.outcomes.compactMap { $0 } } }

    /// Makes the next fits, for a turn.
    /// - Returns: seconds that one took; nil where none was left.
    func work() throws(Problem) -> Double? {
        let begin = ContinuousClock.now
        var made = 0
        while let index = take() {
            let outcome = try backtest.value.fit(index, deadline: deadline)
            state.withLock { $0.outcomes[index] = outcome }
            parts?.finished()
            made += 1
            if ContinuousClock.now - begin > Self.turn { break }
        }
        return made > 0 ? (ContinuousClock.now - begin) / .seconds(1) / Double(made) : nil
    }

    /// The same where each fit needs what the one before left.
    func workInTurn() throws(Problem) -> Double? {
        let begin = ContinuousClock.now
        var progress = state.withLock { $0.turn }
        let before = progress.outcomes.count
        while progress.outcomes.count < count {
            try backtest.value.advance(&progress, deadline: deadline)
            if ContinuousClock.now - begin > Self.turn { break }
        }
        let made = progress.outcomes.count
        state.withLock { state in
            state.turn = progress
            for index in before..<made { state.outcomes[index] = progress.outcomes[index] }
            state.next = made
        }
        parts?.finished(made - before)
        return made > before ? (ContinuousClock.now - begin) / .seconds(1) / Double(made - before) : nil
    }

    private func take() -> Int? {
        state.withLock { state in
            guard state.next < count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }
}

extension CostModel {
    /// Seconds of a core for a backtest: as many fits as its schedule probably has, each as costly as an optimisation of what it sees.
    func backtest(_ request: BacktestRequest) -> Double {
        let count = Self.observations(of: request.strategy, today: UTCTimestamp.now.date)
        let fits: Double
        let seen: Int
        switch request.method {
        case .walkForward:
            let step: Int =
                switch request.rebalance {
                case .periods(let periods): periods
                case .calendar(.weekly): 5
                case .calendar(.monthly): 21
                case .calendar(.quarterly): 63
                case .calendar(.yearly): 252
                }
            fits = Double(max(0, count - request.train - request.purge) / step + 1)
            seen = request.window == .rolling ? request.train : (request.train + count) / 2
        case .combinatorial:
            fits = (0..<min(request.testFolds, request.folds - request.testFolds)).reduce(1.0) {
                $0 * Double(request.folds - $1) / Double($1 + 1)
            }
            seen = count * (request.folds - request.testFolds) / request.folds
        }
        return min(fits, Double(BacktestRequest.mostFits)) * estimate(request.strategy, observations: seen)
    }
}
