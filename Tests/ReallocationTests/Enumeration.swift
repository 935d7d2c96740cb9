import LinearAlgebra
import TestSupport
import Testing
import WireFormat
@testable import Reallocation

/// Every combination of whole steps and of lots, priced by the decimal definitions.
struct Enumeration {
    let problem: TradeProblem
    private struct Choice {
        var value: Double
        var cost: Double
        var steps: Double
        var gains: [(short: FixedDecimal, long: FixedDecimal)]
    }
    private var choices: [[Choice]] = []
    private let start: [Double]
    private let stepWeight: [Double]
    private let total: Double

    init(_ problem: TradeProblem) throws {
        self.problem = problem
        total = problem.value.double
        start = problem.assets.map { ($0.quote.price * $0.held).double / problem.value.double - $0.target.double }
        stepWeight = problem.assets.map { $0.quote.price.double / problem.value.double }
        for asset in problem.assets {
            let quote = asset.quote
            let lots = asset.lots.filter { !asset.lockedLots.contains($0.id) }
            let cap =
                (try #require(problem.limits.participation) * (try #require(quote.dailyVolume))).roundedDown(to: 1).int
                ?? 0
            let sellable = lots.compactMap { $0.quantity.int }.reduce(0, +)
            let sale = Disposal(date: problem.date, netPrice: problem.netPrice(quote), tax: problem.tax)
            var own: [Choice] = []
            for k in -min(cap, sellable)...(asset.canBuy ? cap : 0) {
                let shares = FixedDecimal(k)
                let value = quote.price * shares.magnitude
                if k != 0, value < problem.limits.minimumTrade { continue }
                let after = (quote.price * (asset.held + shares))
                if let highest = asset.highestWeight, after > highest * problem.value { continue }
                guard quote.covers(shares) else { continue }
                let cost = problem.costs.cost(of: shares, quote)
                var gains: [(short: FixedDecimal, long: FixedDecimal)] = [(0, 0)]
                if k < 0, problem.tax.mode != .none {
                    if problem.tax.method == .minimumTax {
                        gains = []
                        func visit(_ sold: [Int], _ rest: Int) {
                            guard sold.count < lots.count else {
                                if rest == 0 { gains.append(realised(asset, sale, lots, sold)) }
                                return
                            }
                            for taken in 0...min(rest, lots[sold.count].quantity.int ?? 0) {
                                visit(sold + [taken], rest - taken)
                            }
                        }
                        visit([], -k)
                        // A split that realises more on both sides than another is never better.
                        gains.sort { ($0.short, $0.long) < ($1.short, $1.long) }
                        var kept: [(short: FixedDecimal, long: FixedDecimal)] = []
                        for gain in gains where kept.last.map({ gain.long < $0.long }) ?? true { kept.append(gain) }
                        gains = kept
                    } else {
                        let sales = try sale.select(FixedDecimal(-k), from: lots, by: problem.tax.method)
                        gains = [
                            realised(
                                asset, sale, lots,
                                lots.map { lot in
                                    sales.filter { $0.lot.id == lot.id }.map { $0.quantity }.reduce(0, +).int ?? 0
                                })
                        ]
                    }
                }
                own.append(
                    Choice(value: (quote.price * shares).double, cost: cost.paid.double, steps: Double(k), gains: gains)
                )
            }
            choices.append(own)
        }
    }

    /// Results by side of so many shares of each lot: a loss share counts unless a recent share of another lot that is kept takes its place, the
    /// oldest with the oldest, one for one.
    private func realised(
        _ asset: TradeAsset, _ sale: Disposal, _ lots: [TaxLot], _ sold: [Int]
    ) -> (short: FixedDecimal, long: FixedDecimal) {
        let shares = Dictionary(uniqueKeysWithValues: zip(lots.map { $0.id }, sold))
        let byAge = asset.lots.sorted { ($0.acquired, $0.id) < ($1.acquired, $1.id) }
        var kept: [String] = []
        if problem.tax.washSale != nil {
            for lot in byAge where problem.date.daysSinceEpoch - lot.acquired.daysSinceEpoch <= 30 {
                kept += [String](repeating: lot.id, count: (lot.quantity.int ?? 0) - (shares[lot.id] ?? 0))
            }
            for lot in asset.foreignPurchases {
                kept += [String](repeating: "foreign " + lot.id, count: lot.quantity.int ?? 0)
            }
        }
        var (short, long) = (FixedDecimal.zero, FixedDecimal.zero)
        for lot in byAge {
            let gain = sale.gainPerShare(lot)
            var counted = shares[lot.id] ?? 0
            if gain < 0 {
                for _ in 0..<counted {
                    guard let place = kept.firstIndex(where: { $0 != lot.id }) else { break }
                    kept.remove(at: place)
                    counted -= 1
                }
            }
            if sale.term(lot) == .short {
                short += gain * FixedDecimal(counted)
            } else {
                long += gain * FixedDecimal(counted)
            }
        }
        return (short, long)
    }

    /// The least objective; nil where no combination keeps to the limits.
    /// - Parameter part: only trades whose steps of one asset lie within a range.
    func best(part: (asset: Int, steps: ClosedRange<Double>)? = nil) throws -> Double? {
        var best: Double?
        var seen: [[FixedDecimal]: Double] = [:]
        func tax(_ short: FixedDecimal, _ long: FixedDecimal) -> (price: Double, isAllowed: Bool) {
            let value = problem.tax.tax(ofShort: short, long: long)
            let isAllowed = problem.limits.taxBudget.map { value <= $0 } ?? true
            let key = [short, long]
            if let known = seen[key] { return (known, isAllowed) }
            let price = (value - problem.tax.carryValue(ofShort: short, long: long)).double
            seen[key] = price
            return (price, isAllowed)
        }
        let n = problem.assets.count
        let limits = problem.limits
        var picked: [Choice] = []
        func lots(_ index: Int, _ short: FixedDecimal, _ long: FixedDecimal, _ base: Double) {
            guard index < n else {
                let (price, isAllowed) = tax(short, long)
                if isAllowed, base + price < best ?? .infinity { best = base + price }
                return
            }
            for gain in picked[index].gains { lots(index + 1, short + gain.short, long + gain.long, base) }
        }
        func visit() {
            guard picked.count == n else {
                let range = part.flatMap { $0.asset == picked.count ? $0.steps : nil }
                for choice in choices[picked.count] where range?.contains(choice.steps) ?? true {
                    picked.append(choice)
                    visit()
                    picked.removeLast()
                }
                return
            }
            let spent = picked.reduce(0) { $0 + $1.value + $1.cost }
            guard problem.cash.double - spent >= limits.cashFloor.double - 1e-9 else { return }
            let trades = picked.filter { $0.steps != 0 }.count
            if let most = limits.maximumTrades, trades > most { return }
            if let most = limits.turnover,
                picked.reduce(0, { $0 + $1.value.magnitude }) / 2 > most.double * total + 1e-9
            {
                return
            }
            var weights = start
            for i in 0..<n { weights[i] += picked[i].value / total }
            for group in limits.groups {
                let sum = group.members.reduce(0) { $0 + weights[$1] + problem.assets[$1].target.double }
                if let highest = group.highest, sum > highest.double + 1e-12 { return }
                if let lowest = group.lowest, sum < lowest.double - 1e-12 { return }
            }
            var risk = 0.0
            for i in 0..<n { for j in 0..<n { risk += weights[i] * problem.covariance[i, j] * weights[j] } }
            var base = 0.5 * problem.riskAversion * problem.horizonYears * total * risk
            base +=
                picked.reduce(0) { $0 + $1.cost } + Double(trades)
                * (problem.costs.ticket + problem.costs.network).double
            for i in 0..<n {
                base -=
                    problem.horizonYears * total * problem.assets[i].expectedReturn
                    * (weights[i] + problem.assets[i].target.double)
            }
            lots(0, 0, 0, base)
        }
        visit()
        return best
    }
}
