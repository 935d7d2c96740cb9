import ConvexSolver
import WireFormat

extension CompositeProgram {
    /// The solver's last point, whatever it is worth: what reads it judges that.
    /// - Throws: `SYS-201` where the deadline passed or the calculation was cancelled.
    /// - Parameter accuracy: where the solve ends.
    func solved(
        regularisation: Double, deadline: SolverDeadline, accuracy: Double = 1e-12
    ) throws(Problem) -> CompositeSolution {
        var settings = SolverSettings(maximumIterations: 150, deadline: deadline)
        settings.regularisation = regularisation
        settings.accuracy = accuracy
        let found = CompositeMethod.solve(self, settings: settings)
        switch found.status {
        case .deadline: throw Problem(.deadline, "The deadline passed after \(found.iterations) iterations.")
        case .cancelled: throw Problem(.deadline, "The calculation was cancelled.")
        default: return found
        }
    }
}

/// A mean-risk program's solution in the caller's terms: weights, prices by constraint, and what the risks prove themselves by.
extension MeanRiskProgram {
    /// k of a ratio, else one.
    /// - Throws: `OPT-203` where the ratio has no maximum.
    func scale(of found: CompositeSolution) throws(Problem) -> Double {
        guard let index = scaleIndex else { return 1 }
        let scale = found.v[index]
        guard scale > 0, scale.isFinite else { throw MeanVariance.unlimitedRatio }
        return scale
    }

    /// The weights, on the bounds and references that the solution says they are on: where the price of a bound outweighs the distance
    /// from it.
    /// - Parameter references: weights from which changes count.
    /// - Throws: `OPT-202` where rounding left no numbers, `OPT-203`.
    func weights(of found: CompositeSolution, references: [[Double]] = []) throws(Problem) -> [Double] {
        let scale = try scale(of: found)
        let set = constraintSet
        var weights = found.v.prefix(set.assets.count).map { $0 / scale }
        guard weights.allSatisfy({ $0.isFinite }) else {
            throw Problem(.unstable, "Rounding stopped the solver at gap \(found.relativeGap).")
        }
        for i in weights.indices {
            let (low, high) = (set.lower[i], set.upper[i])
            let (below, above) = (weights[i] - low, high - weights[i])
            if low == high || below < 1e-10 || (below < 1e-6 && found.lowerDuals[i] > 1e2 * below) {
                weights[i] = low
            } else if above < 1e-10 || (above < 1e-6 && found.upperDuals[i] > 1e2 * above) {
                weights[i] = high
            }
            for reference in references
            where abs(weights[i] - reference[i]) < 1e-9 && weights[i] != low && weights[i] != high {
                weights[i] = min(max(reference[i], low), high)
            }
            if weights[i] == 0 { weights[i] = 0 }  // no negative zero
        }
        WeightCleanup.balance(&weights, set)
        return weights
    }

    /// Prices by constraint: those of rows and ceilings, times `size`.
    func prices(_ found: CompositeSolution, size: Double) -> [Double] {
        var prices = [Double](repeating: 0, count: constraintSet.constraints.count)
        for (row, origin) in equalityOrigins.enumerated() {
            guard let origin else { continue }
            let price = size * found.equalityDuals[row] / origin.factor
            if let opposite = origin.opposite, price < 0 {
                prices[opposite] -= price
            } else {
                prices[origin.constraint] += price
            }
        }
        if let rowTerm, let series = found.dualSeries[rowTerm].first {
            for (row, origin) in rowOrigins.enumerated() {
                guard let origin else { continue }
                let price = size * series[row] / origin.factor
                prices[origin.constraint] += price
                origin.thinRow?.charge(price, to: &prices)
            }
        }
        for ceiling in ceilings {
            prices[ceiling.origin.constraint] += size * found.multipliers[ceiling.term] / ceiling.origin.factor
        }
        return prices
    }

    /// The risk measures of the program with their dual series, by the constraint that limits them; nil for the objective's.
    func evidence(_ found: CompositeSolution) -> [(constraint: Int?, evidence: RiskEvidence)] {
        evidence.map { item in
            let soft = soft.firstIndex { soft in
                if case .ceiling(item.term, _) = soft.form { true } else { false }
            }.map { constraintSet.constraints.count + $0 }
            let owner = ceilings.first { $0.term == item.term }?.origin.constraint ?? soft
            return (owner, RiskEvidence(found, term: item.term, measure: item.measure, pieces: item.pieces))
        }
    }

    /// Those of limits.
    func limits(_ found: CompositeSolution) -> [(constraint: Int, evidence: RiskEvidence)] {
        evidence(found).compactMap { item in item.constraint.map { ($0, item.evidence) } }
    }

    /// What the solution says about the soft constraints.
    func softEvidence(_ found: CompositeSolution) -> [SoftEvidence] {
        zip(soft, constraintSet.soft).map { item, soft in
            switch item.form {
            case .row(let row, let cost):
                guard let (term, part) = softRowPlace, found.multipliers[term] > 0 else {
                    return SoftEvidence(share: 0)
                }
                let price = found.dualSeries[term][part][row] / found.multipliers[term]
                return SoftEvidence(share: item.counted * min(max(price / cost, 0), 1))
            case .ceiling(let term, let excess):
                let price = max(found.multipliers[term], 0)
                // The price and what keeps the excess at zero add up to the penalty.
                let whole = price + max(found.lowerDuals[excess], 0)
                var kinks: [Double] = []
                if case .hinge = soft.constraint.kind, price > 0, let series = found.dualSeries[term].first {
                    kinks = series.map { $0 / price }
                }
                return SoftEvidence(share: whole > 0 ? item.counted * price / whole : 0, kinks: kinks)
            }
        }
    }

    /// Whether a soft constraint pays all of a penalty that was capped.
    func isCapped(_ found: CompositeSolution) -> Bool {
        zip(soft, softEvidence(found)).contains { $0.counted < 1 && $1.share > (1 - 1e-3) * $0.counted }
    }

    /// By asset, the slope of the costs that the solution found: what it is worth not to move.
    func kinks(_ found: CompositeSolution, unit: Double) -> [Double] {
        var kinks = [Double](repeating: 0, count: constraintSet.assets.count)
        guard let (term, parts) = costTerm else { return kinks }
        let multiplier = found.multipliers[term]
        guard multiplier > 0 else { return kinks }
        for series in found.dualSeries[term][parts] {
            for i in kinks.indices { kinks[i] += series[i] / multiplier * unit }
        }
        return kinks
    }
}

extension RiskEvidence {
    /// The dual series of a term's pieces per unit of its multiplier.
    init(
        _ found: CompositeSolution, term: Int, measure: any ConvexRiskMeasure, pieces: [RiskFormulation.Piece]
    ) {
        let multiplier = found.multipliers[term]
        self.init(
            measure: measure, pieces: pieces,
            duals: found.dualSeries[term].map { $0.map { multiplier > 0 ? $0 / multiplier : 0 } })
    }
}
