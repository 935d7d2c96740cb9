import LinearAlgebra
import WireFormat

/// Affine functions below the convex limits of a constraint set, which turn each limit into a linear row for a bound.
struct LimitMinorants {
    /// By constraint of the set, for the convex ones; slopes per unit of the caller's level.
    let rows: [(index: Int, name: String, minorant: Minorant, most: Double, perLevel: Double)]

    /// Of a set without convex limits.
    init(none: Void) { rows = [] }

    init(set: ConstraintSet, evidence: SolutionEvidence, model: MeanRisk, weights: [Double]) {
        rows = set.convex.map { item in
            let name = set.constraints[item.index].name
            let minorant = Self.minorant(item.limit, named: name, evidence, model, weights)
            return (item.index, name, minorant, item.limit.most, abs(item.limit.perLevel))
        }
    }

    /// An affine function below a limit's function, from what a solution says about the limit of a name.
    static func minorant(
        _ limit: ConvexLimit, named name: String, _ evidence: SolutionEvidence, _ model: MeanRisk, _ w: [Double]
    ) -> Minorant {
        if let tangents = evidence.tangents {
            let own = tangents.limits.first { $0.name == name }?.shares ?? []
            // A limit without a price needs no tangent but its own.
            return Minorant(average: own.isEmpty ? [(w, 1)] : own) { model.tangent(of: limit, at: $0) }
        }
        return minorant(limit, evidence.limits.first { $0.name == name }?.evidence, model, w)
    }

    /// An affine function below a limit's function that touches it at the weights.
    static func minorant(
        _ limit: ConvexLimit, _ evidence: RiskEvidence?, _ model: MeanRisk, _ w: [Double]
    ) -> Minorant {
        if let evidence { return evidence.minorant(at: w, model.model) }
        let value = limit.value(w)
        func linearised(_ slope: [Double]) -> Minorant {
            Minorant(slope: slope, constant: value - Vector.dot(slope, w))
        }
        switch limit.function {
        case .concentration: return linearised(w.map { 2 * $0 })
        case .risk:
            // MV: the root of a quadratic form.
            let image = model.covariance.symmetricMultiplied(by: w)
            return linearised(image.map { value > 0 ? $0 / value : 0 })
        case .distance(let reference):
            return linearised(distanceSlope(model.model, model.model.panel.portfolioReturns(reference), value, w))
        case .distanceFromSeries(let series): return linearised(distanceSlope(model.model, series, value, w))
        case .cone(let norm, let slope):
            let image = norm.multiplied(by: w)
            let length = Vector.dot(image, image).squareRoot()
            let gradient =
                length > 0 ? norm.transposedMultiplied(by: image.map { $0 / length }) : w.map { _ in 0 }
            return linearised(zip(gradient, slope).map { $0 - $1 })
        }
    }

    private static func distanceSlope(
        _ model: ScenarioModel, _ series: [Double], _ value: Double, _ w: [Double]
    ) -> [Double] {
        let x = model.panel.portfolioReturns(w)
        guard value > 0 else { return w.map { _ in 0 } }
        let divisor = Double(max(x.count - 1, 1)) * value
        return model.panel.returns.transposedMultiplied(by: x.indices.map { (x[$0] - series[$0]) / divisor })
    }

    /// What is left of a direction after the limits' share.
    func reduced(_ direction: [Double], _ prices: [Double]) -> [Double] {
        var rest = direction
        for row in rows where prices[row.index] != 0 {
            Vector.axpy(-prices[row.index] / row.perLevel, row.minorant.slope, &rest)
        }
        return rest
    }
}
