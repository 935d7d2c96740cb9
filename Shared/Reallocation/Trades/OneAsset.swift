/// A price of one asset's choice under given multipliers: what each part of it costs at the margin.
struct ChoicePrices: Equatable {
    /// Per currency of signed value.
    var value = 0.0
    /// Per currency of cost paid; one or more.
    var cost = 1.0
    /// Per currency of absolute value.
    var absolute = 0.0
    /// Per currency of short-term and of long-term gain.
    var short = 0.0
    var long = 0.0
    /// Per trade.
    var ticket = 0.0
}

extension ChoicePrices {
    /// What a choice of one asset pays at prices of the rows that all share.
    init(_ multipliers: [Double], of rows: [TradeModel.Row], in cell: TaxCell, asset: Int) {
        short = cell.short
        long = cell.long
        for (row, nu) in zip(rows, multipliers) where nu > 0 {
            if !row.value.isEmpty { value += nu * row.value[asset] }
            cost += nu * row.cost
            absolute += nu * row.absolute
            short += nu * row.short
            long += nu * row.long
            ticket += nu * row.count
        }
    }
}

/// One asset of the trade problem in binary figures: decisions are whole steps k, bought positive, sold negative.
///
/// A class because its arrays would be retained one by one with every copy in the search's innermost loops.
final class OneAsset: Sendable {
    /// A stretch of steps on which commission and fees are a + b |k|.
    struct CostSegment: Sendable {
        var to: Double
        var a: Double
        var b: Double
    }
    /// A lot by its gain for a step and its size in steps.
    struct Lot: Sendable {
        var gain: Double
        var size: Double
    }

    /// Currency of a step, and weight of a step.
    let stepValue: Double
    let stepWeight: Double
    /// Weight less target, before trades.
    let deviation: Double
    /// Allowed steps, and the least steps of a trade.
    let lowest: Double
    let highest: Double
    let leastTrade: Double
    let buying: [CostSegment]
    let selling: [CostSegment]
    /// Impact is this times |k|^1.5, but for an asset with pools.
    let impact: Double
    /// In steps; nil for an asset without.
    let pools: (buying: LiquidityCurve.Side, selling: LiquidityCurve.Side)?
    /// Whatever a trade takes that does not leave the cash account.
    let ticket: Double
    /// Lots by gain, smallest first.
    let shortLots: [Lot]
    let longLots: [Lot]
    /// Objective for a step from expected return.
    let drift: Double
    /// The order that the disposal method fixes, whatever the tax; nil where the tax chooses.
    let prescribed: LotOrder?
    /// Lots of which recent ones take losses of others away, where the tax chooses among them; nil where there is nothing to be taken away.
    let washed: WashedLots?
    /// Results that sales can realise, by side.
    let gainsShort: ClosedRange<Double>
    let gainsLong: ClosedRange<Double>
    /// Steps held in short-term lots, and in long-term ones.
    let shortSteps: Double
    let longSteps: Double

    init(
        stepValue: Double, stepWeight: Double, deviation: Double, lowest: Double, highest: Double, leastTrade: Double,
        buying: [CostSegment], selling: [CostSegment], impact: Double,
        pools: (buying: LiquidityCurve.Side, selling: LiquidityCurve.Side)? = nil, ticket: Double, shortLots: [Lot],
        longLots: [Lot], drift: Double, prescribed: LotOrder?, washed: WashedLots? = nil
    ) {
        self.stepValue = stepValue
        self.stepWeight = stepWeight
        self.deviation = deviation
        self.lowest = lowest
        self.highest = highest
        self.leastTrade = leastTrade
        self.buying = buying
        self.selling = selling
        self.impact = impact
        self.pools = pools
        self.ticket = ticket
        self.shortLots = shortLots
        self.longLots = longLots
        self.drift = drift
        self.prescribed = prescribed
        self.washed = washed
        func range(_ lots: [Lot]) -> ClosedRange<Double> {
            lots.reduce(0) { $0 + min(0, $1.gain * $1.size) }...lots.reduce(0) { $0 + max(0, $1.gain * $1.size) }
        }
        gainsShort = range(shortLots)
        gainsLong = range(longLots)
        shortSteps = shortLots.reduce(0) { $0 + $1.size }
        longSteps = longLots.reduce(0) { $0 + $1.size }
    }

    /// The same asset with fewer steps allowed.
    func within(_ low: Double, _ high: Double) -> OneAsset {
        OneAsset(
            stepValue: stepValue, stepWeight: stepWeight, deviation: deviation, lowest: low, highest: high,
            leastTrade: leastTrade, buying: buying, selling: selling, impact: impact, pools: pools,
            ticket: ticket, shortLots: shortLots, longLots: longLots, drift: drift, prescribed: prescribed,
            washed: washed)
    }

    /// Cost paid for k steps, without ticket.
    func cost(_ k: Double) -> Double {
        guard k != 0 else { return 0 }
        let segments = k > 0 ? buying : selling
        let x = k.magnitude
        var at = 0
        while at + 1 < segments.count, segments[at].to < x { at += 1 }
        let straight = segments[at].a + segments[at].b * x
        if let pools { return straight + (k > 0 ? pools.buying : pools.selling).cost(of: x, at: stepValue) }
        return straight + (impact == 0 ? 0 : impact * x * x.squareRoot())
    }

    /// Whether k steps may be traded within a domain.
    func allows(_ k: Double) -> Bool {
        k >= lowest && k <= highest && (k == 0 || k.magnitude >= leastTrade)
    }

    /// A range of steps without the trades at its ends that are too small to be made; nil where nothing is left.
    func tradable(_ low: Double, _ high: Double) -> (low: Double, high: Double)? {
        var (low, high) = (low, high)
        if low > 0 { low = max(low, leastTrade) }
        if high < 0 { high = min(high, -leastTrade) }
        if low <= 0, low > -leastTrade { low = 0 }
        if high >= 0, high < leastTrade { high = 0 }
        return low <= high ? (low, high) : nil
    }

    /// The lots merged for linear rates of tax, cheapest first: what a sale at these rates takes.
    func order(short: Double, long: Double) -> LotOrder {
        if let washed { return washed.order(short: short, long: long) }
        return boundOrder(short: short, long: long)
    }

    /// An order that costs no more at these rates than any choice of lots.
    func boundOrder(short: Double, long: Double) -> LotOrder {
        if let prescribed { return prescribed }
        if let washed { return washed.bound(short: short, long: long) }
        if shortLots.isEmpty && longLots.isEmpty { return LotOrder() }
        var queue: [(gain: Double, size: Double, isShort: Bool)] = []
        queue.reserveCapacity(shortLots.count + longLots.count)
        var (s, l) = (0, 0)
        let (shorts, longs) = (shortLots.count, longLots.count)
        while s < shorts || l < longs {
            let nextShort = s < shorts ? shortLots[short < 0 ? shorts - 1 - s : s] : nil
            let nextLong = l < longs ? longLots[long < 0 ? longs - 1 - l : l] : nil
            let isShort: Bool
            if let nextShort, let nextLong {
                let (a, b) = (short * nextShort.gain, long * nextLong.gain)
                isShort = a < b || (a == b && nextShort.gain <= nextLong.gain)
            } else {
                isShort = nextShort != nil
            }
            guard let lot = isShort ? nextShort : nextLong else { break }
            queue.append((lot.gain, lot.size, isShort))
            if isShort { s += 1 } else { l += 1 }
        }
        return LotOrder(queue)
    }

    /// Gains of selling x steps of which m come from short-term lots, each side by gain, smallest first.
    func gains(_ x: Double, fromShort m: Double) -> (short: Double, long: Double) {
        if let prescribed { return prescribed.gains(x) }
        func sum(_ lots: [Lot], _ steps: Double) -> Double {
            var (rest, total) = (steps, 0.0)
            for lot in lots where rest > 0 {
                let taken = min(rest, lot.size)
                total += taken * lot.gain
                rest -= taken
            }
            return total
        }
        return (sum(shortLots, m), sum(longLots, x - m))
    }

    /// The choice's price without the quadratic part: costs, tax, rows.
    func price(_ k: Double, _ prices: ChoicePrices, _ order: LotOrder) -> Double {
        guard k != 0 else { return 0 }
        var total = (prices.value * stepValue + drift) * k + prices.absolute * stepValue * k.magnitude
        total += prices.cost * cost(k) + ticket + prices.ticket
        if k < 0 {
            let gains = order.gains(-k)
            total += prices.short * gains.short + prices.long * gains.long
        }
        return total
    }

    /// The least of `price(k) + slope k + curvature k^2 / 2` over the allowed whole k, exactly.
    func least(
        _ prices: ChoicePrices, _ order: LotOrder, slope: Double, curvature: Double, from low: Double, to high: Double
    ) -> (k: Double, value: Double) {
        var best = (k: 0.0, value: low <= 0 && high >= 0 ? 0 : Double.infinity)
        let linear = slope + drift + prices.value * stepValue
        let fixed = ticket + prices.ticket
        let absolute = prices.absolute * stepValue
        if high >= 1 {
            var from = max(1, low, leastTrade)
            for segment in buying where from <= high {
                let to = min(segment.to.rounded(.down), high)
                if from <= to {
                    leastOnStretch(
                        constant: fixed + prices.cost * segment.a, slope: linear + absolute + prices.cost * segment.b,
                        curvature: curvature, costPrice: prices.cost, from, to, sign: 1, &best)
                    from = to + 1
                }
            }
        }
        guard low <= -1 else { return best }
        var from = max(1, -high, leastTrade)
        let last = -low
        let pieces = order.pieces
        var (piece, segment) = (0, 0)
        while from <= last, segment < selling.count {
            while piece + 1 < pieces.count, pieces[piece].to < from { piece += 1 }
            while segment + 1 < selling.count, selling[segment].to < from { segment += 1 }
            var to = min(last, selling[segment].to.rounded(.down))
            var (taxSlope, taxConstant) = (0.0, 0.0)
            if piece < pieces.count {
                let lot = pieces[piece]
                if piece + 1 < pieces.count { to = min(to, lot.to.rounded(.down)) }
                taxSlope = prices.short * lot.short + prices.long * lot.long
                taxConstant = prices.short * lot.shortBefore + prices.long * lot.longBefore - taxSlope * lot.from
            }
            to = max(to, from)
            leastOnStretch(
                constant: fixed + prices.cost * selling[segment].a + taxConstant,
                slope: -linear + absolute + prices.cost * selling[segment].b + taxSlope, curvature: curvature,
                costPrice: prices.cost, from, to, sign: -1, &best)
            from = to + 1
        }
        return best
    }

    /// The least of constant + slope x + curvature x^2/2 + impact of x at the price of costs, over whole x in [from, to].
    @inline(__always)
    private func leastOnStretch(
        constant: Double, slope: Double, curvature: Double, costPrice: Double, _ from: Double, _ to: Double,
        sign: Double, _ best: inout (k: Double, value: Double)
    ) {
        if let pools {
            let found = least(
                in: sign > 0 ? pools.buying : pools.selling, slope: slope, curvature: curvature, costPrice: costPrice,
                from, to)
            if constant + found.value < best.value { best = (sign * found.x, constant + found.value) }
            return
        }
        let impact = costPrice * impact
        var x = from
        if slope < 0 {
            if impact > 0 {
                // In t = sqrt x the derivative is slope + 1.5 impact t + curvature t^2.
                let b = 1.5 * impact
                let t = -2 * slope / (b + (b * b - 4 * curvature * slope).squareRoot())
                x = t * t
            } else {
                x = curvature > 0 ? -slope / curvature : to
            }
        }
        let below = min(max(x.rounded(.down), from), to)
        var at = below
        while true {
            let value =
                constant + slope * at + 0.5 * curvature * at * at + (impact > 0 ? impact * at * at.squareRoot() : 0)
            if value < best.value { best = (sign * at, value) }
            guard at == below, below + 1 <= to else { return }
            at = below + 1
        }
    }

    /// The same where pools say the impact: convex, so that a whole step with no better neighbour is the least.
    private func least(
        in side: LiquidityCurve.Side, slope: Double, curvature: Double, costPrice: Double, _ from: Double, _ to: Double
    ) -> (x: Double, value: Double) {
        func value(_ x: Double) -> Double {
            slope * x + 0.5 * curvature * x * x + costPrice * side.cost(of: x, at: stepValue)
        }
        let point = side.leastPoint(
            slope: slope, curvature: curvature, weight: costPrice, price: stepValue, from...to)
        let start = min(max(point.rounded(.down), from), to)
        var best = (x: start, value: value(start))
        for step in [1.0, -1] {
            var x = start + step
            while x >= from, x <= to {
                let next = value(x)
                guard next < best.value else { break }
                best = (x, next)
                x += step
            }
            if best.x != start { break }
        }
        return best
    }
}
