import ConvexSolver
import LinearAlgebra
import WireFormat

/// Whether limits can hold together at all, which of them contradict each other, and the least that has to give.
///
/// Trades are continuous here, in weights: buys b and sales s of each asset. What never gives: cash is not negative, nothing is sold
/// that is not there or is locked. What gives, from the first to the last: turnover, participation, cash floor, groups and positions.
/// Numbers of trades and minimum trades are whole-numbered and belong to the search. Source: Chinneck (2008), Feasibility and Infeasibility in
/// Optimization, deletion filter and elastic programming.
struct Feasibility {
    /// A limit that may give.
    struct Limit {
        enum Rank: Int, Comparable {
            case turnover, participation, cashFloor, group, position
            static func < (a: Rank, b: Rank) -> Bool { a.rawValue < b.rawValue }
        }
        var name: String
        var rank: Rank
        /// Coefficients of buys and sales, by asset; absent ones are zero.
        var buys: [Int: Double]
        var sales: [Int: Double]
        var bound: Double
        /// The limit in the caller's figures is this plus `direction` times what the row gives.
        var value: Double
        var direction: Double
    }

    private let n: Int
    private let most: (buys: [Double], sales: [Double])
    private let cash: Double
    private let frictions: [Double]
    let limits: [Limit]

    init(_ problem: TradeProblem) {
        let total = problem.value.double
        let held = problem.assets.map { ($0.quote.price * $0.held).double / total }
        n = problem.assets.count
        cash = problem.cash.double / total
        frictions = problem.assets.map {
            ($0.quote.halfSpread / $0.quote.price).double + problem.costs.commission.rate.double
                + ($0.quote.pools?.edges(at: $0.quote.price.double).least ?? 0)
        }
        let sellable = problem.assets.map { asset in
            (asset.quote.price * problem.sellableLots(asset).map { $0.quantity }.reduce(.zero, +)).double / total
        }
        let purse = max(0, cash) + sellable.reduce(0, +)
        /// What pools hold at most, as a weight.
        func capacity(_ asset: TradeAsset, _ side: KeyPath<LiquidityCurve, LiquidityCurve.Side>) -> Double {
            asset.quote.pools.map { $0[keyPath: side].capacity * asset.quote.price.double / total } ?? .infinity
        }
        most = (
            problem.assets.map { $0.canBuy ? min(purse, capacity($0, \.buying)) : 0 },
            zip(problem.assets, sellable).map { min($1, capacity($0, \.selling)) }
        )
        var limits: [Limit] = []
        let everything = Dictionary(uniqueKeysWithValues: (0..<n).map { ($0, 1.0) })
        if let turnover = problem.limits.turnover {
            limits.append(
                Limit(
                    name: "turnover", rank: .turnover, buys: everything.mapValues { _ in 0.5 },
                    sales: everything.mapValues { _ in 0.5 }, bound: turnover.double, value: turnover.double,
                    direction: 1))
        }
        if problem.limits.cashFloor > 0 {
            let floor = problem.limits.cashFloor.double
            var buys: [Int: Double] = [:]
            var sales: [Int: Double] = [:]
            for i in 0..<n { (buys[i], sales[i]) = (1 + frictions[i], -1 + frictions[i]) }
            limits.append(
                Limit(
                    name: "cash_floor", rank: .cashFloor, buys: buys, sales: sales, bound: cash - floor / total,
                    value: floor,
                    direction: -total))
        }
        for (i, asset) in problem.assets.enumerated() {
            if let rate = problem.limits.participation, let volume = asset.quote.dailyVolume {
                let cap = (rate * volume * problem.limits.participationDays * asset.quote.price).double / total
                let perRate = (volume * problem.limits.participationDays * asset.quote.price).double / total
                limits.append(
                    Limit(
                        name: "participation.\(asset.symbol)", rank: .participation, buys: [i: 1], sales: [i: 1],
                        bound: cap,
                        value: rate.double, direction: perRate > 0 ? 1 / perRate : 0))
            }
            if let highest = asset.highestWeight {
                limits.append(
                    Limit(
                        name: "upper_bound.\(asset.symbol)", rank: .position, buys: [i: 1], sales: [i: -1],
                        bound: highest.double - held[i], value: highest.double, direction: 1))
            }
            if let lowest = asset.lowestWeight, lowest > 0 {
                limits.append(
                    Limit(
                        name: "lower_bound.\(asset.symbol)", rank: .position, buys: [i: -1], sales: [i: 1],
                        bound: held[i] - lowest.double, value: lowest.double, direction: -1))
            }
        }
        for group in problem.limits.groups {
            let members = Dictionary(uniqueKeysWithValues: group.members.map { ($0, 1.0) })
            let sum = group.members.reduce(0) { $0 + held[$1] }
            if let highest = group.highest {
                limits.append(
                    Limit(
                        name: "group_constraints.\(group.name).max", rank: .group, buys: members,
                        sales: members.mapValues { -$0 },
                        bound: highest.double - sum, value: highest.double, direction: 1))
            }
            if let lowest = group.lowest {
                limits.append(
                    Limit(
                        name: "group_constraints.\(group.name).min", rank: .group, buys: members.mapValues { -$0 },
                        sales: members,
                        bound: sum - lowest.double, value: lowest.double, direction: -1))
            }
        }
        self.limits = limits
    }

    /// The program of some limits, those of `elastic` with a variable of their own that `weights` prices.
    private func program(
        _ held: [Limit], elastic: [Limit] = [], weights: [Double] = [], caps: [Double?] = []
    ) -> QuadraticProgram {
        let width = 2 * n + elastic.count
        let all = held + elastic
        var G = Matrix(rows: all.count + 1, columns: width)
        var h = [Double](repeating: 0, count: all.count + 1)
        for (row, limit) in all.enumerated() {
            for (i, value) in limit.buys { G[row, i] = value }
            for (i, value) in limit.sales { G[row, n + i] = value }
            if row >= held.count { G[row, 2 * n + row - held.count] = -1 }
            h[row] = limit.bound
        }
        for i in 0..<n {
            G[all.count, i] = 1 + frictions[i]
            G[all.count, n + i] = -1 + frictions[i]
        }
        h[all.count] = cash
        let upper = most.buys + most.sales + elastic.indices.map { caps.isEmpty ? .infinity : caps[$0] ?? .infinity }
        return QuadraticProgram(
            q: [Double](repeating: 0, count: 2 * n) + (weights.isEmpty ? elastic.map { _ in 1 } : weights), G: G, h: h,
            lower: [Double](repeating: 0, count: width), upper: upper)
    }

    private func isFeasible(_ held: [Limit]) -> Bool {
        // The least sum of all excesses is zero, to a tolerance, where they can hold together.
        guard !held.isEmpty, n > 0 else { return true }
        guard let solution = try? InteriorPointMethod.solve(program([], elastic: held)) else { return true }
        return solution.status == .optimal ? solution.primalObjective <= 1e-9 : true
    }

    /// Whether all limits can hold together, whole lots aside.
    var isFeasible: Bool { isFeasible(limits) }

    /// A smallest set of limits that cannot hold together: without any one of them the rest can.
    func conflict() -> [Limit] {
        // Limits that touch nobody's excess in the elastic optimum carry no price and are left out first.
        var kept = limits
        if let solution = try? InteriorPointMethod.solve(program([], elastic: limits)), solution.status == .optimal {
            let priced = limits.indices.filter { solution.inequalityDuals[$0] > 1e-7 }.map { limits[$0] }
            if !isFeasible(priced) { kept = priced }
        }
        for limit in kept.sorted(by: { $0.rank < $1.rank }) {
            let without = kept.filter { $0.name != limit.name }
            if !isFeasible(without) { kept = without }
        }
        return kept
    }

    /// How much each limit has to give, least important ones first; nil where not even that helps.
    func relaxation() -> [(limit: Limit, gives: Double)]? {
        let ranks = Set(limits.map { $0.rank }).sorted()
        // The fewest ranks, from the least important up, that have to be open.
        guard let open = ranks.indices.first(where: { last in isFeasible(limits.filter { $0.rank > ranks[last] }) })
        else { return nil }
        let held = limits.filter { $0.rank > ranks[open] }
        let elastic = limits.filter { $0.rank <= ranks[open] }
        // The most important of the open ranks gives least, then the next.
        var caps = [Double?](repeating: nil, count: elastic.count)
        var last: [Double]?
        for rank in ranks[...open].reversed() {
            let weights = elastic.map { $0.rank == rank ? 1.0 : 0 }
            guard
                let solution = try? InteriorPointMethod.solve(
                    program(held, elastic: elastic, weights: weights, caps: caps)),
                solution.status == .optimal
            else { return nil }
            let gives = elastic.indices.map { max(0, solution.x[2 * n + $0]) }
            for i in elastic.indices where elastic[i].rank == rank { caps[i] = gives[i] + 1e-9 }
            last = elastic.indices.map { min(gives[$0], caps[$0] ?? gives[$0]) }
        }
        guard let last else { return nil }
        return zip(elastic, last).filter { $0.1 > 1e-8 }.map { (limit: $0.0, gives: $0.1) }
    }
}
