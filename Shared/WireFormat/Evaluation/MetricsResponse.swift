/// The answer of `POST /api/portfolio/metrics`.
public struct MetricsResponse: Sendable, Equatable {
    /// A figure for each of several things, e.g. the contributions of the assets to one measure; nil is undefined.
    public struct Split: Sendable, Equatable {
        /// The measure's code.
        public var code: String
        /// In the order of the names that belong to them.
        public var values: [Double?]

        public init(code: String, values: [Double?]) {
            self.code = code
            self.values = values
        }
    }

    /// A fall of the compounded value from a peak.
    public struct Drawdown: Sendable, Equatable {
        /// A positive share of the peak.
        public var depth: Double
        /// The period that ended at the peak; nil is the start of the window.
        public var peak: CalendarDate?
        public var trough: CalendarDate
        /// Nil: not recovered by the end of the window.
        public var recovery: CalendarDate?
        public var periodsToTrough: Int
        public var periodsToRecovery: Int?
        /// From the peak to the recovery or to the end of the window.
        public var periods: Int

        public init(
            depth: Double, peak: CalendarDate?, trough: CalendarDate, recovery: CalendarDate?, periodsToTrough: Int,
            periodsToRecovery: Int?, periods: Int
        ) {
            self.depth = depth
            self.peak = peak
            self.trough = trough
            self.recovery = recovery
            self.periodsToTrough = periodsToTrough
            self.periodsToRecovery = periodsToRecovery
            self.periods = periods
        }
    }

    /// Where the return beyond the benchmark's came from, over the whole window.
    public struct Attribution: Sendable, Equatable {
        /// A class of assets.
        public struct Row: Sendable, Equatable {
            public var name: String
            public var weight: Double
            public var benchmarkWeight: Double
            public var allocation: Double
            public var selection: Double
            public var interaction: Double
            public var total: Double { allocation + selection + interaction }

            public init(
                name: String, weight: Double, benchmarkWeight: Double, allocation: Double, selection: Double,
                interaction: Double
            ) {
                self.name = name
                self.weight = weight
                self.benchmarkWeight = benchmarkWeight
                self.allocation = allocation
                self.selection = selection
                self.interaction = interaction
            }
        }

        /// Over the whole window, weights of its start held.
        public var portfolioReturn: Double
        public var benchmarkReturn: Double
        public var rows: [Row]

        public init(portfolioReturn: Double, benchmarkReturn: Double, rows: [Row]) {
            self.portfolioReturn = portfolioReturn
            self.benchmarkReturn = benchmarkReturn
            self.rows = rows
        }
    }

    public typealias Figure = OptimizeResponse.Figure

    public var assets: [String]
    /// In the order of `assets`.
    public var weights: [Double]
    /// Annual.
    public var metrics: [Figure]
    /// Per period, by code.
    public var risk: [Figure]
    /// (mean - rate) / risk per period, by code.
    public var ratios: [Figure]
    /// By asset.
    public var contributions: [Split]
    /// The factors' names.
    public var factors: [String]
    /// By factor, then what no factor explains.
    public var factorContributions: [Split]
    /// N x K loadings by which they were split, by asset.
    public var loadings: [Split]
    public var sharpe: [Figure]
    public var attribution: Attribution?
    public var drawdowns: [Drawdown]
    public var data: OptimizeResponse.DataUsed
    public var meta: OptimizeResponse.Meta
    public var warnings: [PortfolioWarning]

    public init(
        assets: [String], weights: [Double], metrics: [Figure], risk: [Figure], ratios: [Figure],
        contributions: [Split], factors: [String], factorContributions: [Split], loadings: [Split], sharpe: [Figure],
        attribution: Attribution?, drawdowns: [Drawdown], data: OptimizeResponse.DataUsed, meta: OptimizeResponse.Meta,
        warnings: [PortfolioWarning]
    ) {
        self.assets = assets
        self.weights = weights
        self.metrics = metrics
        self.risk = risk
        self.ratios = ratios
        self.contributions = contributions
        self.factors = factors
        self.factorContributions = factorContributions
        self.loadings = loadings
        self.sharpe = sharpe
        self.attribution = attribution
        self.drawdowns = drawdowns
        self.data = data
        self.meta = meta
        self.warnings = warnings
    }
}

extension MetricsResponse {
    /// The body of the answer.
    public var json: JSONValue {
        var object = JSONObject([
            ("weights", Self.named(assets, weights)),
            ("metrics", Self.figures(metrics)), ("risk", Self.figures(risk)), ("ratios", Self.figures(ratios)),
            ("sharpe", Self.figures(sharpe)),
            ("risk_contributions", Self.splits(contributions, assets)),
        ])
        if !factors.isEmpty {
            object["factor_contributions"] = Self.splits(factorContributions, factors + ["residual"])
            object["loadings"] = Self.splits(loadings, factors)
        }
        if let attribution { object["brinson"] = attribution.json }
        object["drawdowns"] = .array(drawdowns.map { $0.json })
        object["data"] = data.json
        object["warnings"] = .array(warnings.map { $0.json })
        object["meta"] = meta.json
        return .object(object)
    }

    static func figures(_ figures: [Figure]) -> JSONValue {
        .object(JSONObject(figures.map { ($0.name, JSONValue($0.value)) }))
    }

    static func named(_ names: [String], _ values: [Double?]) -> JSONValue {
        .object(JSONObject(zip(names, values).map { ($0, JSONValue($1)) }))
    }

    private static func splits(_ splits: [Split], _ names: [String]) -> JSONValue {
        .object(JSONObject(splits.map { ($0.code, named(names, $0.values)) }))
    }
}

extension MetricsResponse.Drawdown {
    var json: JSONValue {
        [
            "depth": JSONValue(depth), "peak": JSONValue(peak?.description), "trough": .string(trough.description),
            "recovery": JSONValue(recovery?.description), "periods": JSONValue(periods),
            "periods_to_trough": JSONValue(periodsToTrough), "periods_to_recovery": JSONValue(periodsToRecovery),
        ]
    }
}

extension MetricsResponse.Attribution {
    var json: JSONValue {
        var byClass = JSONObject()
        for row in rows { byClass[row.name] = row.json }
        func total(_ part: (Row) -> Double) -> JSONValue { JSONValue(rows.reduce(0) { $0 + part($1) }) }
        return [
            "portfolio_return": JSONValue(portfolioReturn), "benchmark_return": JSONValue(benchmarkReturn),
            "classes": .object(byClass),
            "total": [
                "allocation": total { $0.allocation }, "selection": total { $0.selection },
                "interaction": total { $0.interaction }, "total": total { $0.total },
            ],
        ]
    }
}

extension MetricsResponse.Attribution.Row {
    var json: JSONValue {
        [
            "weight": JSONValue(weight), "benchmark_weight": JSONValue(benchmarkWeight),
            "allocation": JSONValue(allocation), "selection": JSONValue(selection),
            "interaction": JSONValue(interaction), "total": JSONValue(total),
        ]
    }
}
