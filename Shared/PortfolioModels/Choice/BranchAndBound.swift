import ConvexSolver
import WireFormat

/// Finds the best portfolio under rules on which assets are held, with a proof: best-first branch and bound.
///
/// A node decides about some assets (`HoldingBox`); its relaxation forgets the rules about the rest and is convex. What a relaxation's
/// certificate proves bounds all portfolios of the node. Sets of assets that come out of relaxations are solved exactly and become
/// incumbents; exchanges of single assets improve them.
///
/// Source: A. Land, A. Doig (1960), An Automatic Method of Solving Discrete Programming Problems, Econometrica 28; D. Bienstock (1996),
/// Computational study of a family of mixed-integer quadratic programming problems, Mathematical Programming 74.
struct BranchAndBound {
    /// A relaxation's solution; values in the sense that smaller is better.
    struct Relaxation: Sendable {
        var weights: [Double]
        var value: Double
        /// No portfolio of the box is better.
        var bound: Double
        /// By asset: how much the objective would improve along it, left out of the box or not.
        var promise: [Double]
        var iterations: Int

        /// Rounding stopped the solver: nothing is known about the box.
        static let unknown = Relaxation(weights: [], value: .infinity, bound: -.infinity, promise: [], iterations: 0)
        var isKnown: Bool { !weights.isEmpty }
    }

    struct Outcome: Sendable {
        var box: HoldingBox
        var weights: [Double]
        var value: Double
        var bound: Double
        var nodes: Int
        var iterations: Int
    }

    let rules: HoldingRules
    /// The relaxation of a box under the rules; nil where it holds no portfolio.
    let relax: (HoldingBox, HoldingRules) throws(Problem) -> Relaxation?
    /// Differences below this share of the value do not count.
    var tolerance = 1e-7
    let mostNodes: Int
    /// Whether any portfolio will do.
    var isFeasibilityOnly = false
    /// Told how far the best portfolio is from the bound.
    var monitor: SolverMonitor?

    private struct Node {
        var box: HoldingBox
        var relaxation: Relaxation
    }

    /// The best portfolio in a box; nil where none keeps the rules.
    func search(_ start: HoldingBox) throws(Problem) -> Outcome? {
        var root = start
        let shown = monitor?.search()
        defer { shown?.end() }
        guard root.propagate(rules), let whole = try relax(root, rules) else { return nil }
        guard whole.isKnown else { throw Problem(.notConverged, "No certified solution of the relaxation.") }
        var best: (box: HoldingBox, relaxation: Relaxation)?
        var iterations = whole.iterations
        var nodes = 1
        var open = [Node(box: root, relaxation: whole)]
        /// What is known about boxes that no relaxation was found for.
        var lost = Double.infinity

        /// Set where time ran out while there was an answer already.
        var isOver = false

        /// A relaxation; nil where the box holds no portfolio, unknown where time ran out.
        func relaxed(_ box: HoldingBox) throws(Problem) -> Relaxation? {
            if isOver { return .unknown }
            do throws(Problem) {
                return try relax(box, rules)
            } catch {
                guard error.code == ProblemCode.deadline.rawValue, best != nil, !isFeasibilityOnly else { throw error }
                isOver = true
                return .unknown
            }
        }

        func cutoff() -> Double {
            best.map { $0.relaxation.value - tolerance * abs($0.relaxation.value) } ?? .infinity
        }
        /// Solves for a set of assets exactly; true where it is better than all before.
        func consider(_ held: [Int], _ weights: [Double], _ box: HoldingBox) throws(Problem) -> Bool {
            guard let leaf = HoldingBox.exactly(held, weights: weights, in: box, rules),
                let found = try relaxed(leaf), found.isKnown, leaf.branches(found.weights, rules) == nil
            else { return false }
            iterations += found.iterations
            guard found.value < best?.relaxation.value ?? .infinity else { return false }
            best = (leaf, found)
            return true
        }

        /// Exchanges the least asset held for the most promising one outside as long as that is better.
        func exchange() throws(Problem) -> Bool {
            guard let (box, relaxation) = best else { return false }
            let free = relaxation.weights.indices.filter { root.state[$0] == .free }
            let held = free.filter { box.state[$0] == .held }
                .sorted { abs(relaxation.weights[$0]) < abs(relaxation.weights[$1]) }
            let outside = free.filter { box.state[$0] == .out && relaxation.promise[$0] > 0 }
                .sorted { relaxation.promise[$0] > relaxation.promise[$1] }
            for entering in outside.prefix(3) {
                for leaving in held.prefix(2) {
                    let set = box.state.indices.filter { box.state[$0] == .held && $0 != leaving } + [entering]
                    if try consider(set, relaxation.weights, root) { return true }
                }
            }
            return false
        }

        if try consider(candidate(whole.weights, root), whole.weights, root), !isFeasibilityOnly {
            var rounds = 0
            while rounds < 10, try exchange() { rounds += 1 }
        }
        while let node = open.popLast() {
            if best != nil, isFeasibilityOnly { break }
            let value = best?.relaxation.value ?? .infinity
            shown?.reached(gap: (value - min(node.relaxation.bound, value)) / max(abs(value), .leastNormalMagnitude))
            // Sorted: nothing that is left is better.
            if node.relaxation.bound >= cutoff() || nodes >= mostNodes || isOver {
                open.append(node)
                break
            }
            guard let children = node.box.branches(node.relaxation.weights, rules) else {
                let held = node.relaxation.weights.indices.filter { abs(node.relaxation.weights[$0]) > 1e-9 }
                let decided = node.box.state.indices.filter { node.box.state[$0] == .held && !held.contains($0) }
                if try !consider(held + decided, node.relaxation.weights, node.box),
                    best.map({ node.relaxation.bound < $0.relaxation.value }) ?? true
                {
                    lost = min(lost, node.relaxation.bound)
                }
                continue
            }
            for var child in children {
                guard child.propagate(rules) else { continue }
                var relaxation = node.relaxation
                // A decision that leaves the bounds as they are leaves the relaxation as it is.
                if child.lower != node.box.lower || child.upper != node.box.upper {
                    nodes += 1
                    guard let found = try relaxed(child) else { continue }
                    iterations += found.iterations
                    if found.isKnown { relaxation = found }
                    relaxation.bound = max(found.bound, node.relaxation.bound)
                    if found.isKnown, relaxation.bound < cutoff() {
                        _ = try consider(candidate(found.weights, child), found.weights, child)
                    }
                }
                guard relaxation.bound < cutoff() else { continue }
                open.append(Node(box: child, relaxation: relaxation))
            }
            // The least bound last; of equal ones the deepest.
            open.sort { $0.relaxation.bound > $1.relaxation.bound }
        }
        guard let best else { return nil }
        let bound = min(open.map { $0.relaxation.bound }.min() ?? .infinity, best.relaxation.bound, lost)
        return Outcome(
            box: best.box, weights: best.relaxation.weights, value: best.relaxation.value,
            bound: isFeasibilityOnly ? -.infinity : bound, nodes: nodes, iterations: iterations)
    }

    /// A set of assets near the weights that keeps the counts and exclusions: the largest first.
    private func candidate(_ weights: [Double], _ box: HoldingBox) -> [Int] {
        var room = rules.counts.map { $0.most }
        var held: [Int] = []
        let order = weights.indices.filter { box.state[$0] == .held || abs(weights[$0]) > 1e-9 }
            .sorted {
                let (a, b) = (box.state[$0] == .held, box.state[$1] == .held)
                return a == b ? abs(weights[$0]) > abs(weights[$1]) : a
            }
        for asset in order {
            let own = rules.counts.indices.filter { rules.counts[$0].members.contains(asset) }
            guard own.allSatisfy({ room[$0] > 0 }) else { continue }
            let isExcluded = rules.exclusions.contains { pair in
                (pair.first.contains(asset) && pair.second.contains { held.contains($0) })
                    || (pair.second.contains(asset) && pair.first.contains { held.contains($0) })
            }
            if isExcluded { continue }
            if let least = rules.leastPosition, box.state[asset] == .free, abs(weights[asset]) < 0.5 * least {
                continue
            }
            held.append(asset)
            for index in own { room[index] -= 1 }
        }
        for pair in rules.joins where pair.first.contains(where: { held.contains($0) }) {
            guard !pair.second.contains(where: { held.contains($0) }),
                let joined = pair.second.filter({ box.state[$0] != .out }).max(by: { weights[$0] < weights[$1] })
            else { continue }
            held.append(joined)
        }
        return held
    }
}
