/// A pool in which an asset is traded against the currency of a plan, in whole units of both.
///
/// Between two prices it has a liquidity L: a purchase that moves the price from p to q takes L (1/sqrt p - 1/sqrt q) of the asset for
/// L (sqrt q - sqrt p) of the currency, and the fee is a fraction of what is paid in. A constant product x y = k is one range with L = sqrt k
/// and no end. Source: Adams et al. (2021), Uniswap v3 Core, section 6.2; Adams, Zinsmeister, Robinson (2020), Uniswap v2 Core.
public struct LiquidityPool: Sendable, Equatable {
    public struct Range: Sendable, Equatable {
        public var lower: Double
        /// Infinite for no end.
        public var upper: Double
        public var liquidity: Double

        public init(lower: Double, upper: Double, liquidity: Double) {
            self.lower = lower
            self.upper = upper
            self.liquidity = liquidity
        }
    }

    /// Currency for a unit of the asset, before any fee.
    public var price: Double
    /// Below one.
    public var fee: Double
    public var ranges: [Range]

    public init(price: Double, fee: Double, ranges: [Range]) {
        self.price = price
        self.fee = fee
        self.ranges = ranges
    }

    /// The pool with x y = k.
    public init(reserve asset: Double, against cash: Double, fee: Double) {
        self.init(
            price: cash / asset, fee: fee,
            ranges: [Range(lower: 0, upper: .infinity, liquidity: (asset * cash).squareRoot())])
    }

    /// What remains of an amount that is paid in.
    var keep: Double { 1 - fee }

    /// Whether a price lies between those at which the pool sells and buys a first share: outside somebody would earn by trading at once.
    func agrees(with quote: Double) -> Bool {
        let slack = 1e-9
        return quote >= price * keep * (1 - slack) && quote <= price / keep * (1 + slack)
    }
}
