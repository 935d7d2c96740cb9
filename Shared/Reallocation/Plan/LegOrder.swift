import LinearAlgebra
import WireFormat

/// The order of a plan's trades: cash never below its floor on the way, and the largest tracking error on the way as small as it can be.
struct LegOrder: Sendable {
    /// Positions in `PlanCosting.trades`.
    var order: [Int]
    /// Tracking error after each trade.
    var trackingErrors: [Double]
    var cash: [FixedDecimal]

    private static let mostExact = 12

    init(_ problem: TradeProblem, _ costing: PlanCosting) {
        let trades = costing.trades
        let total = problem.value.double
        let start = problem.assets.map { ($0.quote.price * $0.held).double / total - $0.target.double }
        let moves = trades.map { (problem.assets[$0.asset].quote.price * $0.shares).double / total }
        let flows = trades.map { -(problem.assets[$0.asset].quote.price * $0.shares) - $0.cost.paid }
        // A portfolio that starts below its floor only has to climb.
        let floor = min(problem.cash, problem.limits.cashFloor, costing.cashAfter)
        let order =
            trades.count <= Self.mostExact
            ? Self.exact(problem, trades, start, moves, flows, floor)
            : Self.greedy(problem, trades, start, moves, flows, floor)
        self.order = order
        trackingErrors = []
        cash = []
        var deviations = start
        var money = problem.cash
        for trade in order {
            deviations[trades[trade].asset] += moves[trade]
            money += flows[trade]
            trackingErrors.append(Self.error(problem, deviations))
            cash.append(money)
        }
    }

    private static func error(_ problem: TradeProblem, _ deviations: [Double]) -> Double {
        max(0, Vector.dot(deviations, problem.covariance.symmetricMultiplied(by: deviations))).squareRoot()
    }

    /// Every subset once: the least possible largest error on the way to it. Ties go to the smaller sum of errors.
    private static func exact(
        _ problem: TradeProblem, _ trades: [PlanCosting.Trade], _ start: [Double], _ moves: [Double],
        _ flows: [FixedDecimal], _ floor: FixedDecimal
    ) -> [Int] {
        let count = trades.count
        guard count > 1 else { return Array(trades.indices) }
        let full = (1 << count) - 1
        var best = [(worst: Double, sum: Double, last: Int)](repeating: (.infinity, .infinity, -1), count: full + 1)
        best[0] = (0, 0, -1)
        for set in 1...full {
            var deviations = start
            var money = problem.cash
            for trade in 0..<count where set & (1 << trade) != 0 {
                deviations[trades[trade].asset] += moves[trade]
                money += flows[trade]
            }
            guard money >= floor else { continue }
            let error = error(problem, deviations)
            for last in 0..<count where set & (1 << last) != 0 {
                let before = best[set & ~(1 << last)]
                guard before.worst < .infinity else { continue }
                let candidate = (worst: max(before.worst, error), sum: before.sum + error, last: last)
                if (candidate.worst, candidate.sum) < (best[set].worst, best[set].sum) { best[set] = candidate }
            }
        }
        guard best[full].worst < .infinity else { return salesFirst(trades) }
        var order: [Int] = []
        var set = full
        while set != 0, best[set].last >= 0 {
            order.append(best[set].last)
            set &= ~(1 << best[set].last)
        }
        return order.reversed()
    }

    /// The affordable trade that lowers the error most for its value, again and again.
    private static func greedy(
        _ problem: TradeProblem, _ trades: [PlanCosting.Trade], _ start: [Double], _ moves: [Double],
        _ flows: [FixedDecimal], _ floor: FixedDecimal
    ) -> [Int] {
        var deviations = start
        var pull = problem.covariance.symmetricMultiplied(by: start)
        var money = problem.cash
        var left = Set(trades.indices)
        var order: [Int] = []
        while !left.isEmpty {
            let affordable = left.filter { money + flows[$0] >= floor }.sorted()
            func gain(_ trade: Int) -> Double {
                let asset = trades[trade].asset
                let change = moves[trade] * (2 * pull[asset] + problem.covariance[asset, asset] * moves[trade])
                return change / max(moves[trade].magnitude, 1e-300)
            }
            let rated = affordable.map { ($0, gain($0)) }
            guard let next = rated.min(by: { $0.1 < $1.1 })?.0 else {
                return order + salesFirst(trades).filter { left.contains($0) }
            }
            left.remove(next)
            order.append(next)
            money += flows[next]
            deviations[trades[next].asset] += moves[next]
            Kernels.addColumn(trades[next].asset, of: problem.covariance, times: moves[next], to: &pull)
        }
        return order
    }

    private static func salesFirst(_ trades: [PlanCosting.Trade]) -> [Int] {
        trades.indices.filter { trades[$0].shares < 0 } + trades.indices.filter { trades[$0].shares > 0 }
    }
}
