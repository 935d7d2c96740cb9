/// The answer of `POST /api/portfolio/backtest`.
public struct BacktestResponse: Sendable, Equatable {
    public typealias Figure = OptimizeResponse.Figure

    /// First and last period of a window.
    public struct Span: Sendable, Equatable {
        public var start: CalendarDate
        public var end: CalendarDate

        public init(start: CalendarDate, end: CalendarDate) {
            self.start = start
            self.end = end
        }
    }

    /// One solve: what it saw, what came of it.
    public struct Fit: Sendable, Equatable {
        public var train: Span
        /// Periods that the fit saw.
        public var observations: Int
        /// What the weights were held over: one window, or one a fold.
        public var tests: [Span]
        /// Nil where the problem had no answer.
        public var weights: [Double]?
        /// What the model expected, per period.
        public var expectedReturn: Double?
        public var risk: Double?

        public init(
            train: Span, observations: Int, tests: [Span], weights: [Double]?, expectedReturn: Double?, risk: Double?
        ) {
            self.train = train
            self.observations = observations
            self.tests = tests
            self.weights = weights
            self.expectedReturn = expectedReturn
            self.risk = risk
        }
    }

    /// A change of the portfolio at the start of a window.
    public struct Trade: Sendable, Equatable {
        /// The first period over which the new weights are held.
        public var date: CalendarDate
        /// The fit that they come from.
        public var fit: Int
        /// Sum of the absolute changes of weight.
        public var turnover: Double
        /// Share of the value.
        public var cost: Double

        public init(date: CalendarDate, fit: Int, turnover: Double, cost: Double) {
            self.date = date
            self.fit = fit
            self.turnover = turnover
            self.cost = cost
        }
    }

    /// What a strategy made of one way through the history.
    public struct Path: Sendable, Equatable {
        /// Per period, after costs.
        public var returns: [Double]
        /// Compounded, from 1.
        public var value: [Double]
        public var trades: [Trade]
        /// Annual.
        public var metrics: [Figure]
        /// Per period, by code; only for the walk-forward.
        public var risk: [Figure]
        public var sharpe: [Figure]
        public var drawdowns: [MetricsResponse.Drawdown]

        public init(
            returns: [Double], value: [Double], trades: [Trade], metrics: [Figure], risk: [Figure], sharpe: [Figure],
            drawdowns: [MetricsResponse.Drawdown]
        ) {
            self.returns = returns
            self.value = value
            self.trades = trades
            self.metrics = metrics
            self.risk = risk
            self.sharpe = sharpe
            self.drawdowns = drawdowns
        }
    }

    /// A figure over all paths.
    public struct Distribution: Sendable, Equatable {
        public var name: String
        public var figures: [Figure]

        public init(name: String, figures: [Figure]) {
            self.name = name
            self.figures = figures
        }
    }

    /// A fit that came to nothing.
    public struct Failure: Sendable, Equatable {
        public var fit: Int
        public var date: CalendarDate
        public var code: String
        public var detail: String

        public init(fit: Int, date: CalendarDate, code: String, detail: String) {
            self.fit = fit
            self.date = date
            self.code = code
            self.detail = detail
        }
    }

    public var assets: [String]
    public var method: BacktestRequest.Method
    /// Periods that were held over: those of the walk-forward, all for the combinatorial.
    public var dates: [CalendarDate]
    public var fits: [Fit]
    public var paths: [Path]
    /// Over the paths; empty for the walk-forward, which has one.
    public var distribution: [Distribution]
    public var failures: [Failure]
    public var withSeries: Bool
    public var data: OptimizeResponse.DataUsed
    public var meta: OptimizeResponse.Meta
    public var warnings: [PortfolioWarning]

    public init(
        assets: [String], method: BacktestRequest.Method, dates: [CalendarDate], fits: [Fit], paths: [Path],
        distribution: [Distribution], failures: [Failure], withSeries: Bool, data: OptimizeResponse.DataUsed,
        meta: OptimizeResponse.Meta, warnings: [PortfolioWarning]
    ) {
        self.assets = assets
        self.method = method
        self.dates = dates
        self.fits = fits
        self.paths = paths
        self.distribution = distribution
        self.failures = failures
        self.withSeries = withSeries
        self.data = data
        self.meta = meta
        self.warnings = warnings
    }
}

extension BacktestResponse {
    /// The body of the answer. The walk-forward's only path stands at the top; the paths of the combinatorial in `paths`.
    public var json: JSONValue {
        var object = JSONObject([("method", .string(method.rawValue))])
        if withSeries { object["dates"] = JSONValue(dates.map { $0.description }) }
        if method == .walkForward, let path = paths.first {
            for member in path.json(withSeries, withTrades: true).objectValue?.members ?? [] {
                object[member.key] = member.value
            }
        } else {
            object["paths"] = .array(paths.map { $0.json(withSeries, withTrades: false) })
            object["distribution"] = .object(
                JSONObject(distribution.map { ($0.name, MetricsResponse.figures($0.figures)) }))
        }
        object["fits"] = .array(fits.map { $0.json(assets, withSeries) })
        object["failures"] = .array(
            failures.map {
                [
                    "fit": JSONValue($0.fit), "date": .string($0.date.description), "code": .string($0.code),
                    "detail": .string($0.detail),
                ]
            })
        object["data"] = data.json
        object["warnings"] = .array(warnings.map { $0.json })
        object["meta"] = meta.json
        return .object(object)
    }
}

extension BacktestResponse.Path {
    fileprivate func json(_ withSeries: Bool, withTrades: Bool) -> JSONValue {
        var object = JSONObject([
            ("metrics", MetricsResponse.figures(metrics)), ("sharpe", MetricsResponse.figures(sharpe)),
        ])
        if !risk.isEmpty { object["risk"] = MetricsResponse.figures(risk) }
        if withTrades {
            object["drawdowns"] = .array(drawdowns.map { $0.json })
            object["rebalances"] = .array(
                trades.map {
                    [
                        "date": .string($0.date.description), "fit": JSONValue($0.fit),
                        "turnover": JSONValue($0.turnover), "cost": JSONValue($0.cost),
                    ]
                })
        }
        if withSeries {
            object["returns"] = JSONValue(returns)
            object["value"] = JSONValue(value)
        }
        return .object(object)
    }
}

extension BacktestResponse.Span {
    fileprivate var json: JSONValue {
        ["start": .string(start.description), "end": .string(end.description)]
    }
}

extension BacktestResponse.Fit {
    fileprivate func json(_ assets: [String], _ withSeries: Bool) -> JSONValue {
        var object = JSONObject([
            ("train", train.json), ("observations", JSONValue(observations)), ("test", .array(tests.map { $0.json })),
            ("expected_return", JSONValue(expectedReturn)), ("risk", JSONValue(risk)),
        ])
        if withSeries { object["weights"] = weights.map { MetricsResponse.named(assets, $0) } ?? .null }
        return .object(object)
    }
}
