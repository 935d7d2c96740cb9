public import ConvexSolver
import LinearAlgebra
public import WireFormat

/// A backtest, ready to be run: its splits, and the request that each fit solves. Pure.
///
/// Fits that do not depend on what is held run in any order, on any thread; `assemble` then walks the paths. With `constraints.turnover` or
/// `constraints.costs` each fit starts from what is held at its time, so that a walk-forward of these is one after the other
/// (`isSequential`), and a combinatorial backtest, in which nothing is held before a fit, is refused.
public struct Backtest: Sendable {
    /// What a fit came to.
    public enum Outcome: Sendable {
        case solved(weights: [Double], expectedReturn: Double, risk: Double)
        case failed(Problem)
    }

    public let request: BacktestRequest
    public let panel: ReturnPanel
    public let schedule: BacktestSchedule
    /// Periods a year of every fit and figure.
    public let periodsPerYear: Double
    private let strategy: OptimizeRequest
    private let rates: [Double]
    private let initial: [Double]

    /// - Throws: what `BacktestSchedule` throws, and `REQ-105` for members that have no meaning over several fits.
    public init(_ request: BacktestRequest, panel: ReturnPanel) throws(Problem) {
        guard panel.assets == request.strategy.assets else {
            throw Problem(.internalError, "The panel's assets are not those of the request.")
        }
        self.request = request
        self.panel = panel
        schedule = try BacktestSchedule(request, dates: panel.dates)
        periodsPerYear = PortfolioOptimization.periodsPerYear(request.strategy, panel)
        strategy = try Self.ready(request, panel, periodsPerYear)
        rates = panel.assets.map { request.cost?.value(of: $0) ?? 0 }
        let byName = Dictionary(request.initial.map { ($0.asset, $0.value) }, uniquingKeysWith: { $1 })
        initial = panel.assets.map { byName[$0] ?? 0 }
        let periods = schedule.paths.reduce(0) { sum, path in path.reduce(sum) { $0 + $1.periods.count } }
        let numbers = 2 * periods + schedule.splits.count * panel.assets.count
        if request.withSeries, numbers > BacktestRequest.mostNumbers {
            let detail =
                "The answer would hold \(numbers) numbers, more than \(BacktestRequest.mostNumbers): \"series\": false leaves them out."
            throw Problem(
                .tooLargeProblem, detail,
                errors: [Violation(JSONPointer(["backtest", "series"]), .outOfRange, detail)])
        }
    }

    /// Whether each fit needs what the one before left.
    public var isSequential: Bool { strategy.constraints.turnover != nil || strategy.constraints.costs != nil }

    /// Fits to be made.
    public var fits: Int { schedule.splits.count }

    /// Periods that the longest fit sees.
    public var mostObservations: Int { schedule.splits.reduce(0) { max($0, $1.observations) } }

    /// The strategy with everything dated that belongs to periods.
    private static func ready(
        _ request: BacktestRequest, _ panel: ReturnPanel, _ periodsPerYear: Double
    ) throws(Problem) -> OptimizeRequest {
        var strategy = request.strategy
        strategy.periodsPerYear = periodsPerYear
        strategy.frontier = nil
        // A fit's panel is a part of this one already.
        strategy.panel = nil
        strategy.startDate = nil
        strategy.endDate = nil
        if let series = strategy.constraints.benchmarkReturns {
            guard let values = series.aligned(to: panel.dates) else {
                throw Problem(
                    JSONPointer(["constraints", "benchmark_returns"]), .other("length_mismatch"),
                    "The benchmark has no return for some of the panel's \(panel.observations) periods.")
            }
            strategy.constraints.benchmarkReturns = .init(dates: panel.dates, values: values)
        }
        guard request.method == .combinatorial else { return strategy }
        for (member, isGiven) in [
            ("turnover", strategy.constraints.turnover != nil), ("costs", strategy.constraints.costs != nil),
        ] where isGiven {
            throw Problem(
                JSONPointer(["constraints", member]), .contradiction,
                "\(member) counts from what is held, and nothing is held before a fit of combinatorial_purged.")
        }
        return strategy
    }

    // MARK: Fits

    /// Solves and verifies one fit.
    /// - Parameter held: what is held at its time, where `isSequential`; the first fit then starts from the request's own `from`.
    /// - Throws: `SYS-201` past the deadline, `SYS-102` where it is cancelled; whatever else goes wrong is an outcome.
    public func fit(_ index: Int, held: [Double]? = nil, deadline: SolverDeadline = .none) throws(Problem) -> Outcome {
        if let stop = deadline.interruption { throw PortfolioEvaluation.stopped(stop) }
        var request = strategy
        if let held {
            let from = zip(panel.assets, held).map { ConstraintRequest.AssetValue($0, $1) }
            request.constraints.turnover?.from = from
            request.constraints.costs?.from = from
        }
        do throws(Problem) {
            let train = try panel.periods(schedule.splits[index].train)
            let result = try PortfolioOptimization.run(
                request, panel: train, deadline: deadline, scope: .moments, near: held)
            try Verification.check(request, panel: train, result: result)
            return .solved(
                weights: result.weights, expectedReturn: result.solution.expectedReturn, risk: result.solution.risk)
        } catch {
            if let stop = deadline.interruption { throw PortfolioEvaluation.stopped(stop) }
            guard self.request.failure == .hold else { throw dated(error, index) }
            return .failed(error)
        }
    }

    /// A fit's problem with its place in the history.
    private func dated(_ problem: Problem, _ index: Int) -> Problem {
        var dated = problem
        dated.detail = "At the fit for \(panel.dates[schedule.splits[index].tests[0].lowerBound]): \(problem.detail)"
        return dated
    }

    /// How far a backtest has come whose fits are made one after the other.
    public struct Progress: Sendable {
        public fileprivate(set) var outcomes: [Outcome] = []
        fileprivate var walk: PathSimulation
    }

    /// Nothing is done yet.
    public var start: Progress { Progress(walk: simulation()) }

    /// The next fit, and the window that its weights are held over.
    /// - Throws: as `fit`.
    public func advance(_ progress: inout Progress, deadline: SolverDeadline = .none) throws(Problem) {
        let index = progress.outcomes.count
        guard index < fits else { return }
        let outcome = try fit(
            index, held: isSequential && index > 0 ? progress.walk.held : nil, deadline: deadline)
        if isSequential { _ = progress.walk.hold(outcome.weights, over: schedule.splits[index].tests[0]) }
        progress.outcomes.append(outcome)
    }

    /// All fits one after the other, and what they come to.
    public func run(deadline: SolverDeadline = .none) throws(Problem) -> BacktestFigures {
        var progress = start
        while progress.outcomes.count < fits { try advance(&progress, deadline: deadline) }
        return try assemble(progress.outcomes, deadline: deadline)
    }

    func simulation() -> PathSimulation {
        PathSimulation(panel: panel, rates: rates, drifts: request.drifts, initial: initial)
    }
}

extension Backtest.Outcome {
    /// Nil where the fit failed.
    public var weights: [Double]? { if case .solved(let weights, _, _) = self { weights } else { nil } }
}
