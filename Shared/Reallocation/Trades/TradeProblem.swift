public import LinearAlgebra
public import WireFormat

/// One asset of a trade problem: what is held, what is wanted, what may be done.
public struct TradeAsset: Sendable {
    public var symbol: String
    public var quote: MarketQuote
    public var lots: [TaxLot]
    /// Lots that must not be sold, by id.
    public var lockedLots: Set<String> = []
    public var target: FixedDecimal
    /// Limits of the weight after the trades.
    public var lowestWeight: FixedDecimal?
    public var highestWeight: FixedDecimal?
    public var canBuy = true
    public var canSell = true
    /// Annual, beyond cash; enters the objective where it is not zero.
    public var expectedReturn = 0.0
    /// Recent purchases of identical assets that are taken to stay: they take losses away as the asset's own do.
    var foreignPurchases: [TaxLot] = []

    public init(symbol: String, quote: MarketQuote, lots: [TaxLot], target: FixedDecimal) {
        self.symbol = symbol
        self.quote = quote
        self.lots = lots
        self.target = target
    }

    public var held: FixedDecimal { lots.map { $0.quantity }.reduce(.zero, +) }
}

/// Limits of the weights of several assets together.
public struct TradeGroup: Sendable {
    public var name: String
    /// Indices of the assets.
    public var members: [Int]
    public var lowest: FixedDecimal?
    public var highest: FixedDecimal?

    public init(name: String, members: [Int], lowest: FixedDecimal? = nil, highest: FixedDecimal? = nil) {
        self.name = name
        self.members = members
        self.lowest = lowest
        self.highest = highest
    }
}

/// What the trades have to keep to; nil where there is no limit.
public struct TradeLimits: Sendable {
    /// Shares are traded in whole multiples of this.
    public var lotSize: FixedDecimal = 1
    /// Least value of a trade.
    public var minimumTrade: FixedDecimal = 0
    public var maximumTrades: Int?
    /// Least cash after all costs.
    public var cashFloor: FixedDecimal = 0
    /// Most of a day's volume, and the days over which an order may be spread.
    public var participation: FixedDecimal?
    public var participationDays: FixedDecimal = 1
    /// Most of half the sum of absolute weight changes, cash not counted.
    public var turnover: FixedDecimal?
    /// Most tax that the trades may add to the year.
    public var taxBudget: FixedDecimal?
    public var groups: [TradeGroup] = []

    public init() {}
}

/// The trades that move holdings towards a target at the least loss of utility, cost and tax.
///
///     minimise   (lambda H V / 2) (w+ - w*)' Sigma (w+ - w*)  -  H V alpha' w+
///                + sum_i [ commission + fees + spread + impact + ticket ]
///                + T(S0 + dS, L0 + dL) - T(S0, L0)  -  value of the change of carried losses
///     subject to cash, whole lots, minimum trade, number of trades, positions, groups, turnover, participation, tax budget, wash sales
///
/// w+ = p (h + u) / V with V the value before the trades; an asset is bought or sold, never both. Everything is in currency.
/// Source: Moehle, Kochenderfer, Boyd and Ang (2021), Tax-aware portfolio construction via convex optimization.
public struct TradeProblem: Sendable {
    public var date: CalendarDate
    public var cash: FixedDecimal
    public var assets: [TradeAsset]
    /// Annual, in the order of the assets.
    public var covariance: Matrix
    public var riskAversion: Double
    public var horizonYears: Double
    public var costs: CostModel
    public var tax: TaxSettings
    public var limits: TradeLimits
    /// Sets of assets, by index, that the law takes for the same: a loss on one and a purchase of another are not planned together, and recent
    /// purchases of one take losses of another away.
    public var identical: [[Int]] = []

    public init(
        date: CalendarDate, cash: FixedDecimal, assets: [TradeAsset], covariance: Matrix, riskAversion: Double,
        horizonYears: Double, costs: CostModel, tax: TaxSettings, limits: TradeLimits
    ) {
        self.date = date
        self.cash = cash
        self.assets = assets
        self.covariance = covariance
        self.riskAversion = riskAversion
        self.horizonYears = horizonYears
        self.costs = costs
        self.tax = tax
        self.limits = limits
    }

    /// Value before the trades, cash included.
    public var value: FixedDecimal { assets.map { $0.quote.price * $0.held }.reduce(cash, +) }

    /// What one share brings after the fees that the law takes from a sale: the proceeds of a gain.
    public func netPrice(_ quote: MarketQuote) -> FixedDecimal {
        quote.price - costs.saleFees.rate * quote.price - costs.saleFees.perShare
    }

    /// The lots of an asset that may be sold.
    public func sellableLots(_ asset: TradeAsset) -> [TaxLot] {
        guard asset.canSell else { return [] }
        return asset.lots.filter { !asset.lockedLots.contains($0.id) && $0.quantity > 0 }
    }

    /// Whether a lot was bought so lately that what is kept of it takes losses of other lots away.
    func isRecent(_ lot: TaxLot) -> Bool {
        guard let rule = tax.washSale, tax.mode != .none else { return false }
        return lot.acquired <= date && rule.covers(purchase: lot.acquired, of: date)
    }

    /// The recent lots of an asset, and those of identical assets that are taken to stay.
    func purchases(_ asset: TradeAsset) -> (own: [TaxLot], foreign: [TaxLot]) {
        (asset.lots.filter { $0.quantity > 0 && isRecent($0) }, asset.foreignPurchases)
    }

    /// The lots of sales, by asset, with what recent lots that are kept take away of their losses, share by share: lots of the asset and of those
    /// that the law takes for the same.
    func washed(_ sales: [Int: [LotSale]]) -> [Int: [LotSale]] {
        guard let rule = tax.washSale, tax.mode != .none else { return sales }
        var result = sales
        var done: Set<Int> = []
        for first in sales.keys.sorted() where !done.contains(first) {
            let family = family(of: first)
            done.formUnion(family)
            guard family.contains(where: { sales[$0]?.contains { $0.gain < 0 } == true }) else { continue }
            var purchases: [WashSale.Purchase] = []
            for index in family {
                for lot in self.purchases(assets[index]).own {
                    let sold = (sales[index] ?? []).filter { $0.lot.id == lot.id }.map { $0.quantity }
                    purchases.append(
                        WashSale.Purchase(
                            asset: assets[index].symbol, id: lot.id, date: lot.acquired,
                            quantity: lot.quantity - sold.reduce(.zero, +), costPerShare: lot.basisPerShare))
                }
            }
            guard !purchases.isEmpty else { continue }
            let wash = WashSale(
                sold: family.flatMap { index in
                    (sales[index] ?? []).filter { $0.quantity > 0 }.map {
                        WashSale.Sold(
                            asset: assets[index].symbol, lot: $0.lot, quantity: $0.quantity,
                            gainPerShare: $0.gain / $0.quantity)
                    }
                }, on: date, purchases: purchases, rule: rule, holdingPeriod: tax.holdingPeriod,
                identical: identical.map { Set($0.map { assets[$0].symbol }) })
            for index in family {
                result[index] = sales[index]?.map { sale in
                    var sale = sale
                    let replaced = wash.replacements.filter {
                        $0.asset == assets[index].symbol && $0.sold == sale.lot.id
                    }
                    let shares = replaced.map { $0.quantity }.reduce(.zero, +)
                    // A loss that is taken away whole is so to the last digit.
                    sale.disallowed =
                        shares == sale.quantity
                        ? -sale.gain : replaced.map { $0.lossPerShare * $0.quantity }.reduce(.zero, +)
                    return sale
                }
            }
        }
        return result
    }
}

/// Why there is no problem to solve: a mistake of the caller.
public enum TradeProblemError: Error, Sendable, Equatable, CustomStringConvertible {
    case noAssets
    case worthless
    case outOfRange(String)
    case covarianceShape(rows: Int, columns: Int, assets: Int)
    case covarianceNotSemidefinite
    case interrupted

    public var description: String {
        switch self {
        case .noAssets: "there is no asset to trade"
        case .worthless: "the portfolio is worth nothing, so it has no weights"
        case .outOfRange(let what): "\(what) is too large to be computed with"
        case .covarianceShape(let rows, let columns, let assets):
            "the covariance is \(rows) x \(columns) for \(assets) assets"
        case .interrupted: "the time is over"
        case .covarianceNotSemidefinite: "the covariance has a negative eigenvalue"
        }
    }
}

/// Trades in whole steps with their lots, and how good they are.
public struct TradeSolution: Sendable {
    /// Shares by asset: bought positive, sold negative.
    public var shares: [FixedDecimal]
    /// For a sale, how many of them come from short-term lots.
    public var fromShortLots: [FixedDecimal]
    /// For a sale beside a recent purchase, the shares of each lot by its id; empty for all others.
    public var namedLots: [[String: FixedDecimal]]
    /// In currency, relative to the terms of `TradeProblem`.
    public var objective: Double
    /// No plan is better than this.
    public var lowerBound: Double
    /// Objective of doing nothing; nil where that breaks a limit.
    public var idleObjective: Double?
    /// Nodes of the branch and bound; zero where only the relaxation was used.
    public var nodes: Int
    /// Lots that stay, by asset, where losses of identical assets were left alone; empty where none were.
    public var lockedLots: [Set<String>] = []

    /// (objective - lower bound) / |objective|, zero where both are nothing.
    public var gap: Double {
        let distance = max(0, objective - lowerBound)
        return distance <= 1e-9 ? 0 : distance / max(objective.magnitude, 1e-9)
    }
}
