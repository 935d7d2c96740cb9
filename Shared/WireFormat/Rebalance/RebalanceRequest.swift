/// The request of `POST /api/portfolio/rebalance`: what is held, what is wanted, prices, risk, settings. Figures are decimals.
public struct RebalanceRequest: Sendable, Equatable {
    /// Shares bought together.
    public struct Lot: Sendable, Equatable {
        public var id: String
        public var acquired: CalendarDate
        public var quantity: FixedDecimal
        public var basisPerShare: FixedDecimal

        public init(id: String, acquired: CalendarDate, quantity: FixedDecimal, basisPerShare: FixedDecimal) {
            self.id = id
            self.acquired = acquired
            self.quantity = quantity
            self.basisPerShare = basisPerShare
        }
    }

    /// A position: its lots, or a quantity of which nothing more is known.
    public struct Holding: Sendable, Equatable {
        public var asset: String
        public var quantity: FixedDecimal?
        public var lots: [Lot]

        public init(asset: String, quantity: FixedDecimal?, lots: [Lot]) {
            self.asset = asset
            self.quantity = quantity
            self.lots = lots
        }
    }

    public struct Quote: Sendable, Equatable {
        public var price: FixedDecimal
        public var halfSpread: FixedDecimal
        /// Average shares a day.
        public var adv: FixedDecimal?
        /// Annual, a fraction.
        public var volatility: Double?

        public init(
            price: FixedDecimal, halfSpread: FixedDecimal = 0, adv: FixedDecimal? = nil, volatility: Double? = nil
        ) {
            self.price = price
            self.halfSpread = halfSpread
            self.adv = adv
            self.volatility = volatility
        }
    }

    /// Annual covariances, row by row.
    public struct Covariance: Sendable, Equatable {
        public var assets: [String]
        public var values: [[Double]]

        public init(assets: [String], values: [[Double]]) {
            self.assets = assets
            self.values = values
        }
    }

    /// The name of cash among the weights.
    public static let cashName = "CASH"
    /// Most assets of a plan.
    public static let mostAssets = 1500

    public var asOf: CalendarDate
    public var currency: String
    public var cash: FixedDecimal
    public var holdings: [Holding]
    /// Weights in the order given, cash included where it was named.
    public var target: [(asset: String, weight: FixedDecimal)]
    public var prices: [String: Quote]
    public var covariance: Covariance?
    /// Annual, beyond cash.
    public var expectedReturns: [String: Double]
    public var settings: RebalanceSettings
    /// Whether the plan is kept, so that it can be confirmed.
    public var stores = true

    public init(
        asOf: CalendarDate, currency: String = "USD", cash: FixedDecimal, holdings: [Holding],
        target: [(asset: String, weight: FixedDecimal)], prices: [String: Quote], covariance: Covariance? = nil,
        expectedReturns: [String: Double] = [:], settings: RebalanceSettings = RebalanceSettings()
    ) {
        self.asOf = asOf
        self.currency = currency
        self.cash = cash
        self.holdings = holdings
        self.target = target
        self.prices = prices
        self.covariance = covariance
        self.expectedReturns = expectedReturns
        self.settings = settings
    }

    public static func == (a: RebalanceRequest, b: RebalanceRequest) -> Bool {
        a.asOf == b.asOf && a.currency == b.currency && a.cash == b.cash && a.holdings == b.holdings
            && a.target.elementsEqual(b.target) { $0 == $1 } && a.prices == b.prices && a.covariance == b.covariance
            && a.expectedReturns == b.expectedReturns && a.settings == b.settings && a.stores == b.stores
    }
}

/// A number for all assets, or by asset.
public struct PerAsset: Sendable, Equatable {
    public var standard: FixedDecimal?
    public var byAsset: [String: FixedDecimal]

    public init(standard: FixedDecimal? = nil, byAsset: [String: FixedDecimal] = [:]) {
        self.standard = standard
        self.byAsset = byAsset
    }

    public subscript(asset: String) -> FixedDecimal? { byAsset[asset] ?? standard }
}

/// How a reallocation is planned. Every member has a default; nil is no limit, no rule.
public struct RebalanceSettings: Sendable, Equatable {
    public struct Thresholds: Sendable, Equatable {
        public var halfL1: FixedDecimal?
        public var maxAbsolute: FixedDecimal?
        public var maxRelative: FixedDecimal?
        public var trackingError: Double?
        public var calendarDays: Int?
        public var cashFlow: FixedDecimal?
        public var cooldownDays: Int?
        public var lastRebalanced: CalendarDate?
        public var targetChanged = false
        /// Whether leaving the no-trade region of costs and risk is a reason.
        public var noTradeRegion = false
        public init() {}
    }

    public struct Costs: Sendable, Equatable {
        public var perOrder: FixedDecimal = 0
        public var perShare: FixedDecimal = 0
        public var rate: FixedDecimal = 0
        public var minimum: FixedDecimal = 0
        public var maximumRate: FixedDecimal?
        public var saleRate: FixedDecimal = 0
        public var salePerShare: FixedDecimal = 0
        public var salePerShareCap: FixedDecimal = 0
        public var impactCoefficient = 1.0
        public var ticket: FixedDecimal = 0
        /// By asset: where it is traded in pools, they take the place of the square root's impact.
        public var pools: [String: [Pool]] = [:]
        public var network: Network?
        /// Whether what orders have taught about a venue is used.
        public var calibrates = true
        /// Whose lessons; nil for those of the venue that was traded at last.
        public var venue: String?
        public var calibration: Calibration?
        public init() {}
    }

    /// What orders at a venue cost, as multiples of half spread and impact that the settings name.
    public struct Calibration: Sendable, Equatable {
        public var venue: String?
        public var orders = 0
        public var spreadFactor: FixedDecimal = 1
        public var impactFactor: FixedDecimal = 1
        public init() {}
    }

    public struct Tax: Sendable, Equatable {
        /// `none`, `netted_year`, `lot_rates`.
        public var mode = "netted_year"
        /// A code of a tax regime, whose period, cap and window hold unless given here.
        public var regime = "us"
        public var rateShort: FixedDecimal = 0
        public var rateLong: FixedDecimal = 0
        public var rateOrdinary: FixedDecimal?
        public var ordinaryCap: FixedDecimal?
        public var realisedShort: FixedDecimal = 0
        public var realisedLong: FixedDecimal = 0
        public var carryShort: FixedDecimal = 0
        public var carryLong: FixedDecimal = 0
        public var carryValueShort: FixedDecimal = 0
        public var carryValueLong: FixedDecimal = 0
        public var lotMethod: String?
        public var washSale: Bool?
        /// Sales at a loss before this plan: no purchase within the window after them.
        public var recentLossSales: [RecentSale] = []
        /// Sets of assets that the law takes for the same.
        public var identical: [[String]] = []
        public init() {}
    }

    public struct RecentSale: Sendable, Equatable {
        public var asset: String
        public var date: CalendarDate
        public init(asset: String, date: CalendarDate) {
            self.asset = asset
            self.date = date
        }
    }

    public struct Group: Sendable, Equatable {
        public var name: String
        public var members: [String]
        public var min: FixedDecimal?
        public var max: FixedDecimal?
        public init(name: String, members: [String], min: FixedDecimal? = nil, max: FixedDecimal? = nil) {
            self.name = name
            self.members = members
            self.min = min
            self.max = max
        }
    }

    public struct Constraints: Sendable, Equatable {
        public var lotSize: FixedDecimal = 1
        public var minTrade: FixedDecimal = 0
        public var maxTrades: Int?
        public var cashFloor: FixedDecimal = 0
        /// As a fraction of the value; the larger of the two floors holds.
        public var cashFloorWeight: FixedDecimal = 0
        public var participation: FixedDecimal?
        public var participationDays: FixedDecimal = 1
        public var turnover: FixedDecimal?
        public var taxBudget: FixedDecimal?
        public var lockedLots: [String] = []
        /// Neither bought nor sold.
        public var restricted: [String] = []
        public var noBuy: [String] = []
        public var noSell: [String] = []
        public var lowerBound: PerAsset?
        public var upperBound: PerAsset?
        public var groups: [Group] = []
        /// Lots younger than this are locked.
        public var minHoldingDays: Int?
        public init() {}
    }

    public struct CostGate: Sendable, Equatable {
        /// Most cost of the plan, in hundredths of a per cent of the value.
        public var maxCostBPS: FixedDecimal?
        public var maxCost: FixedDecimal?
        /// Cost may be at most this share of the benefit.
        public var benefitFraction: FixedDecimal?
        public init() {}
    }

    /// How losses are looked for; nil for not at all.
    public struct Harvest: Sendable, Equatable {
        public var floor: FixedDecimal = 0
        public var discountRate = 0.05
        public var deferralYears = 10.0
        public var days = 31
        public var identical: [[String]] = []
        public var substitutes: [String]?
        public init() {}
    }

    /// Forecasts of the periods to come; nil for a plan that looks at today alone.
    public struct LookAhead: Sendable, Equatable {
        public var periods = 4
        /// Annual returns beyond cash by asset, a period after the other; the last holds on.
        public var forecasts: [[String: Double]] = []
        public init() {}
    }

    /// How each trade would be spread over time; nil for no schedules.
    public struct Schedule: Sendable, Equatable {
        public var days = 1.0
        public var intervals = 8
        /// Per unit of currency.
        public var riskAversion = 1e-6
        /// Parts of a day's volume that move the price by one spread: for as long as they are traded, and for good.
        public var temporaryVolume = 0.01
        public var permanentVolume = 0.1
        public init() {}
    }

    /// Sets of assets that the law takes for the same, wherever they were named.
    public var identical: [[String]] {
        ((tax?.identical ?? []) + (harvest?.identical ?? [])).filter { $0.count > 1 }
    }

    public var thresholds: Thresholds?
    public var harvest: Harvest?
    public var lookAhead: LookAhead?
    public var schedule: Schedule?
    public var riskAversion = 4.0
    public var horizonYears = 1.0
    public var costs = Costs()
    public var tax: Tax?
    public var constraints = Constraints()
    public var costGate: CostGate?
    /// Whether limits that cannot all hold are relaxed by rank; otherwise they are a refusal.
    public var relaxes = true
    /// Whether plans with fewer trades are shown beside the best one; by default where there are few assets.
    public var alternatives: Bool?
    public var expiresSeconds = 900
    /// Most relative change of any price between plan and confirmation.
    public var priceTolerance: FixedDecimal = FixedDecimal(1) / 100

    public init() {}
}
