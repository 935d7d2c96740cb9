import ConvexSolver
import LinearAlgebra
import WireFormat

/// A convex problem over portfolios by affine functions below its functions: the level method.
///
/// Each round solves the master program, whose value is a lower bound, and projects the best portfolio on the part of the master where the
/// model promises a share of the gap. Both points are evaluated by definition and add their tangents. Slower than the interior point, and
/// indifferent to what stops that one: kinks at the solution, limits that leave hardly any room, scales far apart.
///
/// Source: C. Lemarechal, A. Nemirovskii, Y. Nesterov (1995), New variants of bundle methods, Mathematical Programming 69.
struct CuttingPlanes {
    /// A function's value and slope at a portfolio.
    struct Tangent {
        var value: Double
        var slope: [Double]
    }

    /// What is known of a portfolio.
    struct Point {
        var weights: [Double]
        /// The parts of the objective: the first counts `factor` times.
        var parts: [Tangent]
        /// By limit, hard ones first: less its level, relative to its size.
        var limits: [Tangent]
    }

    /// The best portfolio found and what proves it.
    struct Outcome {
        var weights: [Double]
        var value: Double
        var bound: Double
        /// The master's answer at the bound.
        var answer: CutMaster.Answer
        /// Portfolios whose tangents make up the objective, with their shares, and by limit with the limit's price.
        var objective: [(weights: [Double], share: Double)]
        var limits: [(price: Double, tangents: [(weights: [Double], share: Double)])]
        var rounds: Int
    }

    /// How a search ended.
    enum End {
        case found(Outcome)
        /// The tangents of the limits alone leave no portfolio.
        case infeasible
        /// Nothing that the master program could be solved for.
        case failed
    }

    let master: CutMaster
    /// What the first part of the objective counts.
    var factor: Double
    let hardLimits: Int
    /// By soft limit: its place among the soft constraints, and what a unit of the caller's level is of the limit's own measure.
    var softLimits: [(place: Int, unit: Double)] = []
    let evaluate: ([Double]) -> Point?
    /// Costs and penalties of a portfolio, which the master has for itself.
    let ownCost: ([Double]) -> Double
    let deadline: SolverDeadline
    /// Relative to the master's size.
    var tolerance = 1e-10
    var mostRounds = 1000
    /// Flops of master programs, which end the search wherever it runs: some seconds.
    var mostWork = 1e10
    /// Ends the search as soon as the best value is below this.
    var enough = -Double.infinity

    func value(of point: Point) -> Double {
        var total = ownCost(point.weights)
        for (k, part) in point.parts.enumerated() { total += (k == 0 ? factor : 1) * part.value }
        return total
    }

    private func isAllowed(_ point: Point) -> Bool {
        point.limits.prefix(hardLimits).allSatisfy { $0.value <= 1e-10 }
    }

    private func cuts(
        _ points: [Point]
    ) -> (cuts: [CutMaster.Cut], owners: [Int], lifts: [(column: Int, factor: Double)?]) {
        var cuts: [CutMaster.Cut] = []
        var owners: [Int] = []
        var lifts: [(column: Int, factor: Double)?] = []
        for (index, point) in points.enumerated() {
            var slope = point.weights.map { _ in 0.0 }
            var value = 0.0
            for (k, part) in point.parts.enumerated() {
                let share = (k == 0 ? factor : 1) / master.size
                value += share * part.value
                Vector.axpy(share, part.slope, &slope)
            }
            cuts.append(.init(slope: slope, constant: value - Vector.dot(slope, point.weights), limit: nil))
            owners.append(index)
            lifts.append(nil)
            for (j, limit) in point.limits.enumerated() where limit.value > -0.5 {
                cuts.append(
                    .init(
                        slope: limit.slope, constant: limit.value - Vector.dot(limit.slope, point.weights), limit: j))
                owners.append(index)
                if j >= hardLimits {
                    let soft = softLimits[j - hardLimits]
                    lifts.append((master.excess(ofSoft: soft.place), soft.unit))
                } else {
                    lifts.append(nil)
                }
            }
        }
        return (cuts, owners, lifts)
    }

    /// - Parameters:
    ///   - points: at least one, evaluated; tangents of others may be known.
    ///   - inner: a portfolio with room under every hard limit, towards which one without is moved.
    /// - Throws: `SYS-201`.
    func search(_ known: inout [Point], inner: Point?) throws(Problem) -> End {
        let shown = deadline.monitor?.search()
        defer { shown?.end() }
        var best: Point?
        var bestValue = Double.infinity
        func consider(_ point: Point) {
            guard isAllowed(point) else { return }
            let value = value(of: point)
            if value < bestValue { (best, bestValue) = (point, value) }
        }
        for point in known { consider(point) }
        if let inner { consider(inner) }
        var proof: (answer: CutMaster.Answer, owners: [Int], cuts: [CutMaster.Cut], points: [Point])?
        var bound = -Double.infinity
        var idle = 0
        var work = 0.0
        for round in 0..<mostRounds {
            if deadline.interruption != nil {
                throw Problem(.deadline, "The deadline passed after \(round) rounds of cutting planes.")
            }
            let (cuts, owners, lifts) = cuts(known)
            // The best portfolio last: it says where tangents of the costs have to be.
            let places = known.map { $0.weights } + [(best ?? known[known.count - 1]).weights]
            guard let answer = master.solve(cuts, lifts: lifts, known: places, deadline: deadline) else {
                return .failed
            }
            if answer.status == .primalInfeasible { return .infeasible }
            guard answer.weights.allSatisfy({ $0.isFinite }) else { return .failed }
            let before = (bestValue, bound)
            if answer.status == .optimal || proof == nil, answer.bound * master.size > bound {
                bound = answer.bound * master.size
                proof = (answer, owners, cuts, known)
            }
            var added = add(answer.weights, inner, &known, consider)
            let gap = bestValue - bound
            shown?.reached(gap: gap / master.size)
            work += 2 * master.work(cuts: cuts.count)
            if gap <= tolerance * master.size || bestValue < enough || idle > 25 || work > mostWork { break }
            if gap.isFinite, let centre = best {
                let level = (bound + 0.3 * gap) / master.size
                if let near = master.solve(
                    cuts, lifts: lifts, known: places, near: centre.weights, level: level, deadline: deadline),
                    near.weights.allSatisfy({ $0.isFinite })
                {
                    added = add(near.weights, inner, &known, consider) || added
                }
            }
            if !added { break }
            idle = bestValue < before.0 || bound > before.1 ? 0 : idle + 1
            if known.count > 40 + 6 * master.assets { drop(&known, answer, owners) }
        }
        guard let best, let proof else { return .failed }
        return .found(outcome(best, bestValue, bound, proof))
    }

    /// Evaluates a master's point, and where it breaks a limit the point on the way to `inner` that does not. False where both are known.
    private func add(
        _ weights: [Double], _ inner: Point?, _ known: inout [Point], _ consider: (Point) -> Void
    ) -> Bool {
        guard var point = evaluate(weights) else {
            // Beyond the domain: half way to what is known.
            guard let last = known.last,
                let half = evaluate(zip(weights, last.weights).map { ($0 + $1) / 2 })
            else { return false }
            known.append(half)
            consider(half)
            return true
        }
        let isNew = !known.contains { $0.weights == weights }
        if isNew { known.append(point) }
        consider(point)
        guard !isAllowed(point), let inner else { return isNew }
        var share = 0.0
        for _ in 0..<8 where !isAllowed(point) {
            // A convex function on a line is below its chord.
            let least = point.limits.prefix(hardLimits).enumerated().reduce(0.0) { most, item in
                let (excess, room) = (item.element.value, inner.limits[item.offset].value)
                return excess > 0 && room < excess ? max(most, excess / (excess - room)) : most
            }
            share += (1 - share) * min(least * (1 + 1e-12) + 1e-16, 1)
            let mixed = zip(weights, inner.weights).map { (1 - share) * $0 + share * $1 }
            guard let next = evaluate(mixed) else { break }
            point = next
        }
        known.append(point)
        consider(point)
        return true
    }

    /// Forgets the tangents that have no price, the oldest first.
    private func drop(_ known: inout [Point], _ answer: CutMaster.Answer, _ owners: [Int]) {
        var priced = Set<Int>()
        for (cut, share) in answer.shares.enumerated() where share > 1e-9 { priced.insert(owners[cut]) }
        let recent = known.count - 20
        known = known.indices.filter { $0 >= recent || priced.contains($0) }.map { known[$0] }
    }

    private func outcome(
        _ best: Point, _ value: Double, _ bound: Double,
        _ proof: (answer: CutMaster.Answer, owners: [Int], cuts: [CutMaster.Cut], points: [Point])
    ) -> Outcome {
        var objective: [(weights: [Double], share: Double)] = []
        var limits = best.limits.map { _ in (price: 0.0, tangents: [(weights: [Double], share: Double)]()) }
        for (cut, share) in proof.answer.shares.enumerated() where share > 1e-14 {
            let weights = proof.points[proof.owners[cut]].weights
            if let limit = proof.cuts[cut].limit {
                limits[limit].price += share
                limits[limit].tangents.append((weights, share))
            } else {
                objective.append((weights, share))
            }
        }
        func whole(_ parts: [(weights: [Double], share: Double)]) -> [(weights: [Double], share: Double)] {
            let total = parts.reduce(0) { $0 + $1.share }
            return total > 0 ? parts.map { ($0.weights, $0.share / total) } : parts
        }
        return Outcome(
            weights: best.weights, value: value, bound: bound, answer: proof.answer, objective: whole(objective),
            limits: limits.map { ($0.price, whole($0.tangents)) }, rounds: proof.points.count)
    }
}
