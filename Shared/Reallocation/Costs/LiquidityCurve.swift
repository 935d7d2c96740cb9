/// What an order of an asset costs in its pools together, when its shares go where the last one costs the same.
///
/// With the fee inside, g = 1 - fee, the marginal price of a purchase is m = p / g and that of a sale m = g p. A range of liquidity L then gives
///
///     shares = Lambda |1/sqrt m0 - 1/sqrt m|,   cash = Lambda |sqrt m - sqrt m0|,   Lambda = L / sqrt g,
///
/// so that ranges of several pools which lie at the same m add up, and the best split of an order needs no search: the curve is a row of stretches
/// of constant Lambda. On each, v shares further on, cash = m0 v / (1 -+ v / a) with a = Lambda / sqrt m0: convex in what is bought, concave in
/// what is sold. Source: Adams et al. (2021), Uniswap v3 Core; Angeris et al. (2022), Optimal routing for constant function market makers.
public struct LiquidityCurve: Sendable, Equatable {
    /// One direction of trade.
    public struct Side: Sendable, Equatable {
        struct Stretch: Sendable, Equatable {
            /// Shares and cash of all before it.
            var shares: Double
            var cash: Double
            /// Marginal price of its first share.
            var price: Double
            /// a: for a purchase the shares of an endless stretch.
            var reserve: Double
        }

        let isSale: Bool
        private(set) var stretches: [Stretch] = []
        /// Most shares that can be traded; for a purchase from an endless range never reached.
        public private(set) var capacity = 0.0
        /// Whether the last stretch has no end: what it has is approached at ever higher prices, and never bought.
        private var isEndless = false

        fileprivate init(_ pools: [LiquidityPool], isSale: Bool) {
            self.isSale = isSale
            // Where liquidity begins and ends along the marginal price, from the first share on.
            var ends: [(price: Double, change: Double, count: Int)] = []
            for pool in pools {
                for range in pool.ranges {
                    guard let part = Self.part(of: range, pool, isSale: isSale) else { continue }
                    ends.append((part.first, part.depth, 1))
                    ends.append((part.last, -part.depth, -1))
                }
            }
            ends.sort { isSale ? $0.price > $1.price : $0.price < $1.price }
            var (depth, count, cash) = (0.0, 0, 0.0)
            for (at, end) in ends.enumerated() {
                // Where nothing is left, rounding leaves nothing either.
                count += end.count
                depth = count == 0 ? 0 : depth + end.change
                guard count > 0, at + 1 < ends.count, ends[at + 1].price != end.price else { continue }
                let (from, to) = (end.price.squareRoot(), ends[at + 1].price.squareRoot())
                stretches.append(Stretch(shares: capacity, cash: cash, price: end.price, reserve: depth / from))
                capacity += depth * (1 / from - 1 / to).magnitude
                isEndless = to == .infinity
                cash += depth * (to - from).magnitude
            }
        }

        /// Marginal prices between which a range serves this side, and its Lambda; nil where it does not.
        fileprivate static func part(
            of range: LiquidityPool.Range, _ pool: LiquidityPool, isSale: Bool
        ) -> (first: Double, last: Double, depth: Double)? {
            let keep = pool.keep
            let depth = range.liquidity / keep.squareRoot()
            guard depth > 0 else { return nil }
            if isSale {
                let first = min(range.upper, pool.price)
                return range.lower < first ? (first * keep, range.lower * keep, depth) : nil
            }
            let first = max(range.lower, pool.price)
            return first < range.upper ? (first / keep, range.upper / keep, depth) : nil
        }

        /// The same curve for steps of so many shares.
        func inSteps(of size: Double) -> Side {
            var side = self
            side.capacity /= size
            for at in side.stretches.indices {
                side.stretches[at].shares /= size
                side.stretches[at].reserve /= size
                side.stretches[at].price *= size
            }
            return side
        }

        private func stretch(at shares: Double) -> Stretch? {
            var (low, high) = (0, stretches.count)
            while low < high {
                let middle = (low + high) / 2
                if stretches[middle].shares <= shares { low = middle + 1 } else { high = middle }
            }
            return low > 0 ? stretches[low - 1] : nil
        }

        /// Whether so many shares can be traded, rounding aside.
        func holds(_ shares: Double) -> Bool { isEndless ? shares < capacity : shares <= capacity * (1 + 1e-12) }

        /// What a purchase of so many shares takes, or what a sale brings. Beyond the capacity a purchase has no price (infinity), and the rest of a
        /// sale brings nothing.
        public func cash(_ shares: Double) -> Double {
            guard shares > 0 else { return 0 }
            guard let last = stretch(at: min(shares, capacity)), isSale || holds(shares) else {
                return isSale ? 0 : .infinity
            }
            let v = min(shares, capacity) - last.shares
            guard isSale || v < last.reserve else { return .infinity }
            return last.cash + last.price * v / (1 + (isSale ? v : -v) / last.reserve)
        }

        /// What so many shares cost beside their value at a price.
        func cost(of shares: Double, at price: Double) -> Double {
            isSale ? price * shares - cash(shares) : cash(shares) - price * shares
        }

        /// The price of the next share after so many; nil without liquidity.
        func marginalPrice(after shares: Double) -> Double? {
            guard let last = stretch(at: shares) else { return nil }
            let bend = 1 + (isSale ? 1 : -1) * (shares - last.shares) / last.reserve
            return last.price / (bend * bend)
        }

        /// Where slope x + curvature x^2 / 2 + weight (what x shares cost beside their value at a price) is least in a range, not whole in general.
        ///
        /// The slope grows along x, so that the stretch in which it turns is found first.
        func leastPoint(
            slope: Double, curvature: Double, weight: Double, price: Double, _ range: ClosedRange<Double>
        ) -> Double {
            let sign = isSale ? -1.0 : 1
            func rise(_ at: Stretch, _ v: Double) -> (value: Double, slope: Double) {
                let bend = 1 / (1 - sign * v / at.reserve)
                let margin = at.price * bend * bend
                return (
                    slope + curvature * (at.shares + v) + weight * sign * (margin - price),
                    curvature + weight * 2 * margin * bend / at.reserve
                )
            }
            var (low, high) = (0, stretches.count)
            while low < high {
                let middle = (low + high) / 2
                if rise(stretches[middle], 0).value < 0 { low = middle + 1 } else { high = middle }
            }
            guard low > 0 else { return range.lowerBound }
            let at = stretches[low - 1]
            let end = min(range.upperBound, low < stretches.count ? stretches[low].shares : capacity) - at.shares
            guard end > 0 else { return min(max(at.shares, range.lowerBound), range.upperBound) }
            // Newton's method within a bracket, until that is half a share wide.
            var (below, above) = (min(max(0, range.lowerBound - at.shares), end), end)
            var v = below
            for _ in 0..<200 where above - below > 0.5 {
                let (value, bent) = rise(at, v)
                // All that an endless stretch has is at no price.
                if value < 0 { below = v } else { above = v }
                var next = value.isFinite && bent > 0 ? v - value / bent : .infinity
                // Near the end of its way a step beyond closes the bracket.
                if (next - v).magnitude < 0.25 { next = value < 0 ? v + 0.5 : v - 0.5 }
                v = next > below && next < above ? next : (below + above) / 2
            }
            return min(max(at.shares + (below + above) / 2, range.lowerBound), range.upperBound)
        }

        /// The most shares that an amount buys; of an endless stretch all but its last billionth, however much there is.
        func shares(for amount: Double) -> Double {
            guard amount > 0, let last = stretches.last(where: { $0.cash < amount }) else { return 0 }
            let rest = amount - last.cash
            let most = isEndless ? capacity - 1e-9 * last.reserve : capacity
            return min(most, last.shares + rest / (last.price + rest / last.reserve))
        }
    }

    private let pools: [LiquidityPool]
    public let buying: Side
    public let selling: Side

    public init(_ pools: [LiquidityPool]) {
        self.pools = pools
        buying = Side(pools, isSale: false)
        selling = Side(pools, isSale: true)
    }

    /// What an order costs beside its value at a price: fees of the pools and the move of their prices. Bought positive, sold negative.
    public func cost(of shares: Double, at price: Double) -> Double {
        shares > 0 ? buying.cost(of: shares, at: price) : selling.cost(of: -shares, at: price)
    }

    /// One-way cost of a first share, a fraction of the price: the dearer and the cheaper side.
    func edges(at price: Double) -> (least: Double, mean: Double) {
        let buy = (buying.marginalPrice(after: 0) ?? price) / price - 1
        let sell = 1 - (selling.marginalPrice(after: 0) ?? price) / price
        return (max(0, min(buy, sell)), max(0, (buy + sell) / 2))
    }

    /// The shares of an order that each pool serves.
    public func split(_ shares: Double) -> [Double] {
        let side = shares < 0 ? selling : buying
        let size = min(shares.magnitude, side.capacity)
        guard size > 0, let margin = side.marginalPrice(after: size) else { return pools.map { _ in 0 } }
        let parts = pools.map { pool in
            pool.ranges.reduce(0.0) { sum, range in
                guard let part = Side.part(of: range, pool, isSale: side.isSale) else { return sum }
                let reached = side.isSale ? max(margin, part.last) : min(margin, part.last)
                guard side.isSale ? reached < part.first : reached > part.first else { return sum }
                return sum + part.depth * (1 / part.first.squareRoot() - 1 / reached.squareRoot()).magnitude
            }
        }
        let sum = parts.reduce(0, +)
        return sum > 0 ? parts.map { $0 / sum * shares.magnitude } : parts
    }
}
