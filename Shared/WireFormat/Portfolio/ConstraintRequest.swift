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
    /// Least expected return, in the units of `isAnnual`.
    public var minReturn: Double?
    /// Whether levels of return and risk are annual (`"units": "annual"`).
    public var isAnnual = false

    public init() {}

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
