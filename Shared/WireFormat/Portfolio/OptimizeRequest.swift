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

        public init(points: Int = 20, axis: FrontierAxis = .expectedReturn, withWeights: Bool = false) {
            self.points = points
            self.axis = axis
            self.withWeights = withWeights
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
