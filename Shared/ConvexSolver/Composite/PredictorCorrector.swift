import LinearAlgebra

/// The step rule: an affine direction says how far the products can fall, the second direction aims there with its corrections, and both
/// variables go nearly as far as they stay positive.
extension CompositeLoop {
    /// One predictor-corrector step; false where the Newton matrix cannot be factorised.
    func step() -> Bool {
        core.reset()
        for index in terms.indices {
            for block in terms[index].blocks {
                block.addCurvature(to: &core, &workspace, multiplier: terms[index].multiplier)
            }
        }
        for (i, index) in lowerIndex.enumerated() { core.add(lower.dual[i] / lower.slack[i], index, index) }
        for (i, index) in upperIndex.enumerated() { core.add(upper.dual[i] / upper.slack[i], index, index) }
        let rows = program.equalities.rows
        var sides = Matrix(rows: v.count, columns: rows + ceilings.count)
        for j in 0..<rows {
            for i in v.indices { sides.storage[i + j * v.count] = program.equalities[j, i] }
        }
        var corners = [Double](repeating: 0, count: sides.columns)
        for (j, index) in ceilings.enumerated() {
            var column = [Double](repeating: 0, count: v.count)
            for entry in terms[index].linear { column[entry.index] += entry.coefficient }
            var corner = terms[index].slack / terms[index].multiplier
            for block in terms[index].blocks {
                corner += block.addMultiplierColumn(to: &column, multiplier: terms[index].multiplier)
            }
            for i in v.indices { sides.storage[i + (rows + j) * v.count] = column[i] }
            corners[rows + j] = corner
        }
        guard
            let system = try? CoreSystem(
                core, sides: sides, corners: corners, regularisation: settings.regularisation)
        else { return false }
        guard pairCount > 0 else {
            // Newton's method; only the domain of a logarithm shortens its steps.
            direction(system, target: 0, corrects: false)
            let (p, d) = steps(fraction: 0.995)
            advance(p, d)
            return true
        }
        direction(system, target: 0, corrects: false)
        let (primal, dual) = steps(fraction: 1)
        let reached = complementarity(afterPrimal: primal, dual: dual) / Double(pairCount)
        let ratio = max(0, reached / meanProduct)
        let sigma = min(1, ratio * ratio * ratio)
        direction(system, target: sigma * meanProduct, corrects: true)
        let (p, d) = steps(fraction: 0.995)
        guard p.isFinite, d.isFinite else { return false }
        advance(p, d)
        return true
    }

    /// The Newton direction for products that are all to become `target`.
    private func direction(_ system: CoreSystem, target: Double, corrects: Bool) {
        var rest = gradient
        for i in lowerIndex.indices {
            rest[lowerIndex[i]] -= lower.right(i, target, corrects) / lower.slack[i]
        }
        for i in upperIndex.indices {
            rest[upperIndex[i]] += upper.right(i, target, corrects) / upper.slack[i]
        }
        let rights = (
            lowerIndex.indices.map { lower.right($0, target, corrects) },
            upperIndex.indices.map { upper.right($0, target, corrects) }
        )
        var r2 = equalityResidual.map { -$0 }
        for index in terms.indices {
            var constant = 0.0
            for block in terms[index].blocks {
                constant += block.condense(
                    target: target, corrects: corrects, multiplier: terms[index].multiplier, into: &rest)
            }
            guard let level = terms[index].level else { continue }
            let term = terms[index]
            let right =
                target - term.slack * term.multiplier - (corrects ? term.slackStep * term.multiplierStep : 0)
            terms[index].right = right
            r2.append(-(term.value + term.slack - level) - constant - right / term.multiplier)
        }
        let found = system.solve(rest.map { -$0 }, r2)
        dv = found.dv
        dy = Array(found.dy.prefix(y.count))
        for (j, index) in ceilings.enumerated() {
            let step = found.dy[y.count + j]
            terms[index].multiplierStep = step
            terms[index].slackStep = (terms[index].right - terms[index].slack * step) / terms[index].multiplier
        }
        for i in lowerIndex.indices {
            lower.slackStep[i] = dv[lowerIndex[i]]
            lower.dualStep[i] = (rights.0[i] - lower.dual[i] * lower.slackStep[i]) / lower.slack[i]
        }
        for i in upperIndex.indices {
            upper.slackStep[i] = -dv[upperIndex[i]]
            upper.dualStep[i] = (rights.1[i] - upper.dual[i] * upper.slackStep[i]) / upper.slack[i]
        }
        for index in terms.indices {
            let (step, multiplier) = (terms[index].multiplierStep, terms[index].multiplier)
            for block in terms[index].blocks { block.recover(dv, multiplierStep: step, multiplier: multiplier) }
        }
    }

    private func steps(fraction: Double) -> (Double, Double) {
        var (primal, dual) = lower.stepLimits()
        func consider(_ other: (primal: Double, dual: Double)) {
            primal = min(primal, other.primal)
            dual = min(dual, other.dual)
        }
        consider(upper.stepLimits())
        for block in blocks { consider(block.stepLimits()) }
        for index in ceilings {
            let term = terms[index]
            if term.slackStep < 0 { primal = min(primal, -term.slack / term.slackStep) }
            if term.multiplierStep < 0 { dual = min(dual, -term.multiplier / term.multiplierStep) }
        }
        let (p, d) = (min(1, fraction * primal), min(1, fraction * dual))
        return hasCommonStep ? (min(p, d), min(p, d)) : (p, d)
    }

    private func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        var sum = lower.sum(afterPrimal: primal, dual: dual) + upper.sum(afterPrimal: primal, dual: dual)
        for block in blocks { sum += block.complementarity(afterPrimal: primal, dual: dual) }
        for index in ceilings {
            let term = terms[index]
            sum += (term.slack + primal * term.slackStep) * (term.multiplier + dual * term.multiplierStep)
        }
        return sum
    }

    private func advance(_ primal: Double, _ dual: Double) {
        Vector.axpy(primal, dv, &v)
        Vector.axpy(dual, dy, &y)
        lower.advance(primal: primal, dual: dual)
        upper.advance(primal: primal, dual: dual)
        for block in blocks { block.advance(primal: primal, dual: dual) }
        for index in ceilings {
            terms[index].slack += primal * terms[index].slackStep
            terms[index].multiplier += dual * terms[index].multiplierStep
        }
    }
}
