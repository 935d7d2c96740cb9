/// The body of `POST /api/portfolio/optimize`, decoded and checked: the specification's members and those of API.md.
///
/// `init(json:)` refuses whatever it does not know and names everything that is wrong by JSON pointer. `json` is canonical:
/// two requests with the same meaning have the same text, so it serves for hashing and for storage.
public struct OptimizeRequest: Sendable, Equatable {
    /// Points of an efficient frontier.
    public struct Frontier: Sendable, Equatable {
        public var points: Int
        public var axis: FrontierAxis
        /// Whether each point carries its weights.
        public var withWeights: Bool
        /// Whether the points are the turning points of mean-variance, however many there are, in place of an even grid.
        public var turningPoints: Bool

        public init(
            points: Int = 20, axis: FrontierAxis = .expectedReturn, withWeights: Bool = false,
            turningPoints: Bool = false
        ) {
            self.points = points
            self.axis = axis
            self.withWeights = withWeights
            self.turningPoints = turningPoints
        }
    }

    /// When a stored portfolio is computed again after its data changed.
    public struct Recalculation: Sendable, Equatable {
        public var enabled: Bool
        public var quietMilliseconds: Int?
        public var maximumWaitMilliseconds: Int?

        public init(enabled: Bool, quietMilliseconds: Int? = nil, maximumWaitMilliseconds: Int? = nil) {
            self.enabled = enabled
            self.quietMilliseconds = quietMilliseconds
            self.maximumWaitMilliseconds = maximumWaitMilliseconds
        }
    }

    /// The member `relaxation` of relaxed risk parity.
    public struct Relaxation: Sendable, Equatable {
        /// Which regulator: none, one on the risk, or one that penalises single risks by `lambda`.
        public enum Version: String, Sendable, CaseIterable {
            case a = "A"
            case b = "B"
            case c = "C"
        }

        public var version: Version
        public var lambda: Double

        public init(version: Version = .a, lambda: Double = 1) {
            self.version = version
            self.lambda = lambda
        }
    }

    /// The member `moment_aversion` of MVSK: variance - and kurtosis + against skewness.
    public struct MomentAversion: Sendable, Equatable {
        public var variance = 2.0
        public var skewness = 3.0
        public var kurtosis = 4.0

        /// Riskfolio-Lib's l = [2, 3, 4].
        public init() {}
    }

    /// Risks of hierarchical models that are no measures: `"risk_measure": "vol"` or `"equal"`.
    public enum HierarchicalRisk: String, Sendable, CaseIterable {
        /// The standard deviation, where MV means the variance.
        case volatility = "vol"
        /// The same risk for all: equal shares.
        case equal
    }

    /// The symbols, in the order of the answer's weights. With an inline panel and no `assets`: all its columns.
    public var assets: [String]
    /// Figures that came with the request; nil where stored data is used.
    public var panel: InlinePanel?
    public var startDate: CalendarDate?
    public var endDate: CalendarDate?

    public var model = ModelName.classic
    public var riskMeasure = RiskMeasureCode.mv
    /// Sharpe where the request has none.
    public var objective = ObjectiveName.sharpe
    /// Whether the request names an objective for a model that has none: worth a warning.
    public var hasUnusedObjective = false
    /// What HRP, HERC and HERC2 split by in place of `riskMeasure`.
    public var hierarchicalRisk: HierarchicalRisk?
    public var kelly = KellyMode.none
    /// Annual.
    public var riskFreeRate = 0.0
    /// l of Utility: ret - l * risk.
    public var riskAversion = 2.0

    public var alpha = 0.05
    public var beta: Double?
    public var levels = 100
    public var gainLevels: Int?
    public var kappa = 0.3
    public var kappaGain: Double?
    public var power = 2.0
    /// Minimal acceptable return of FLPM and SLPM, per period; nil is the rate in Sharpe and zero otherwise.
    public var target: Double?

    public var meanEstimator = MeanEstimatorRequest()
    public var covarianceEstimator = CovarianceEstimatorRequest()
    public var views: ViewsRequest?
    public var factors: FactorRequest?
    /// Shares of the risk by asset (by factor for FactorRiskParity), adding up to one; nil is equal.
    public var riskBudget: [ConstraintRequest.AssetValue]?
    public var relaxation: Relaxation?
    public var uncertainty: UncertaintyRequest?
    public var clustering: ClusteringRequest?
    public var owaWeights: OWAWeightsRequest?
    public var scenarioWeights: ScenarioWeightsRequest?
    public var momentAversion: MomentAversion?
    public var nearOptimal: NearOptimalRequest?
    public var resampling: ResamplingRequest?

    public var constraints = ConstraintRequest()
    public var frontier: Frontier?

    /// Nil: by the calendar, and without one by whether the panel has weekends.
    public var periodsPerYear: Double?
    public var calendar: TradingCalendar?
    public var missing = MissingPolicy.drop
    public var convention = Convention.riskfolio

    public var name: String?
    public var portfolioID: String?
    /// False keeps nothing; an inline panel never stores.
    public var store = true
    public var recalculation: Recalculation?

    /// A request of the defaults for these assets.
    public init(assets: [String]) { self.assets = assets }

    /// Whether the call is a pure function of its body.
    public var isPure: Bool { panel != nil }

    /// Most assets of one request.
    public static let mostAssets = 2000
    /// Most points of a frontier.
    public static let mostPoints = 200
}
