extension RebalanceSettings {
    /// A liquidity pool of an asset against the plan's currency, in whole units of both.
    public struct Pool: Sendable, Equatable {
        /// What the pool holds of both; of a constant-product pool.
        public struct Reserves: Sendable, Equatable {
            public var asset: FixedDecimal
            /// Nil for as much as the asset's price makes of the other.
            public var cash: FixedDecimal?
        }

        /// Liquidity L between two prices: of the currency L (sqrt p - sqrt lower) and of the asset L (1 / sqrt p - 1 / sqrt upper) lie in it.
        public struct Range: Sendable, Equatable {
            public var lower: FixedDecimal
            /// Nil for no end.
            public var upper: FixedDecimal?
            public var liquidity: FixedDecimal
        }

        /// Of what is paid in.
        public var fee: FixedDecimal = 0
        public var reserves: Reserves?
        /// Of a pool with ranges; nil for the asset's.
        public var price: FixedDecimal?
        public var ranges: [Range] = []
    }

    /// What the Solana network takes for the transaction of a trade, in lamports.
    public struct Network: Sendable, Equatable {
        public var signatures = 1
        public var computeUnits = 0
        public var microLamportsPerUnit = 0
        public var tip = 0
        /// In the plan's currency; nil for the price of the asset SOL.
        public var solPrice: FixedDecimal?
    }

    /// Pools of an asset, and ranges of a pool, at most.
    public static let mostPools = 16
    public static let mostRanges = 1000
}

extension RebalanceSettings.Pool {
    static let amounts: ClosedRange<FixedDecimal> = 0...1_000_000_000_000_000

    init(_ reader: MemberReader) {
        fee = reader.fixed("fee", in: 0...1) ?? 0
        if fee == 1 { reader.fault("fee", .outOfRange, "A pool that keeps everything trades nothing.") }
        if let inner = reader.object("reserves") {
            let asset = inner.fixed("asset", required: true, in: Self.amounts, isAbove: 0)
            let cash = inner.fixed("cash", in: Self.amounts, isAbove: 0)
            inner.finish()
            if let asset { reserves = Reserves(asset: asset, cash: cash) }
        }
        price = reader.fixed("price", in: 0...1_000_000_000, isAbove: 0)
        let most = RebalanceSettings.mostRanges
        for (place, value) in reader.elements("ranges", count: 1...most) ?? [] {
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            let lower = inner.fixed("lower", in: 0...1_000_000_000) ?? 0
            let upper = inner.fixed("upper", in: 0...1_000_000_000_000, isAbove: 0)
            let liquidity = inner.fixed("liquidity", required: true, in: Self.amounts, isAbove: 0)
            inner.finish()
            if let upper, upper <= lower {
                inner.fault("upper", .contradiction, "The range ends at \(upper), not above \(lower).")
            }
            if let liquidity { ranges.append(Range(lower: lower, upper: upper, liquidity: liquidity)) }
        }
        switch (reader.has("reserves"), reader.has("ranges")) {
        case (true, true):
            reader.fault("ranges", .contradiction, "A pool has reserves (constant product) or ranges, not both.")
        case (false, false):
            reader.fault("reserves", .missing, "A pool needs reserves (constant product) or ranges.")
        case (true, false):
            if reader.has("price") { reader.fault("price", .contradiction, "The reserves say the price.") }
        case (false, true): break
        }
        reader.finish()
    }
}

extension RebalanceSettings.Network {
    init(_ reader: MemberReader) {
        signatures = reader.int("signatures", in: 1...64) ?? signatures
        computeUnits = reader.int("compute_units", in: 0...1_400_000) ?? computeUnits
        let lamports = 0...1_000_000_000_000
        microLamportsPerUnit = reader.int("micro_lamports_per_unit", in: lamports) ?? microLamportsPerUnit
        tip = reader.int("tip", in: lamports) ?? tip
        solPrice = reader.fixed("sol_price", in: 0...1_000_000_000, isAbove: 0)
        reader.finish()
    }
}
