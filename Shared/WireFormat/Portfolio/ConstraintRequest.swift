/// The member `constraints` of a request, decoded: names are the caller's, levels are as given.
public struct ConstraintRequest: Sendable, Equatable {
    /// A number for every asset, or by asset.
    public enum Bound: Sendable, Equatable {
        case all(Double)
        case byAsset([AssetValue])

        /// The figure of an asset, or nil where none was given.
        public func value(of asset: String) -> Double? {
            switch self {
            case .all(let value): value
            case .byAsset(let values): values.first { $0.asset == asset }?.value
            }
        }
    }

    /// A number that belongs to an asset.
    public struct AssetValue: Sendable, Equatable {
        public var asset: String
        public var value: Double

        public init(_ asset: String, _ value: Double) {
            self.asset = asset
            self.value = value
        }
    }

    /// A named set of assets, as the caller wrote it: members need not be among the request's assets.
    public struct Group: Sendable, Equatable {
        public var name: String
        public var assets: [String]

        public init(_ name: String, _ assets: [String]) {
            self.name = name
            self.assets = assets
        }
    }

    /// Limits of the total weight of a group.
    public struct GroupLimit: Sendable, Equatable {
        public var group: String
        public var min: Double?
        public var max: Double?

        public init(group: String, min: Double?, max: Double?) {
            self.group = group
            self.min = min
            self.max = max
        }
    }

    /// `min <= sum of coefficients x weights <= max`, names of assets or groups.
    public struct Linear: Sendable, Equatable {
        /// The caller's name, or nil: then its position names it.
        public var name: String?
        public var coefficients: [AssetValue]
        public var min: Double?
        public var max: Double?

        public init(name: String?, coefficients: [AssetValue], min: Double?, max: Double?) {
            self.name = name
            self.coefficients = coefficients
            self.min = min
            self.max = max
        }
    }

    /// Limits of the change from given weights.
    public struct Turnover: Sendable, Equatable {
        public var from: [AssetValue]
        public var perAsset: Double?
        /// Most of the sum of absolute changes, both sides counted.
        public var total: Double?

        public init(from: [AssetValue], perAsset: Double?, total: Double?) {
            self.from = from
            self.perAsset = perAsset
            self.total = total
        }
    }

    /// Limits of a named quantity: a factor's exposure, an asset's or group's share of the risk.
    public struct Limit: Sendable, Equatable {
        public var name: String
        public var min: Double?
        public var max: Double?

        public init(name: String, min: Double?, max: Double?) {
            self.name = name
            self.min = min
            self.max = max
        }
    }

    /// A series to be tracked: T returns, with their dates or without.
    public struct BenchmarkReturns: Sendable, Equatable {
        /// Nil: the values belong to the panel's periods one by one.
        public var dates: [CalendarDate]?
        public var values: [Double]

        public init(dates: [CalendarDate]?, values: [Double]) {
            self.dates = dates
            self.values = values
        }

        /// The values of the panel's periods; nil where one is missing or the lengths differ.
        public func aligned(to periods: [CalendarDate]) -> [Double]? {
            guard let dates else { return values.count == periods.count ? values : nil }
            let byDate = Dictionary(zip(dates, values), uniquingKeysWith: { $1 })
            let aligned = periods.compactMap { byDate[$0] }
            return aligned.count == periods.count ? aligned : nil
        }
    }

    /// The most a risk measure may be.
    public struct RiskLimit: Sendable, Equatable {
        public var measure: RiskMeasureCode
        /// In the units of `isAnnual`; MV's is the standard deviation.
        public var level: Double

        public init(measure: RiskMeasureCode, level: Double) {
            self.measure = measure
            self.level = level
        }
    }

    /// How many assets may be held, in all and within groups.
    public struct Cardinality: Sendable, Equatable {
        /// The most assets held of one group.
        public struct GroupCount: Sendable, Equatable {
            public var group: String
            public var max: Int

            public init(group: String, max: Int) {
                self.group = group
                self.max = max
            }
        }

        public var max: Int?
        public var groups: [GroupCount]

        public init(max: Int?, groups: [GroupCount] = []) {
            self.max = max
            self.groups = groups
        }
    }

    /// Two assets or groups that exclude each other, or of which the first needs the second.
    public struct Pair: Sendable, Equatable {
        public var first: String
        public var second: String

        public init(_ first: String, _ second: String) {
            self.first = first
            self.second = second
        }
    }

    /// What trading from given weights costs, taken from the objective.
    public struct Costs: Sendable, Equatable {
        public var from: [AssetValue]
        /// Cost a unit of absolute change.
        public var linear: Bound?
        /// Cost of |change|^(3/2).
        public var impact: Bound?
        /// Periods over which the cost is spread.
        public var horizon: Double

        public init(from: [AssetValue], linear: Bound?, impact: Bound?, horizon: Double = 1) {
            self.from = from
            self.linear = linear
            self.impact = impact
            self.horizon = horizon
        }
    }

    /// A constraint that may be broken at a price.
    public struct Softened: Sendable, Equatable {
        /// As answers name it: `tracking_error`, `group_constraints.Tech.max`, `max_risk.CVaR`.
        public var constraint: String
        /// What one unit beyond the level costs the objective.
        public var weight: Double

        public init(constraint: String, weight: Double) {
            self.constraint = constraint
            self.weight = weight
        }
    }

    /// Lowest and highest sum of the weights.
    public struct Budget: Sendable, Equatable {
        public var min: Double
        public var max: Double

        public init(min: Double, max: Double) {
            self.min = min
            self.max = max
        }
    }

    public var lowerBound: Bound?
    public var upperBound: Bound?
    public var groups: [Group] = []
    public var groupLimits: [GroupLimit] = []
    public var linear: [Linear] = []
    public var budget = Budget(min: 1, max: 1)
    /// Most that all shorts add up to; nil and 0 are long only.
    public var short: Double?
    /// Most of the sum of absolute weights.
    public var gross: Double?
    public var turnover: Turnover?
    /// Weights to be tracked; empty where the benchmark is a series or there is none.
    public var benchmark: [AssetValue] = []
    public var benchmarkReturns: BenchmarkReturns?
    /// Most of sqrt(sum (x - b)^2 / (T-1)), not centred, in the units of `isAnnual`.
    public var trackingError: Double?
    /// Least expected return, in the units of `isAnnual`.
    public var minReturn: Double?
    public var maxRisk: [RiskLimit] = []
    public var cardinality: Cardinality?
    /// Each weight is zero or at least this.
    public var minPosition: Double?
    public var mutuallyExclusive: [Pair] = []
    /// Holding the first needs holding the second.
    public var join: [Pair] = []
    /// Most of a neighbourhood of the assets' network that is held.
    public var network: NeighbourhoodRequest?
    /// Most of a cluster that is held.
    public var clusters: ClusterLimitRequest?
    /// Least 1 / sum of squared weights.
    public var effectiveAssets: Double?
    /// Limits of the average centrality.
    public var centrality: CentralityRequest?
    /// By factor of `factors`: limits of sum of loadings x weights.
    public var factorExposure: [Limit] = []
    /// By asset or group: limits of the share of the variance.
    public var riskContribution: [Limit] = []
    public var costs: Costs?
    public var soft: [Softened] = []
    /// Whether levels of return and risk are annual (`"units": "annual"`).
    public var isAnnual = false

    public init() {}

    /// Whether anything but the budget is asked for.
    public var isBeyondBudget: Bool {
        var rest = self
        rest.budget = Budget(min: 1, max: 1)
        rest.isAnnual = false
        return rest != ConstraintRequest()
    }

    /// The lower bound of an asset that applies: the caller's, else zero; where only `short` is given, minus `short`.
    public func lower(of asset: String) -> Double {
        guard let lowerBound else { return short.map { $0 > 0 ? -$0 : 0 } ?? 0 }
        return lowerBound.value(of: asset) ?? 0
    }

    /// The upper bound of an asset that applies: the caller's, else one.
    public func upper(of asset: String) -> Double { upperBound?.value(of: asset) ?? 1 }

    /// The members of a group that are among `assets`, in the order of `assets`.
    public func members(of group: String, among assets: [String]) -> [String] {
        let named = Set(groups.first { $0.name == group }?.assets ?? [])
        return assets.filter { named.contains($0) }
    }
}
