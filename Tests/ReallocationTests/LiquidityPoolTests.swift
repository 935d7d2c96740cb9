import TestSupport
import Testing
import WireFormat

@testable import Reallocation

@Suite("Liquidity pools")
struct LiquidityPoolTests {
    /// A pool as it is found somewhere: one constant product, or up to four ranges around and beside its price.
    private static func pool(_ random: inout SplitMix64, price: Double) -> LiquidityPool {
        let fee = random.chance(0.2) ? 0 : 0.0001 + 0.02 * random.uniform()
        let own = price * (1 + fee * (1.8 * random.uniform() - 0.9))
        guard random.chance(0.6) else {
            let reserve = 10 + 5000 * random.uniform()
            return LiquidityPool(reserve: reserve, against: reserve * own, fee: fee)
        }
        let ranges = (0..<(1 + random.integer(4))).map { _ in
            let lower = own * (0.5 + 0.8 * random.uniform())
            return LiquidityPool.Range(
                lower: random.chance(0.1) ? 0 : lower,
                upper: random.chance(0.1) ? .infinity : lower * (1.01 + random.uniform()),
                liquidity: 10 + 3000 * random.uniform())
        }
        return LiquidityPool(price: own, fee: fee, ranges: ranges)
    }

    private func pow10(_ exponent: Int) -> Double { Double("1e\(exponent)") ?? 1 }

    @Test("a constant product brings and takes what whole units do")
    func constantProduct() throws {
        var random = SplitMix64(seed: 5)
        for _ in 0..<500 {
            let (asset, cash) = (1_000_000_000 + random.next() >> 16, 1_000_000_000 + random.next() >> 14)
            let fee = UInt32(random.integer(20_000))
            let curve = LiquidityCurve([
                LiquidityPool(reserve: Double(asset), against: Double(cash), fee: Double(fee) / 1e6)
            ])
            let amount = 1_000_000 + UInt64(Double(asset) * 3 * random.uniform())
            let sale = try #require(ConstantProductPool(reserveIn: asset, reserveOut: cash, feePPM: fee)).swap(amount)
            // Less than a unit of what goes in is lost in whole units.
            let unitIn = Double(cash) / Double(asset)
            #expect(
                (curve.selling.cash(Double(amount)) - Double(sale.out)).magnitude <= 2 + unitIn + 1e-12
                    * Double(sale.out))
            // What buys so much is what brings it.
            let buy = try #require(ConstantProductPool(reserveIn: cash, reserveOut: asset, feePPM: fee)).swap(amount)
            let paid = curve.buying.cash(Double(buy.out))
            let unit = curve.buying.cash(Double(buy.out) + 1) - paid
            #expect(paid <= Double(amount) * (1 + 1e-12) + 1 && paid + 2 * unit + 2 >= Double(amount) * (1 - 1e-12))
        }
    }

    @Test("worked: ten of a thousand at 100 with three thousandths of fee")
    func worked() {
        let curve = LiquidityCurve([LiquidityPool(reserve: 1000, against: 100_000, fee: 0.003)])
        // 100,000 x 10 / 990 = 1,010.1010.. net, over 0.997.
        #expect((curve.cost(of: 10, at: 100) - (100_000 * 10 / 990 / 0.997 - 1000)).magnitude < 1e-9)
        // Net 9.97: 100,000 x 9.97 / 1,009.97.
        #expect((curve.cost(of: -10, at: 100) - (1000 - 100_000 * 9.97 / 1009.97)).magnitude < 1e-9)
        #expect(curve.cost(of: 0, at: 100) == 0)
        #expect(curve.buying.cash(1000) == .infinity && curve.selling.capacity == .infinity)
        #expect(!curve.buying.holds(1000) && curve.buying.holds(999.9) && curve.selling.holds(1e12))
        #expect((curve.buying.shares(for: curve.buying.cash(900)) - 900).magnitude < 1e-9)
        // Liquidity cut into pieces is the same liquidity.
        let depth = 1e8.squareRoot()
        let pieces = LiquidityCurve([
            LiquidityPool(
                price: 100, fee: 0.003,
                ranges: [(0.0, 90.0), (90, 99.5), (99.5, 104), (104, .infinity)].map {
                    LiquidityPool.Range(lower: $0.0, upper: $0.1, liquidity: depth)
                })
        ])
        for shares in [-50_000.0, -300, -10, -1, 1, 10, 300, 990] {
            let whole = curve.cost(of: shares, at: 100)
            #expect((pieces.cost(of: shares, at: 100) - whole).magnitude < 1e-9 * (1 + whole))
        }
    }

    @Test("a range ends: nothing is sold beyond it, and the rest of a sale brings nothing")
    func ends() {
        let depth = 1000.0
        let curve = LiquidityCurve([
            LiquidityPool(price: 100, fee: 0, ranges: [.init(lower: 81, upper: 121, liquidity: depth)])
        ])
        // 1/10 - 1/11 and 1/9 - 1/10 of the liquidity; 11 - 10 and 10 - 9 of it in currency.
        #expect((curve.buying.capacity - depth * (1 / 10.0 - 1 / 11.0)).magnitude < 1e-9)
        #expect((curve.selling.capacity - depth * (1 / 9.0 - 1 / 10.0)).magnitude < 1e-9)
        #expect((curve.buying.cash(curve.buying.capacity) - depth).magnitude < 1e-9)
        #expect((curve.selling.cash(1e6) - depth).magnitude < 1e-9)
        #expect(curve.buying.cash(curve.buying.capacity * 1.001) == .infinity)
        let empty = LiquidityCurve([])
        #expect(empty.buying.capacity == 0 && empty.buying.cash(1) == .infinity && empty.selling.cash(1) == 0)
        // A hole in the liquidity is a jump of the next price, not of what was paid.
        let hole = LiquidityCurve([
            LiquidityPool(
                price: 100, fee: 0,
                ranges: [
                    .init(lower: 90, upper: 104.04, liquidity: depth), .init(lower: 121, upper: 144, liquidity: depth),
                ])
        ])
        let first = depth * (1 / 10.0 - 1 / 10.2)
        #expect((hole.buying.cash(first) - depth * 0.2).magnitude < 1e-9)
        #expect((hole.buying.cash(first + 1e-6) - hole.buying.cash(first) - 121e-6).magnitude < 1e-9)
        #expect((hole.buying.capacity - first - depth * (1 / 11.0 - 1 / 12.0)).magnitude < 1e-9)
    }

    @Test("random pools: the curve is the best split, convex, and its margin is its slope", arguments: 0..<4)
    func split(block: Int) {
        var random = SplitMix64(seed: UInt64(40 + block))
        for _ in 0..<250 {
            let price = 0.01 + 300 * random.uniform()
            let pools = (0..<(1 + random.integer(4))).map { _ in Self.pool(&random, price: price) }
            let curve = LiquidityCurve(pools)
            let own = pools.map { LiquidityCurve([$0]) }
            for isSale in [false, true] {
                let side = isSale ? curve.selling : curve.buying
                let sides = own.map { isSale ? $0.selling : $0.buying }
                let reach = min(side.capacity, 8000)
                guard reach > 0 else { continue }
                let shares = reach * (0.001 + 0.99 * random.uniform())
                let cash = side.cash(shares)
                let scale = 1e-9 * (cash + price * shares * 1e-3)
                let parts = curve.split(isSale ? -shares : shares)
                #expect((parts.reduce(0, +) - shares).magnitude <= 1e-9 * shares)
                #expect((zip(sides, parts).reduce(0) { $0 + $1.0.cash($1.1) } - cash).magnitude <= scale)
                // No other split is better.
                for _ in 0..<6 {
                    var other = parts
                    let (from, to) = (random.integer(pools.count), random.integer(pools.count))
                    let moved = other[from] * random.uniform()
                    other[from] -= moved
                    other[to] += moved
                    let sum = zip(sides, other).reduce(0) { $0 + $1.0.cash($1.1) }
                    #expect(isSale ? sum <= cash + scale : sum >= cash - scale)
                }
                let near = shares * (0.3 + 0.6 * random.uniform())
                let chord = side.cash(near / 2) + (side.cash(shares) - side.cash(near / 2)) / 2
                let middle = side.cash((near / 2 + shares) / 2)
                #expect(isSale ? middle >= chord - scale : middle <= chord + scale)
                let step = 1e-5 * shares
                if let margin = side.marginalPrice(after: near) {
                    let slope = (side.cash(near + step) - side.cash(near)) / step
                    let next = side.marginalPrice(after: near + step) ?? margin
                    #expect(slope >= min(margin, next) * (1 - 1e-6) && slope <= max(margin, next) * (1 + 1e-6))
                }
                // At the pools' own fees an order is never paid for.
                #expect(curve.cost(of: isSale ? -shares : shares, at: price) >= -1e-9 * price * shares)
                if !isSale, cash.isFinite { #expect((side.shares(for: cash) - shares).magnitude <= 1e-7 * shares) }
                // Where the slope turns, whatever it is: to the pole of an endless stretch.
                let (slope, weight) = (-price * pow10(random.integer(8) - 3) * random.uniform(), 1 + random.uniform())
                let curvature = random.chance(0.3) ? 0 : price * pow10(random.integer(6) - 6)
                let range = (random.chance(0.5) ? 0 : 0.1 * reach)...(random.chance(0.5) ? reach : reach * 0.9999)
                func value(_ x: Double) -> Double {
                    slope * x + curvature * x * x / 2
                        + weight * (isSale ? price * x - side.cash(x) : side.cash(x) - price * x)
                }
                let point = side.leastPoint(
                    slope: slope, curvature: curvature, weight: weight, price: price, range)
                #expect(range.contains(point))
                // Half a share wide is the place of the least; on either side of it the value only grows.
                for share in [-0.1, -0.01, -0.001, 0.001, 0.01, 0.1] {
                    let edge = min(max(point + (share < 0 ? -0.26 : 0.26), range.lowerBound), range.upperBound)
                    let other = min(max(edge + share * reach, range.lowerBound), range.upperBound)
                    #expect(value(other) >= value(edge) - 1e-9 * (1 + value(edge).magnitude))
                }
                let steps = side.inSteps(of: 0.01)
                #expect((steps.cash(shares / 0.01) - cash).magnitude <= scale)
            }
        }
    }
}
