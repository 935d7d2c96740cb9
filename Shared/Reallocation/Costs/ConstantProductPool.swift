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
}
