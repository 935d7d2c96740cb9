import LinearAlgebra

/// The step rule: an affine direction says how far the products can fall, the second direction aims there with its corrections, and both
/// variables go nearly as far as they stay positive.
extension CompositeLoop {
    /// One predictor-corrector step; false where the Newton matrix cannot be factorised.
    func step() -> Bool {
        core.reset()
        addCurvature(ofBarriers: false)
        system.weighRows(core, at: v)
        addCurvature(ofBarriers: true)
        for (i, index) in lowerIndex.enumerated() { core.add(lower.dual[i] / lower.slack[i], index, index) }
        for (i, index) in upperIndex.enumerated() { core.add(upper.dual[i] / upper.slack[i], index, index) }
        writeCeilings()
        do throws(FactorisationError) {
            try system.factorise(core, regularisation: settings.regularisation)
        } catch {
            return false
        }
        guard pairCount > 0 else {
            // Newton's method; only the domain of a logarithm shortens its steps.
            direction(target: 0, corrects: false)
            let (p, d) = steps(fraction: 0.995)
            advance(p, d)
            return true
        }
        direction(target: 0, corrects: false)
        let (primal, dual) = steps(fraction: 1)
        let reached = complementarity(afterPrimal: primal, dual: dual) / Double(pairCount)
        let ratio = max(0, reached / meanProduct)
        let sigma = min(1, ratio * ratio * ratio)
        direction(target: sigma * meanProduct, corrects: true)
        let (p, d) = steps(fraction: 0.995)
        guard p.isFinite, d.isFinite else { return false }
        advance(p, d)
        return true
    }

    private func addCurvature(ofBarriers wanted: Bool) {
        for index in terms.indices {
            for block in terms[index].blocks where block.isBarrier == wanted {
                block.addCurvature(to: &core, &workspace, multiplier: terms[index].multiplier)
            }
        }
    }

    /// The ceilings' columns beside the core, after the equality rows, with their corners.
    private func writeCeilings() {
        let (n, rows) = (v.count, program.equalities.rows)
        for (j, index) in ceilings.enumerated() {
            for i in 0..<n { column[i] = 0 }
            for entry in terms[index].linear { column[entry.index] += entry.coefficient }
            var corner = terms[index].slack / terms[index].multiplier
            for block in terms[index].blocks {
                corner += block.addMultiplierColumn(to: &column, multiplier: terms[index].multiplier)
            }
            for i in 0..<n { system.sides.storage[i + (rows + j) * n] = column[i] }
            system.corners[rows + j] = corner
        }
    }

    /// The Newton direction for products that are all to become `target`.
    private func direction(target: Double, corrects: Bool) {
        Vector.copy(gradient, into: &rest)
        for i in lowerIndex.indices {
            lowerRight[i] = lower.right(i, target, corrects)
            rest[lowerIndex[i]] -= lowerRight[i] / lower.slack[i]
        }
        for i in upperIndex.indices {
            upperRight[i] = upper.right(i, target, corrects)
            rest[upperIndex[i]] += upperRight[i] / upper.slack[i]
        }
        for j in equalityResidual.indices { sideRight[j] = -equalityResidual[j] }
        var place = equalityResidual.count
        for index in terms.indices {
            var constant = 0.0
            for block in terms[index].blocks {
                constant += block.condense(
                    target: target, corrects: corrects, multiplier: terms[index].multiplier, into: &rest)
            }
            guard let level = terms[index].level else { continue }
            let (slack, multiplier) = (terms[index].slack, terms[index].multiplier)
            let product = corrects ? terms[index].slackStep * terms[index].multiplierStep : 0
            let right = target - slack * multiplier - product
            terms[index].right = right
            sideRight[place] = -(terms[index].value + slack - level) - constant - right / multiplier
            place += 1
        }
        for i in rest.indices { rest[i] = -rest[i] }
        system.solve(rest, sideRight, dv: &dv, dy: &sideStep)
        for j in dy.indices { dy[j] = sideStep[j] }
        for (j, index) in ceilings.enumerated() {
            let step = sideStep[y.count + j]
            terms[index].multiplierStep = step
            terms[index].slackStep = (terms[index].right - terms[index].slack * step) / terms[index].multiplier
        }
        for i in lowerIndex.indices {
            lower.slackStep[i] = dv[lowerIndex[i]]
            lower.dualStep[i] = (lowerRight[i] - lower.dual[i] * lower.slackStep[i]) / lower.slack[i]
        }
        for i in upperIndex.indices {
            upper.slackStep[i] = -dv[upperIndex[i]]
            upper.dualStep[i] = (upperRight[i] - upper.dual[i] * upper.slackStep[i]) / upper.slack[i]
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
