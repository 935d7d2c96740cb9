import ConvexSolver
import LinearAlgebra
import WireFormat

/// Risk and return in the objective, and the excess return of a ratio.
extension MeanRiskProgram {
    /// Adds `weight x risk` to the objective; of MV the standard deviation, or the variance where `isVariance`.
    mutating func addRisk(_ measure: any ConvexRiskMeasure, weight: Double, isVariance: Bool) {
        if type(of: measure).code == .mv {
            let unit = risk.model.unit
            var matrix = covariance
            for i in matrix.storage.indices { matrix.storage[i] /= (isVariance ? 1 : 2) * unit * unit }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            if isVariance {
                risk.program.terms.append(.init(.objective(weight), parts: [.quadratic(matrix, map, scale: nil)]))
            } else {
                let root = risk.program.addVariable(
                    lower: 0, start: risk.rootMeanSquare(risk.centredStart))
                risk.program.terms.append(
                    .init(
                        .objective(weight), linear: [.init(root, 0.5)], parts: [.quadratic(matrix, map, scale: root)]))
            }
            return
        }
        let formulation = measure.formulate(in: &risk)
        evidence.append((risk.program.terms.count, measure, formulation.pieces))
        risk.program.terms.append(
            .init(.objective(weight), linear: formulation.linear, parts: formulation.pieces.map { $0.part }))
    }

    /// The return that is given up, as a convex function: `-mean'w`, less growth or plus costs as asked for, over the scale.
    func lostReturn(
        _ reward: Reward
    ) -> (linear: [CompositeProgram.Entry], parts: [CompositeProgram.Part], costParts: Int) {
        let unit = risk.model.unit
        var linear: [CompositeProgram.Entry] = []
        var parts: [CompositeProgram.Part] = []
        switch reward.kelly {
        case .exact:
            parts.append(
                .scenarios(
                    .logarithm(cost: risk.model.probabilities.map { $0 / unit }, unit: unit, scale: scale),
                    .rows(risk.model.rows(1, risk.weights))))
        case .approx:
            var matrix = covariance
            for i in matrix.storage.indices { matrix.storage[i] /= 2 * unit }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            parts.append(.quadratic(matrix, map, scale: scale))
            linear = risk.weights.map { .init($0, -risk.model.mean[$0]) }
        case .none: linear = risk.weights.map { .init($0, -risk.model.mean[$0]) }
        }
        linear += penalties
        let before = parts.count
        if let costs = reward.costs {
            let map = ArgumentMap.coordinates(
                CoordinateMap(columns: risk.weights, reference: costs.reference, scale: scale))
            if costs.linear.contains(where: { $0 > 0 }) {
                parts.append(.scenarios(.linear(cost: costs.linear.map { $0 / unit }, reflection: -1), map))
            }
            if costs.impact.contains(where: { $0 > 0 }) {
                parts.append(.scenarios(.threeHalves(cost: costs.impact.map { $0 / unit }, scale: scale), map))
            }
        }
        let costParts = parts.count - before
        if let part = softRowPart { parts.append(part) }
        return (linear, parts, costParts)
    }

    /// Adds the return to the objective.
    mutating func addReturn(_ reward: Reward) {
        let lost = lostReturn(reward)
        for entry in lost.linear { risk.program.cost[entry.index] += entry.coefficient }
        guard !lost.parts.isEmpty else { return }
        note(lost.parts.count, costParts: lost.costParts)
        risk.program.terms.append(.init(.objective(1), parts: lost.parts))
    }

    /// Fixes the excess return of a ratio: an equality where it is linear, else a ceiling of what is lost.
    mutating func fixExcess(_ reward: Reward, rate: Double, level: Double) {
        guard let scale else { return }
        let lost = lostReturn(reward)
        let unit = risk.model.unit
        if lost.parts.isEmpty {
            risk.program.addEquality(
                lost.linear.map { .init($0.index, -$0.coefficient) } + [.init(scale, -rate / unit)], level: level)
            risk.program.normalisingRow = equalityOrigins.count
            equalityOrigins.append(nil)
            return
        }
        note(lost.parts.count, costParts: lost.costParts)
        risk.program.terms.append(
            .init(.atMost(-level), linear: lost.linear + [.init(scale, rate / unit)], parts: lost.parts))
    }

    /// Where costs and soft rows are among the parts of the term that comes next.
    private mutating func note(_ parts: Int, costParts: Int) {
        let term = risk.program.terms.count
        if !softRows.isEmpty { softRowPlace = (term, parts - 1) }
        let end = softRows.isEmpty ? parts : parts - 1
        if costParts > 0 { costTerm = (term, (end - costParts)..<end) }
    }

    /// The core variable k of a ratio.
    var scaleIndex: Int? { risk.scale }

    /// Takes the mean out of the objective again, where only costs count beside the risk.
    mutating func dropMean() {
        for index in risk.weights { risk.program.cost[index] = 0 }
    }

    /// Adds one relative excess to every convex limit and minimises it.
    mutating func relaxLimits() {
        let excess = risk.program.addVariable(cost: 1, lower: 0, start: 1)
        for ceiling in ceilings {
            guard case .convex(let limit) = constraintSet.constraints[ceiling.origin.constraint].kind,
                case .atMost(let level) = risk.program.terms[ceiling.term].place
            else { continue }
            var size = max(abs(level), 1e-9)
            if case .cone = limit.function { size = 1 }
            risk.program.terms[ceiling.term].linear.append(.init(excess, -size))
        }
    }
}
