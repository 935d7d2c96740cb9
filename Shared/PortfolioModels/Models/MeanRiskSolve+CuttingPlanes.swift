import ConvexSolver
import LinearAlgebra
import WireFormat

/// The same problems by cutting planes: where the interior point does not prove its answer.
extension MeanRiskSolve {
    /// Above this many assets the master programs cost too much.
    private static let mostAssets = 400

    /// The answer with its proof; nil where the method does not get there either.
    /// - Parameter near: weights to begin with, whatever they are worth.
    /// - Throws: `OPT-101` where tangents prove that the limits leave no portfolio, `OPT-203`, `SYS-201`.
    func byCuttingPlanes(_ model: MeanRisk, near: [Double]?) throws(Problem) -> Solved? {
        let set = model.constraints
        guard set.assets.count <= Self.mostAssets else { return nil }
        let start = try allowed(near, model)
        let planes = LimitPlanes(model)
        let inner = try room(under: planes, from: start, model)
        guard let outcome = try best(model, planes, from: start, inner: inner) else { return nil }
        return try certified(solution(outcome, model, planes), model)
    }

    /// Portfolio that keeps the linear constraints, near the given one.
    private func allowed(_ near: [Double]?, _ model: MeanRisk) throws(Problem) -> [Double] {
        guard let near, near.allSatisfy({ $0.isFinite }) else { return try model.feasiblePoint() }
        let nearest = NearestAllowed(weights: near, constraints: model.constraints, deadline: deadline)
        if nearest.isAllowed { return near }
        do throws(Problem) {
            return try nearest.solve().weights
        } catch {
            guard error.isOfRounding else { throw error }
            return try model.feasiblePoint()
        }
    }

    // MARK: Room under the limits

    /// A portfolio with room under every hard limit; nil where there are none, or where the limits leave one point.
    private func room(
        under planes: LimitPlanes, from start: [Double], _ model: MeanRisk
    ) throws(Problem) -> CuttingPlanes.Point? {
        guard planes.hard > 0 else { return nil }
        let master = CutMaster(model.constraints, costs: nil, withSoft: false, size: 1)
        func worst(_ w: [Double]) -> CuttingPlanes.Point? {
            let excesses = planes.tangents(at: w).prefix(planes.hard)
            guard let most = excesses.max(by: { $0.value < $1.value }), most.value.isFinite else { return nil }
            return CuttingPlanes.Point(weights: w, parts: [most], limits: [])
        }
        guard let first = worst(start) else { return nil }
        var known = [first]
        let search = CuttingPlanes(
            master: master, factor: 1, hardLimits: 0, evaluate: worst, ownCost: { _ in 0 }, deadline: deadline,
            tolerance: 1e-10, enough: -1e-2)
        guard case .found(let outcome) = try search.search(&known, inner: nil) else { return nil }
        if outcome.bound > 1e-9 {
            throw try LimitConflict(
                model: model.model, covariance: model.covariance, set: model.constraints, parameters: parameters,
                deadline: deadline
            ).problem(at: start, isKnown: true)
                ?? Problem(.infeasible, "The limits of risk leave no portfolio.")
        }
        guard outcome.value < -1e-9 else { return nil }
        return planes.point(outcome.weights, parts: [])
    }

    // MARK: Objective

    /// What the objective is at a portfolio: the risk, which may be counted more or less often, and the rest.
    private func parts(_ model: MeanRisk, at w: [Double]) -> [CuttingPlanes.Tangent]? {
        var rest = CuttingPlanes.Tangent(value: 0, slope: w.map { _ in 0 })
        if request.objective != .minimumRisk { rest = model.lostReturnTangent(at: w) }
        let risk =
            request.objective == .maximumReturn
            ? CuttingPlanes.Tangent(value: 0, slope: w.map { _ in 0 })
            : model.riskTangent(at: w, isVariance: request.objective == .utility)
        guard rest.value.isFinite, risk.value.isFinite, (rest.slope + risk.slope).allSatisfy({ $0.isFinite }) else {
            return nil
        }
        return [risk, rest]
    }

    /// Costs and penalties.
    private func ownCost(_ model: MeanRisk, at w: [Double]) -> Double {
        (model.reward.costs?.value(at: w) ?? 0)
            + model.constraints.soft.reduce(0) { $0 + $1.weight * $1.excess(at: w) }
    }

    private func best(
        _ model: MeanRisk, _ planes: LimitPlanes, from start: [Double], inner: CuttingPlanes.Point?
    ) throws(Problem) -> (found: CuttingPlanes.Outcome, master: CutMaster)? {
        func evaluate(_ w: [Double]) -> CuttingPlanes.Point? {
            guard let parts = parts(model, at: w) else { return nil }
            return planes.point(w, parts: parts)
        }
        guard let first = evaluate(start) else { return nil }
        var known = [first]
        let own = inner.flatMap { evaluate($0.weights) }
        var factor: Double =
            switch request.objective {
            case .minimumRisk: 1
            case .utility: request.riskAversion
            case .maximumReturn, .sharpe: 0
            }
        func size(_ point: CuttingPlanes.Point) -> Double {
            let terms = point.parts.enumerated().reduce(0.0) {
                $0 + ($1.offset == 0 ? factor : 1) * abs($1.element.value)
            }
            // Penalties are left out: what is broken at the start need not be in the end.
            let costs = model.reward.costs?.value(at: point.weights) ?? 0
            return max(terms + costs, 1e-9 * model.model.unit * model.model.unit)
        }
        var scale = size(own ?? first)
        var last: (found: CuttingPlanes.Outcome, master: CutMaster)?
        var cap = 1e2
        // A ratio is a utility whose aversion is the ratio itself; any objective is solved again where it came out much smaller.
        for round in 0..<12 {
            let master = CutMaster(
                model.constraints, costs: model.reward.costs, withSoft: true, size: scale,
                penaltyCap: cap)
            let search = CuttingPlanes(
                master: master, factor: factor, hardLimits: planes.hard, softLimits: planes.soft, evaluate: evaluate,
                ownCost: { self.ownCost(model, at: $0) }, deadline: deadline)
            switch try search.search(&known, inner: own) {
            case .failed: return last
            case .infeasible: return nil
            case .found(let outcome): last = (outcome, master)
            }
            guard let outcome = last?.found, let point = evaluate(outcome.weights) else { return last }
            // A penalty that is paid at its cap is worth more.
            let isPaid = model.constraints.soft.contains { $0.excess(at: point.weights) > 1e-9 }
            if isPaid, cap < .infinity {
                cap = cap < 1e6 ? 1e3 * cap : .infinity
                continue
            }
            guard request.objective == .sharpe else {
                guard size(point) < 0.1 * scale, round < 8 else { return last }
                scale = size(point)
                continue
            }
            let excess = -point.parts[1].value - ownCost(model, at: point.weights) - riskFreeRate
            let risk = point.parts[0].value
            if factor == 0, excess <= 1e-12 * (abs(riskFreeRate) + abs(point.parts[1].value)) {
                throw MeanVariance.noExcess(excess: excess, rate: riskFreeRate)
            }
            let unit = type(of: model.measure).degree == 2 ? model.model.unit * model.model.unit : model.model.unit
            guard risk > 1e-9 * unit else { throw MeanVariance.unlimitedRatio }
            let ratio = excess / risk
            if ratio <= factor * (1 + 1e-12) { return last }
            factor = ratio
            scale = max(abs(excess), abs(riskFreeRate) * 1e-3, 1e-9 * model.model.unit)
        }
        return last
    }

    // MARK: Answer

    private func solution(
        _ best: (found: CuttingPlanes.Outcome, master: CutMaster), _ model: MeanRisk, _ planes: LimitPlanes
    ) -> MeanRisk.Solution {
        let (outcome, master) = best
        let set = model.constraints
        var weights = outcome.weights
        for i in weights.indices {
            if weights[i] - set.lower[i] < 1e-10 { weights[i] = set.lower[i] }
            if set.upper[i] - weights[i] < 1e-10 { weights[i] = set.upper[i] }
            if let reference = model.reward.costs?.reference[i], abs(weights[i] - reference) < 1e-9 {
                weights[i] = min(max(reference, set.lower[i]), set.upper[i])
            }
            if weights[i] == 0 { weights[i] = 0 }  // no negative zero
        }
        WeightCleanup.balance(&weights, set)
        let nearest = NearestAllowed(weights: weights, constraints: set, deadline: deadline)
        if set.linearResidual(at: weights) > 1e-10, let moved = try? nearest.solve() { weights = moved.weights }
        // A ratio's prices are those of its utility over the risk.
        let risk = request.objective == .sharpe ? model.riskTangent(at: weights).value : 1
        let unit = risk > 0 ? 1 / risk : 1
        var prices = master.prices(outcome.answer.found).map { $0 * unit }
        var tangents = TangentEvidence(objective: outcome.objective)
        for (place, limit) in outcome.limits.enumerated() where limit.price > 0 {
            tangents.limits.append((planes.names[place], limit.tangents))
            if place < planes.hard {
                prices[planes.indices[place]] = unit * limit.price * master.size * planes.perLevel[place]
            }
        }
        return MeanRisk.Solution(
            weights: weights, prices: prices, evidence: [], costKinks: weights.map { _ in 0 },
            costSlopes: model.reward.costs == nil ? nil : outcome.answer.costSlopes,
            soft: master.softEvidence(outcome.answer.found) { place in
                planes.soft.firstIndex { $0.place == place }.map {
                    outcome.limits[planes.hard + $0].price * master.size * planes.perLevel[planes.hard + $0]
                }
            },
            tangents: tangents, iterations: outcome.rounds, primalResidual: 0, dualResidual: 0)
    }
}

/// The convex limits of a constraint set, hard ones first, for cutting planes.
private struct LimitPlanes {
    private let model: MeanRisk
    private let limits: [ConvexLimit]
    let names: [String]
    /// By hard limit: its constraint.
    let indices: [Int]
    /// By soft limit: its place, and what a unit of the caller's level is of its size.
    let soft: [(place: Int, unit: Double)]

    init(_ model: MeanRisk) {
        self.model = model
        let set = model.constraints
        var (limits, names) = (set.convex.map { $0.limit }, set.convex.map { set.constraints[$0.index].name })
        indices = set.convex.map { $0.index }
        var soft: [(place: Int, unit: Double)] = []
        for (place, item) in set.soft.enumerated() {
            guard case .convex(let limit) = item.constraint.kind else { continue }
            limits.append(limit)
            names.append(item.constraint.name)
            soft.append((place, abs(limit.perLevel) / Self.size(limit)))
        }
        (self.limits, self.names, self.soft) = (limits, names, soft)
    }

    var hard: Int { indices.count }
    /// By limit: what a unit of the caller's level is of its size.
    var perLevel: [Double] { limits.map { abs($0.perLevel) / Self.size($0) } }

    private static func size(_ limit: ConvexLimit) -> Double {
        max(abs(limit.size), .leastNormalMagnitude.squareRoot())
    }

    /// By limit: its function less its level, relative to its size.
    func tangents(at w: [Double]) -> [CuttingPlanes.Tangent] {
        limits.map { limit in
            let own = model.tangent(of: limit, at: w)
            let size = Self.size(limit)
            return CuttingPlanes.Tangent(value: (own.value - limit.most) / size, slope: own.slope.map { $0 / size })
        }
    }

    func point(_ w: [Double], parts: [CuttingPlanes.Tangent]) -> CuttingPlanes.Point? {
        let tangents = tangents(at: w)
        guard tangents.allSatisfy({ $0.value.isFinite && $0.slope.allSatisfy { $0.isFinite } }) else { return nil }
        return CuttingPlanes.Point(weights: w, parts: parts, limits: tangents)
    }
}
