/// A pool with x y = k, in whole numbers of the smallest units, each step rounded down as the chain does.
///
///     net = floor(in (10^6 - fee) / 10^6),  out = floor(y net / (x + net))
///
/// Source: Adams, Zinsmeister, Robinson (2020), Uniswap v2 Core; the same rule in Raydium and Orca pools.
public struct ConstantProductPool: Sendable, Equatable {
    public var reserveIn: UInt64
    public var reserveOut: UInt64
    /// Millionths of the amount in.
    public var feePPM: UInt32

    /// Nil for an empty pool or a fee of all or more.
    public init?(reserveIn: UInt64, reserveOut: UInt64, feePPM: UInt32) {
        guard reserveIn > 0, reserveOut > 0, feePPM < 1_000_000 else { return nil }
        self.reserveIn = reserveIn
        self.reserveOut = reserveOut
        self.feePPM = feePPM
    }

    public struct Swap: Sendable, Equatable {
        public var netIn: UInt64
        public var out: UInt64
        /// How much less a unit brings than at the price before the swap, fee included.
        public var priceImpact: Double
    }

    public func swap(_ amountIn: UInt64) -> Swap {
        let net = UInt64(UInt128(amountIn) * UInt128(1_000_000 - feePPM) / 1_000_000)
        let out = UInt64(UInt128(reserveOut) * UInt128(net) / (UInt128(reserveIn) + UInt128(net)))
        let fair = Double(amountIn) * Double(reserveOut) / Double(reserveIn)
        return Swap(netIn: net, out: out, priceImpact: fair > 0 ? 1 - Double(out) / fair : 0)
    }

    /// floor(out (10^4 - slippage) / 10^4); nil for a slippage of more than all.
    public static func minimumOut(_ out: UInt64, slippageBasisPoints: UInt32) -> UInt64? {
        guard slippageBasisPoints <= 10_000 else { return nil }
        return UInt64(UInt128(out) * UInt128(10_000 - slippageBasisPoints) / 10_000)
    }

    /// How to split an amount over pools so that the last unit brings the same in each of them that takes any.
    ///
    ///     a_i = max(0, (sqrt(g_i x_i y_i / mu) - x_i) / g_i),  g = 1 - fee,  sum a_i = amount, mu by bisection
    public static func split(_ amount: Double, over pools: [ConstantProductPool]) -> [Double] {
        guard amount > 0, !pools.isEmpty else { return pools.map { _ in 0 } }
        func parts(_ mu: Double) -> [Double] {
            pools.map { pool in
                let g = 1 - Double(pool.feePPM) / 1e6
                let (x, y) = (Double(pool.reserveIn), Double(pool.reserveOut))
                return max(0, ((g * x * y / mu).squareRoot() - x) / g)
            }
        }
        var high = pools.map { (1 - Double($0.feePPM) / 1e6) * Double($0.reserveOut) / Double($0.reserveIn) }.max() ?? 1
        var low = high
        while parts(low).reduce(0, +) < amount, low > 1e-300 { low /= 4 }
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if parts(middle).reduce(0, +) < amount { high = middle } else { low = middle }
        }
        let found = parts(low)
        let sum = found.reduce(0, +)
        return sum > 0 ? found.map { $0 * amount / sum } : found
    }
}

/// A pool whose liquidity lies in price ranges, seen from the side that is paid in: the price of it falls along the ranges.
///
/// In a range with liquidity L, between square-root prices: 1/s1 = 1/s0 + net/L, out = L (s0 - s1).
/// Source: Adams et al. (2021), Uniswap v3 Core, section 6.2.3.
public struct ConcentratedLiquidityPool: Sendable, Equatable {
    /// Liquidity down to a square-root price.
    public struct Range: Sendable, Equatable {
        public var lowerRootPrice: Double
        public var liquidity: Double

        public init(lowerRootPrice: Double, liquidity: Double) {
            self.lowerRootPrice = lowerRootPrice
            self.liquidity = liquidity
        }
    }

    /// Square root of the price, units out for a unit in.
    public var rootPrice: Double
    public var feePPM: UInt32
    /// From the current price downwards.
    public var ranges: [Range]

    public init(rootPrice: Double, feePPM: UInt32, ranges: [Range]) {
        self.rootPrice = rootPrice
        self.feePPM = feePPM
        self.ranges = ranges
    }

    public struct Swap: Sendable, Equatable {
        public var out: Double
        public var rootPriceAfter: Double
        /// What the ranges could not take, fee included.
        public var unfilled: Double
    }

    public func swap(_ amountIn: Double) -> Swap {
        let keep = 1 - Double(feePPM) / 1e6
        var rest = max(0, amountIn) * keep
        var (s, out) = (rootPrice, 0.0)
        for range in ranges where rest > 0 {
            guard range.lowerRootPrice < s else { continue }
            guard range.liquidity > 0 else {
                s = range.lowerRootPrice
                continue
            }
            let room = range.lowerRootPrice > 0 ? range.liquidity * (1 / range.lowerRootPrice - 1 / s) : .infinity
            let net = min(rest, room)
            let next = net < room ? 1 / (1 / s + net / range.liquidity) : range.lowerRootPrice
            out += range.liquidity * (s - next)
            rest -= net
            s = next
        }
        return Swap(out: out, rootPriceAfter: s, unfilled: keep > 0 ? rest / keep : 0)
    }
}

/// What the Solana network takes for a transaction, in lamports.
public enum NetworkFee {
    /// 5,000 a signature, and the compute limit times its price in millionths of a lamport, rounded up; nil on overflow.
    public static func lamports(
        signatures: UInt64, computeUnits: UInt64, microLamportsPerUnit: UInt64, tip: UInt64 = 0
    ) -> UInt64? {
        let priority = (UInt128(computeUnits) * UInt128(microLamportsPerUnit) + 999_999) / 1_000_000
        return UInt64(exactly: UInt128(signatures) * 5_000 + priority + UInt128(tip))
    }

    /// The compute limit to ask for: 1.2 times what the simulation used, at most what a transaction may use.
    public static func computeLimit(simulated: UInt64) -> UInt64 {
        simulated >= 1_166_667 ? 1_400_000 : (simulated * 12 + 9) / 10
    }
}
