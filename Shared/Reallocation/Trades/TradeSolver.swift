public import ConvexSolver
import LinearAlgebra
import WireFormat

/// Solves the trade problem: relaxation for the bound, local search for the trades, branch and bound where it is small.
public enum TradeSolver {
    /// Fewer assets than these are searched pair by pair, and by branch and bound.
    static let mostExact = 60
    /// Up to so many assets cells are split into parts where they leave a gap.
    static let mostInParts = 200

    /// How much work may be done.
    public struct Effort: Sendable {
        /// Most nodes of the branch and bound; zero leaves it out.
        public var nodes: Int
        public var deadline: SolverDeadline
        /// Relative distance from the bound at which the search is content.
        public var gap: Double
        /// Most assets that branch and bound is for; beyond, the relaxation over columns of choices bounds the search.
        var mostExact = TradeSolver.mostExact

        public init(nodes: Int? = nil, deadline: SolverDeadline = .none, gap: Double = 1e-9) {
            self.nodes = nodes ?? -1
            self.deadline = deadline
            self.gap = gap
        }

        func nodes(assets: Int) -> Int {
            if nodes >= 0 { return nodes }
            return assets <= 12 ? 4_000 : (assets <= 40 ? 400 : 0)
        }

        /// Where the relaxation over columns bounds the search: a node costs about a sixth of the root, and the roots of many assets leave hardly a gap.
        func columnNodes(assets: Int) -> Int {
            if nodes >= 0 { return nodes }
            return assets <= TradeSolver.mostInParts ? 12 : 0
        }
    }

    /// The best trades found; nil where none keep to the limits, as far as the search can tell.
    public static func solve(
        _ problem: TradeProblem, effort: Effort = Effort()
    ) throws(TradeProblemError) -> TradeSolution? {
        try problem.identical.isEmpty ? solveOnce(problem, effort: effort) : solveApart(problem, effort: effort)
    }

    /// The same without a look at identical assets.
    static func solveOnce(_ problem: TradeProblem, effort: Effort) throws(TradeProblemError) -> TradeSolution? {
        let model = try TradeModel(problem)
        guard model.assets.allSatisfy({ $0.lowest <= $0.highest }) else { return nil }
        var search = BranchAndBound(model, effort: effort)
        search.run()
        guard let best = search.incumbent else { return nil }
        let step = problem.limits.lotSize
        func shares(_ steps: Double) -> FixedDecimal { FixedDecimal(steps, places: 0) * step }
        let idle = LocalSearch(model, k: model.assets.map { _ in 0 }, guide: [])
        let isIdleAllowed = idle.isFeasible && idle.k.allSatisfy { $0 == 0 }
        return TradeSolution(
            shares: best.k.map { shares($0) }, fromShortLots: best.fromShort.map { FixedDecimal($0, places: 9) * step },
            namedLots: zip(problem.assets, model.assets).enumerated().map { index, pair in
                guard let washed = pair.1.washed, best.k[index] < 0 else { return [:] }
                return named(
                    zip(washed.lots, best.taken[index]), of: pair.0, shares: shares(-best.k[index]), step: step)
            },
            objective: best.objective, lowerBound: min(search.lowerBound, best.objective),
            idleObjective: isIdleAllowed ? model.idleObjective : nil, nodes: search.nodes)
    }

    /// Steps of lots as shares that add up: a lot that is sold whole is so to the last digit, and what rounding leaves goes where there is room.
    private static func named(
        _ taken: some Sequence<(WashedLots.Lot, Double)>, of asset: TradeAsset, shares: FixedDecimal, step: FixedDecimal
    ) -> [String: FixedDecimal] {
        let held = Dictionary(asset.lots.map { ($0.id, $0.quantity) }, uniquingKeysWith: { first, _ in first })
        var named: [String: FixedDecimal] = [:]
        var left = shares
        for (lot, steps) in taken where steps > 0 {
            let whole = held[lot.id] ?? 0
            let part = steps >= lot.size ? whole : min(whole, FixedDecimal(steps, places: 9) * step)
            named[lot.id] = min(part, left)
            left -= min(part, left)
        }
        for (id, part) in named.sorted(by: { $0.key < $1.key }) where left > 0 {
            let more = min(left, (held[id] ?? 0) - part)
            named[id] = part + more
            left -= more
        }
        return named.filter { $0.value > 0 }
    }
}

/// Branch and bound over boxes of whole steps, best bound first, one tree a cell of the tax.
struct BranchAndBound {
    struct Incumbent {
        var k: [Double]
        var fromShort: [Double]
        var taken: [[Double]]
        var objective: Double
    }
    private struct Node {
        var cell: Int
        var bound: Relaxation.Bound
        var low: [Double]
        var high: [Double]
    }

    let model: TradeModel
    let effort: TradeSolver.Effort
    private(set) var relaxations: [Relaxation]
    /// No trades within the assets' limits have a greater objective: a bound above it proves that there are none.
    private let ceiling: Double
    private(set) var incumbent: Incumbent?
    var lowerBound = -Double.infinity
    var nodes = 0
    private var open: [Node] = []
    /// Bounds of boxes that were given up unsolved.
    private var abandoned = Double.infinity

    init(_ model: TradeModel, effort: TradeSolver.Effort) {
        self.model = model
        self.effort = effort
        var short = (0.0, 0.0)
        var long = (0.0, 0.0)
        for one in model.assets {
            short = (short.0 + one.gainsShort.lowerBound, short.1 + one.gainsShort.upperBound)
            long = (long.0 + one.gainsLong.lowerBound, long.1 + one.gainsLong.upperBound)
        }
        let cells = model.tax.cells(short: short.0...short.1, long: long.0...long.1)
        ceiling = Self.ceiling(model, short: short.1, long: long.1)
        relaxations = cells.map { Relaxation(model, $0) }
    }

    private var margin: Double { effort.gap * max(1, incumbent?.objective.magnitude ?? 1) }
    var cutoff: Double { incumbent.map { $0.objective - margin } ?? ceiling }

    private static func ceiling(_ model: TradeModel, short: Double, long: Double) -> Double {
        var spread = 0.0
        var rest = model.idleObjective.magnitude
        for (i, one) in model.assets.enumerated() {
            let reach = max(
                (one.deviation + one.stepWeight * one.lowest).magnitude,
                (one.deviation + one.stepWeight * one.highest).magnitude)
            spread += reach * max(0, model.covariance[i, i]).squareRoot()
            rest += max(one.cost(one.lowest), one.cost(one.highest)) + one.ticket
            rest += one.drift.magnitude * max(one.lowest.magnitude, one.highest.magnitude)
        }
        return 0.5 * model.kappa * spread * spread + rest + max(0, model.tax.price(short, long)) + 1
    }

    var isOverTime: Bool { effort.deadline.interruption != nil }

    mutating func run() {
        let n = model.count
        // Tiny steps (tokens) make no difference that is worth a node.
        let isFine = model.assets.contains { $0.highest - $0.lowest > 1e6 }
        let limit = min(effort.nodes(assets: n), isFine ? 100 : .max)
        if n > effort.mostExact {
            runLarge()
            return
        }
        offer([Double](repeating: 0, count: n), guide: [], pairs: 0, enumerates: true)
        let low = model.assets.map { $0.lowest }
        let high = model.assets.map { $0.highest }
        // The cell in which the idle portfolio lies comes first: its bound and its trades help to pass over the others.
        var order = Array(relaxations.indices)
        let idle = model.tax.marginal(0, 0)
        order.sort { a, _ in relaxations[a].cell.short == idle.short && relaxations[a].cell.long == idle.long }
        var warm: Relaxation.Bound?
        for cell in order {
            let multipliers = relaxations[cell].rows.indices.map { index in
                index < model.rows.count ? (warm?.multipliers[index] ?? 0) : 0
            }
            let start = Relaxation.Start(
                low: low, high: high, k: warm?.k ?? [Double](repeating: 0, count: n), multipliers: multipliers)
            let bound = relaxations[cell].bound(start, cutoff: cutoff, solves: n > 100 ? 36 : 120)
            if warm == nil || bound.value < (warm?.value ?? 0) { warm = bound }
            offer(bound.choice, guide: bound.multipliers, pairs: n > 100 ? 24 : 60, enumerates: n <= 12)
            if n <= 100 {
                offer(bound.k.map { $0.rounded() }, guide: bound.multipliers, pairs: 60, enumerates: n <= 12)
            }
            open.append(Node(cell: cell, bound: bound, low: low, high: high))
        }
        while nodes < (incumbent == nil ? min(limit, 2_000) : limit), !isOverTime, let node = takeBest() {
            if node.bound.value >= cutoff { break }
            expand(node)
        }
        lowerBound = min(abandoned, open.map { $0.bound.value }.min() ?? .infinity, incumbent?.objective ?? .infinity)
    }

    private mutating func takeBest() -> Node? {
        guard let at = open.indices.min(by: { open[$0].bound.value < open[$1].bound.value }) else { return nil }
        // The worst bound stands until its box is done.
        lowerBound = min(abandoned, open[at].bound.value)
        if open[at].bound.value >= cutoff { return nil }
        return open.remove(at: at)
    }

    /// Splits the box of a node at the asset that was relaxed most.
    private mutating func expand(_ node: Node) {
        nodes += 1
        let wide = model.assets.indices.filter { node.high[$0] > node.low[$0] }
        guard !wide.isEmpty else {
            // All steps are fixed, and only the lots are open: with every split tried, the box is done.
            if !offer(node.low, guide: [], pairs: 0, enumerates: true, fixed: true).isComplete {
                abandoned = min(abandoned, node.bound.value)
            }
            return
        }
        let asset =
            wide.max { a, b in
                let (x, y) = (node.bound.slack[a], node.bound.slack[b])
                if x != y { return x < y }
                return (node.high[a] - node.low[a]) * model.assets[a].stepWeight < (node.high[b] - node.low[b])
                    * model.assets[b].stepWeight
            } ?? wide[0]
        let (low, high) = (node.low[asset], node.high[asset])
        // Between the relaxed point and the whole choice, where the bound gains most.
        let middle =
            node.bound.slack[asset] > 0 ? (node.bound.k[asset] + node.bound.choice[asset]) / 2 : (low + high) / 2
        let cut = min(max(middle.rounded(.down), low), high - 1)
        for isLower in [true, false] {
            var child = node
            if isLower { child.high[asset] = cut } else { child.low[asset] = cut + 1 }
            if let shrunk = model.assets[asset].tradable(child.low[asset], child.high[asset]) {
                (child.low[asset], child.high[asset]) = shrunk
            } else {
                continue
            }
            let start = Relaxation.Start(
                low: child.low, high: child.high, k: node.bound.k, multipliers: node.bound.multipliers)
            var bound = relaxations[node.cell].bound(start, cutoff: cutoff, solves: 14)
            // A part of a box is no better than the box.
            bound.value = max(bound.value, node.bound.value)
            if bound.value >= cutoff { continue }
            if nodes % 8 == 1 {
                offer(bound.choice, guide: bound.multipliers, pairs: 12, enumerates: model.count <= 12)
            } else {
                offer(bound.choice, guide: bound.multipliers, pairs: 0, enumerates: false)
            }
            child.bound = bound
            open.append(child)
        }
    }

    /// Improves trades and keeps them if they are the best so far: what they became, and whether their lots could all be tried.
    @discardableResult
    mutating func offer(
        _ k: [Double], guide: [Double], rates: (short: Double, long: Double)? = nil, pairs: Int, enumerates: Bool,
        fixed: Bool = false
    ) -> (search: LocalSearch, isComplete: Bool) {
        var search = LocalSearch(model, k: k, guide: guide, rates: rates)
        if fixed { search.refineLots() } else { search.improve(pairs: pairs) }
        let isComplete = enumerates ? search.enumerateLots(limit: 200_000) : false
        if search.isFeasible, search.objective < (incumbent?.objective ?? .infinity) {
            incumbent = Incumbent(
                k: search.k, fromShort: search.fromShort, taken: search.taken, objective: search.objective)
        }
        return (search, isComplete)
    }
}
