public import WireFormat

/// One asset's limit order book: resting orders by price, and at one price by age.
///
/// Orders of the market are laid out so that what lies within x beyond the best price is
///
///     depth(x) = V (x / (3/2 Y sigma p))^2
///
/// Whoever walks it to Q shares pays 3/2 Y sigma p sqrt(Q/V) beyond the best price for the last share and Y sigma p sqrt(Q/V) on average: the
/// square-root law of `SquareRootImpact`. Source: Toth et al. (2011), Anomalous price impact and the critical nature of liquidity, whose
/// latent order book is linear around the price; Bouchaud, Farmer and Lillo (2009) for queues by price and time.
public struct LimitOrderBook: Sendable {
    public enum Side: Sendable, Equatable { case bid, ask }

    /// A resting order.
    public struct Resting: Sendable, Equatable {
        /// Whose; nil for the market's.
        public var owner: String?
        public var price: FixedDecimal
        /// Shares left.
        public var quantity: FixedDecimal
        /// As it was placed.
        public var size: FixedDecimal
        /// Grows with each order: the smaller one is served first at the same price.
        public var age: Int
    }

    /// Shares that changed hands with one resting order.
    public struct Match: Sendable, Equatable {
        public var owner: String?
        public var quantity: FixedDecimal
        public var price: FixedDecimal
    }

    /// How the market's orders are laid out.
    public struct Shape: Sendable, Equatable {
        public var mid: FixedDecimal
        public var halfSpread: FixedDecimal
        /// Y sigma p / sqrt(V): what one share costs; zero where no volume is known, and then the best price has all shares.
        public var impact: Double
        /// Shares of a day.
        public var volume: Double
        /// Prices are multiples of it.
        public var tick: FixedDecimal

        /// - Parameter coefficient: Y.
        public init(_ quote: MarketQuote, coefficient: Double) {
            mid = quote.price
            halfSpread = quote.halfSpread
            volume = max(0, quote.dailyVolume?.double ?? 0)
            impact =
                volume > 0
                ? max(0, coefficient * (quote.dailyVolatility ?? 0)) * quote.price.double / volume.squareRoot() : 0
            // About a ten-thousandth of the price, a cent at most.
            var tick = FixedDecimal(1) / 100
            while tick * 10_000 > quote.price, tick > FixedDecimal(1) / 1_000_000_000 { tick = tick / 10 }
            self.tick = tick
        }
    }

    /// Best price first.
    public private(set) var bids: [Resting] = []
    public private(set) var asks: [Resting] = []
    public let shape: Shape
    private var age = 0

    /// Daily volumes that rest on either side; beyond them the market has no orders.
    static let daysDeep = 4.0

    private let factor: Double
    private let shift: FixedDecimal

    /// An empty book as seeded numbers make it; `fill` brings the market's orders.
    ///
    /// - Parameters:
    ///   - depthNoise: how far the depth of this book may be from the mean, a fraction of the impact; its mean is the law.
    ///   - random: uniform in [0, 1).
    init(_ shape: Shape, depthNoise: Double, random: inout SeededUniform) {
        self.shape = shape
        factor = 1 + depthNoise * (2 * random.next() - 1)
        // One shift for all prices keeps their order, and leaves their means where they are before the ticks.
        shift = FixedDecimal(random.next(), places: 6)
    }

    /// Lays the market's orders of a side out, in front of whatever comes later.
    mutating func fill(_ side: Side, random: inout SeededUniform) {
        var queue: [Resting] = []
        func add(_ offset: Double, _ size: FixedDecimal) {
            age += 1
            queue.append(
                Resting(owner: nil, price: price(side, offset: offset), quantity: size, size: size, age: age))
        }
        if shape.impact > 0 {
            var from = 0.0
            let end = Self.daysDeep * shape.volume
            while from < end {
                // Ever larger orders: whatever a taker's size, it meets some dozens of them.
                let to = min(end, max(from * (1.1 + 0.2 * random.next()), shape.volume * 1e-6))
                // The mean of 3/2 impact sqrt(q) over the order's own shares.
                let mean = (to * to.squareRoot() - from * from.squareRoot()) / (to - from)
                let size = FixedDecimal(to - from, places: 9)
                if size > 0 { add(factor * shape.impact * mean, size) }
                from = to
            }
        } else {
            add(0, .unlimited)
        }
        if side == .bid { bids = queue + bids } else { asks = queue + asks }
    }

    private func price(_ side: Side, offset: Double) -> FixedDecimal {
        let edge = shape.halfSpread + FixedDecimal(offset, places: 9)
        let exact = side == .ask ? shape.mid + edge : shape.mid - edge
        return max((exact + shift * shape.tick).roundedDown(to: shape.tick), shape.tick)
    }

    /// Resting orders of a side, best first.
    public func orders(_ side: Side) -> [Resting] { side == .bid ? bids : asks }

    /// Puts an order into the queue of its price.
    public mutating func rest(_ owner: String?, _ side: Side, _ price: FixedDecimal, _ quantity: FixedDecimal) {
        age += 1
        let order = Resting(owner: owner, price: price, quantity: quantity, size: quantity, age: age)
        func isBefore(_ other: Resting) -> Bool { side == .bid ? other.price >= price : other.price <= price }
        if side == .bid {
            bids.insert(order, at: bids.firstIndex { !isBefore($0) } ?? bids.count)
        } else {
            asks.insert(order, at: asks.firstIndex { !isBefore($0) } ?? asks.count)
        }
    }

    /// Takes an owner's orders back; how many shares were left of them.
    @discardableResult
    public mutating func withdraw(_ owner: String) -> FixedDecimal {
        let left = (bids + asks).filter { $0.owner == owner }.map { $0.quantity }.reduce(.zero, +)
        bids.removeAll { $0.owner == owner }
        asks.removeAll { $0.owner == owner }
        return left
    }

    /// Serves a taker with the resting orders of a side, the best and oldest first, up to a quantity and not beyond a limit price.
    public mutating func take(_ quantity: FixedDecimal, from side: Side, limit: FixedDecimal? = nil) -> [Match] {
        var queue = side == .bid ? bids : asks
        var left = quantity
        var matches: [Match] = []
        var served = 0
        while left > 0, served < queue.count {
            let price = queue[served].price
            if let limit, side == .ask ? price > limit : price < limit { break }
            let part = min(left, queue[served].quantity)
            matches.append(Match(owner: queue[served].owner, quantity: part, price: price))
            queue[served].quantity -= part
            left -= part
            if queue[served].quantity == 0 { served += 1 } else { break }
        }
        queue.removeFirst(served)
        if side == .bid { bids = queue } else { asks = queue }
        return matches
    }

    /// Shares that a side offers at a price or better, not counting an owner's.
    public func depth(_ side: Side, within limit: FixedDecimal) -> FixedDecimal {
        orders(side).filter { side == .ask ? $0.price <= limit : $0.price >= limit }.map { $0.quantity }
            .reduce(.zero, +)
    }
}

extension FixedDecimal {
    /// More shares than any order has.
    fileprivate static let unlimited = FixedDecimal(1_000_000_000_000_000)
}
