/// The body of `POST /api/portfolio/backtest`, decoded and checked: the request of `optimize` as the strategy, and `backtest`, how it is put
/// to the test.
public struct BacktestRequest: Sendable, Equatable {
    /// How the history is divided.
    public enum Method: String, Sendable, CaseIterable {
        /// Fit on the past, hold over what follows, move on.
        case walkForward = "walk_forward"
        /// Fit on every combination of folds, hold over the others, and put the paths together.
        case combinatorial = "combinatorial_purged"
    }

    /// What of the past a fit sees.
    public enum Window: String, Sendable, CaseIterable {
        /// The last `train` periods.
        case rolling
        /// Everything since the start, at least `train` periods.
        case expanding
    }

    /// Calendar spans at whose first period the portfolio is made anew.
    public enum Span: String, Sendable, CaseIterable {
        case weekly, monthly, quarterly, yearly
    }

    /// When the portfolio is made anew.
    public enum Rebalance: Sendable, Equatable {
        case periods(Int)
        case calendar(Span)
    }

    /// What becomes of a rebalance whose problem has no answer.
    public enum Failure: String, Sendable, CaseIterable {
        /// What was held is held on, and the answer says so.
        case hold
        /// The backtest ends with that problem.
        case fail
    }

    /// Strategies that were tried before this one was chosen.
    public struct Trials: Sendable, Equatable {
        public var count: Int
        /// Variance of their Sharpe ratios per period; nil is that of strategies without skill.
        public var variance: Double?

        public init(count: Int, variance: Double? = nil) {
            self.count = count
            self.variance = variance
        }
    }

    /// Data, model, objective and constraints.
    public var strategy: OptimizeRequest
    public var method = Method.walkForward
    /// Periods that a fit of the walk-forward sees.
    public var train = 252
    public var window = Window.rolling
    public var rebalance = Rebalance.calendar(.monthly)
    /// Periods left out between what is fitted on and what is held over.
    public var purge = 0
    /// Further periods left out after what is held over (combinatorial).
    public var embargo = 0
    public var folds = 10
    public var testFolds = 2
    /// Cost a unit of absolute change of weight, taken from the value at each rebalance.
    public var cost: ConstraintRequest.Bound?
    /// Whether weights move with prices between rebalances; false holds them constant.
    public var drifts = true
    /// What is held before the first rebalance; empty is cash.
    public var initial: [ConstraintRequest.AssetValue] = []
    public var failure = Failure.hold
    public var trials = Trials(count: 1)
    /// Weights to compare with, held constant, in the order of the assets; nil is no comparison.
    public var benchmark: [Double]?
    /// Whether the answer has the series and the weights of every fit.
    public var withSeries = true

    /// A strategy under the defaults.
    public init(strategy: OptimizeRequest) { self.strategy = strategy }

    /// Most folds.
    public static let mostFolds = 100
    /// Most fits of one call.
    public static let mostFits = 5000
    /// Most numbers of an answer.
    public static let mostNumbers = 500_000
}

extension BacktestRequest {
    /// Decodes the body of a request.
    /// - Throws: a 422 of class `request` that names every fault by pointer.
    public init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        if let problem = Problem(violations: reader.faults.violations) { throw problem }
        let inner = reader.object("backtest")
        strategy = OptimizeRequest(reading: reader)
        if let inner {
            read(inner)
            inner.finish()
        }
        refuseOthers(reader)
        try reader.finishAndThrow()
    }

    private mutating func read(_ reader: MemberReader) {
        method = reader.choice("method", of: Method.self) ?? .walkForward
        train = reader.int("train", in: 10...100_000) ?? 252
        window = reader.choice("window", of: Window.self) ?? .rolling
        readRebalance(reader)
        purge = reader.int("purge", in: 0...10_000) ?? 0
        embargo = reader.int("embargo", in: 0...10_000) ?? 0
        folds = reader.int("folds", in: 3...Self.mostFolds) ?? 10
        testFolds = reader.int("test_folds", in: 1...(Self.mostFolds - 1)) ?? 2
        if testFolds >= folds {
            reader.fault("test_folds", .contradiction, "\(testFolds) of \(folds) folds leave none to fit on.")
        }
        let name = "cost"
        cost = ConstraintRequest.bound(name, reader, strategy.assets, in: .unit)
        drifts = reader.bool("drift") ?? true
        initial = reader.weights("initial", among: strategy.assets) ?? []
        failure = reader.choice("on_failure", of: Failure.self) ?? .hold
        withSeries = reader.bool("series") ?? true
        if let given = reader.weights("benchmark", among: strategy.assets) {
            let byName = Dictionary(given.map { ($0.asset, $0.value) }, uniquingKeysWith: { $1 })
            benchmark = strategy.assets.map { byName[$0] ?? 0 }
        }
        if let inner = reader.object("trials") {
            let count = inner.int("count", required: true, in: 1...1_000_000_000) ?? 1
            trials = Trials(count: count, variance: inner.double("variance", in: Interval(lower: 0, upper: 1e6)))
            inner.finish()
        }
        let (own, others) =
            method == .walkForward
            ? ("walk_forward", ["embargo", "folds", "test_folds"])
            : ("combinatorial_purged", ["train", "window", "rebalance"])
        for member in others where reader.has(member) {
            reader.fault(member, .contradiction, "\(own) does not read \(member).")
        }
    }

    private mutating func readRebalance(_ reader: MemberReader) {
        guard let value = reader.value("rebalance") else { return }
        if value.numberValue != nil {
            rebalance = .periods(reader.int("rebalance", in: 1...100_000) ?? 21)
        } else if let span = reader.choice("rebalance", of: Span.self) {
            rebalance = .calendar(span)
        }
    }

    /// Members of `optimize` that have no meaning over many fits.
    private func refuseOthers(_ reader: MemberReader) {
        for name in ["efficient_frontier", "portfolio_id", "recalculation", "store", "name"] where reader.has(name) {
            if name == "efficient_frontier", strategy.frontier == nil { continue }
            reader.fault(name, .contradiction, "A backtest stores nothing and traces no frontier: it has no \(name).")
        }
        if case .given? = strategy.scenarioWeights {
            reader.fault(
                "scenario_weights", .contradiction,
                "Each fit sees other periods: give scenario_weights as a half_life.")
        }
    }
}
