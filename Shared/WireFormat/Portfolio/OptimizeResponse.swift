/// The answer of `POST /api/portfolio/optimize`: the specification's members first, then those of API.md.
public struct OptimizeResponse: Sendable, Equatable {
    /// A constraint at its limit and its price.
    public struct Binding: Sendable, Equatable {
        /// The constraint in the caller's words, e.g. `group_constraints.Tech.max`.
        public var constraint: String
        /// What one unit more room is worth to `objective_value`, per period; never negative but for the budget.
        public var dual: Double

        public init(constraint: String, dual: Double) {
            self.constraint = constraint
            self.dual = dual
        }
    }

    /// What the solver found, per period.
    public struct Solution: Sendable, Equatable {
        public var status: String
        public var objectiveValue: Double
        public var expectedReturn: Double
        public var risk: Double
        public var primalResidual: Double
        public var dualResidual: Double
        /// Relative.
        public var dualityGap: Double
        public var iterations: Int
        public var method: String
        public var binding: [Binding]

        public init(
            status: String, objectiveValue: Double, expectedReturn: Double, risk: Double, primalResidual: Double,
            dualResidual: Double, dualityGap: Double, iterations: Int, method: String, binding: [Binding]
        ) {
            self.status = status
            self.objectiveValue = objectiveValue
            self.expectedReturn = expectedReturn
            self.risk = risk
            self.primalResidual = primalResidual
            self.dualResidual = dualResidual
            self.dualityGap = dualityGap
            self.iterations = iterations
            self.method = method
            self.binding = binding
        }
    }

    /// A point of the efficient frontier, annual.
    public struct FrontierPoint: Sendable, Equatable {
        public var risk: Double
        public var expectedReturn: Double
        /// In the order of the assets, or nil where not asked for.
        public var weights: [Double]?

        public init(risk: Double, expectedReturn: Double, weights: [Double]?) {
            self.risk = risk
            self.expectedReturn = expectedReturn
            self.weights = weights
        }
    }

    /// A figure with its name; nil is undefined and becomes null.
    public struct Figure: Sendable, Equatable {
        public var name: String
        public var value: Double?

        public init(_ name: String, _ value: Double?) {
            self.name = name
            self.value = value
        }
    }

    /// What resampling says of the weight of an asset.
    public struct WeightBand: Sendable, Equatable {
        public var low: Double
        public var median: Double
        public var high: Double

        public init(low: Double, median: Double, high: Double) {
            self.low = low
            self.median = median
            self.high = high
        }
    }

    /// The data that was used.
    public struct DataUsed: Sendable, Equatable {
        /// Dates of the first and last return.
        public var start: CalendarDate
        public var end: CalendarDate
        public var observations: Int
        public var assets: Int
        /// The stored data's revision; nil for an inline panel.
        public var revision: Int64?
        /// SHA-256 of the panel, in hexadecimal digits.
        public var fingerprint: String
        /// What was done about missing figures.
        public var missing: MissingReport

        public init(
            start: CalendarDate, end: CalendarDate, observations: Int, assets: Int, revision: Int64?,
            fingerprint: String,
            missing: MissingReport
        ) {
            self.start = start
            self.end = end
            self.observations = observations
            self.assets = assets
            self.revision = revision
            self.fingerprint = fingerprint
            self.missing = missing
        }
    }

    /// What was done about dates on which an asset had no figure.
    public struct MissingReport: Sendable, Equatable {
        public var policy: MissingPolicy
        /// Dates left out for all assets.
        public var droppedDates: Int
        /// Missing figures by asset, only assets that miss some.
        public var missingByAsset: [(asset: String, count: Int)]
        /// Figures that were carried over a gap by asset, only assets that have some.
        public var filledByAsset: [(asset: String, count: Int)]

        public init(
            policy: MissingPolicy, droppedDates: Int, missingByAsset: [(asset: String, count: Int)],
            filledByAsset: [(asset: String, count: Int)] = []
        ) {
            self.policy = policy
            self.droppedDates = droppedDates
            self.missingByAsset = missingByAsset
            self.filledByAsset = filledByAsset
        }

        public static func == (a: MissingReport, b: MissingReport) -> Bool {
            a.policy == b.policy && a.droppedDates == b.droppedDates
                && a.missingByAsset.elementsEqual(b.missingByAsset) { $0 == $1 }
                && a.filledByAsset.elementsEqual(b.filledByAsset) { $0 == $1 }
        }
    }

    /// Facts about the call.
    public struct Meta: Sendable, Equatable {
        public var version: String
        public var engine: String
        public var solveMilliseconds: Double
        public var totalMilliseconds: Double
        public var cached: Bool
        public var requestID: String?
        public var periodsPerYear: Double
        public var convention: Convention

        public init(
            version: String, engine: String, solveMilliseconds: Double, totalMilliseconds: Double, cached: Bool,
            requestID: String?, periodsPerYear: Double, convention: Convention
        ) {
            self.version = version
            self.engine = engine
            self.solveMilliseconds = solveMilliseconds
            self.totalMilliseconds = totalMilliseconds
            self.cached = cached
            self.requestID = requestID
            self.periodsPerYear = periodsPerYear
            self.convention = convention
        }
    }

    public var portfolioID: String?
    public var timestamp: UTCTimestamp
    public var assets: [String]
    /// In the order of `assets`.
    public var weights: [Double]
    /// Annual.
    public var metrics: [Figure]
    /// Nil where none was asked for: an empty list in the answer.
    public var efficientFrontier: [FrontierPoint]?
    public var solution: Solution
    /// Risk measures of the weights per period, by code.
    public var risk: [Figure]
    /// Per period: what the model says beside its objective; left out of the answer where it says nothing.
    public var modelFigures: [Figure]
    /// By asset; left out of the answer where the model resamples nothing.
    public var weightBands: [WeightBand]
    /// By asset, adding up to the risk of `solution`.
    public var riskContributions: [Double]
    public var data: DataUsed
    public var meta: Meta
    public var warnings: [PortfolioWarning]

    public init(
        portfolioID: String?, timestamp: UTCTimestamp, assets: [String], weights: [Double], metrics: [Figure],
        efficientFrontier: [FrontierPoint]?, solution: Solution, risk: [Figure], modelFigures: [Figure] = [],
        weightBands: [WeightBand] = [],
        riskContributions: [Double],
        data: DataUsed, meta: Meta, warnings: [PortfolioWarning]
    ) {
        self.portfolioID = portfolioID
        self.timestamp = timestamp
        self.assets = assets
        self.weights = weights
        self.metrics = metrics
        self.efficientFrontier = efficientFrontier
        self.solution = solution
        self.risk = risk
        self.modelFigures = modelFigures
        self.weightBands = weightBands
        self.riskContributions = riskContributions
        self.data = data
        self.meta = meta
        self.warnings = warnings
    }
}
