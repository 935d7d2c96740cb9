/// `f = sum_t phi_t(u_t)`, the least such sum over `u >= a`, `u >= reflection a`: tails (reflection 0) and magnitudes (-1).
///
/// phi is linear, or the perspective of a square or of a 3/2 power over a core variable. With duals q, p of the two rows,
/// curvature k = l phi'' and D = q/s + p/r + k, the elimination gives
/// ```
/// d = ((1 - w)^2 q/s p/r + k (q/s + w^2 p/r)) / D      w = reflection
/// ```
/// in which nothing cancels. A square needs no second row of reflection 0: its slope vanishes there, and a row with no price would
/// only slow the convergence.
final class Hinge: ScenarioFunction {
    /// phi(u) for a scenario.
    enum Cost {
        /// `c_t u`
        case linear([Double])
        /// `c_t u^2 / (2 v_scale)`: half a root of a sum of squares, once `v_scale / 2` is added and minimised over.
        case square([Double], scale: Int)
        /// `c_t u^(3/2) / sqrt(v_scale)`, or with 1 in its place.
        case threeHalves([Double], scale: Int?)
    }

    private let cost: Cost
    private let reflection: Double
    private let hasSecond: Bool
    private let scaleIndex: Int?
    private let count: Int
    private var u: [Double]
    private var uStep: [Double]
    /// u - a with q, and u - reflection a with p.
    private var first: ComplementaryPairs
    private var second: ComplementaryPairs
    private var firstResidual: [Double]
    private var secondResidual: [Double]
    private var stationarity: [Double]
    private var slope: [Double]
    private var curvature: [Double]
    // At the present point: q/s, p/r, l phi'' and 1/D; and what a step of u is at rest, times D.
    private var stiffness: [Double]
    private var secondStiffness: [Double]
    private var inverse: [Double]
    private var rest: [Double]
    /// 1 / slack at the present point.
    private var firstInverse: [Double]
    private var secondInverse: [Double]
    private var firstRight: [Double]
    private var secondRight: [Double]
    private var scaleValue = 1.0
    private(set) var force: [Double]
    private(set) var weights: [Double]
    private(set) var constant: [Double]
    private(set) var forcePerMultiplier: [Double]
    private(set) var columns: [RowMap.Border] = []
    private(set) var scale: ScaleTerms?
    private(set) var multiplierTerms: (corner: Double, constant: Double) = (0, 0)

    init(count: Int, cost: Cost, reflection: Double = 0) {
        self.cost = cost
        self.count = count
        self.reflection = reflection
        let zeros = [Double](repeating: 0, count: count)
        (u, uStep, firstResidual, secondResidual, stationarity, curvature) = (zeros, zeros, zeros, zeros, zeros, zeros)
        (stiffness, secondStiffness, inverse, rest, firstRight, secondRight) =
            (zeros, zeros, zeros, zeros, zeros, zeros)
        (force, weights, constant, forcePerMultiplier) = (zeros, zeros, zeros, zeros)
        (firstInverse, secondInverse) = (zeros, zeros)
        first = ComplementaryPairs(count: count)
        switch cost {
        case .linear(let c):
            (slope, scaleIndex, hasSecond) = (c, nil, true)
        case .square(_, let index):
            (slope, scaleIndex, hasSecond) = (zeros, index, reflection != 0)
        case .threeHalves(_, let index):
            (slope, scaleIndex, hasSecond) = (zeros, index, true)
        }
        second = ComplementaryPairs(count: hasSecond ? count : 0)
        columns = scaleIndex.map { [RowMap.Border(index: $0, values: zeros)] } ?? []
    }

    var complementarity: (pairs: Int, sum: Double) {
        (first.slack.count + second.slack.count, first.sum + second.sum)
    }
    var needsCommonStep: Bool { if case .linear = cost { false } else { true } }

    func start(_ a: [Double], _ v: [Double], multiplier: Double, mu: Double) {
        let typical = max(a.reduce(0) { $0 + abs($1) } / Double(max(count, 1)), 1e-3)
        for t in 0..<count { u[t] = max(a[t], reflection * a[t]) + 0.3 * typical }
        update(v)
        for t in 0..<count {
            // The centre of the two rows: l phi' = mu / (u - a) + mu / (u - reflection a), without differences of near numbers.
            let tilt = min(mu / max(multiplier * slope[t], 1e-300), 0.5 * typical)
            let size = a[t].magnitude
            let near: Double
            if reflection == 0 {
                near = tilt + 2 * tilt * tilt / ((size * size + 4 * tilt * tilt).squareRoot() + size)
                u[t] = a[t] > 0 ? a[t] + near : near
                first.slack[t] = a[t] > 0 ? near : near + size
                if hasSecond { second.slack[t] = u[t] }
            } else {
                near = tilt + tilt * tilt / ((size * size + tilt * tilt).squareRoot() + size)
                u[t] = size + near
                first.slack[t] = a[t] > 0 ? near : near + 2 * size
                if hasSecond { second.slack[t] = a[t] > 0 ? near + 2 * size : near }
            }
            first.dual[t] = mu / first.slack[t]
            if hasSecond { second.dual[t] = mu / second.slack[t] }
        }
        update(v)
    }

    /// Slope and curvature of phi at u.
    private func update(_ v: [Double]) {
        scaleValue = scaleIndex.map { v[$0] } ?? 1
        switch cost {
        case .linear: break
        case .square(let c, _):
            let inverse = 1 / scaleValue
            for t in 0..<count {
                curvature[t] = c[t] * inverse
                slope[t] = curvature[t] * u[t]
            }
        case .threeHalves(let c, _):
            for t in 0..<count {
                let root = (u[t] / scaleValue).squareRoot()
                slope[t] = 1.5 * c[t] * root
                curvature[t] = 0.75 * c[t] / (root * scaleValue)
            }
        }
    }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        update(v)
        // Moved out and back: written through a span, an element costs no check of who else holds the array.
        var (residual1, residual2, stationary, forces) = ([Double](), [Double](), [Double](), [Double]())
        swap(&residual1, &firstResidual)
        swap(&residual2, &secondResidual)
        swap(&stationary, &stationarity)
        swap(&forces, &force)
        let product = Self.evaluate(
            a, u, slope, first.slack, first.dual, multiplier, &residual1, &stationary, &forces)
        if hasSecond {
            Self.evaluateSecond(a, u, second.slack, second.dual, reflection, &residual2, &stationary, &forces)
        }
        swap(&residual1, &firstResidual)
        swap(&residual2, &secondResidual)
        swap(&stationary, &stationarity)
        swap(&forces, &force)
        let (share, slopeShare): (Double, Double) =
            switch cost {
            case .linear: (1, 0)
            case .square: (0.5, -0.5)
            case .threeHalves: (2.0 / 3, -1.0 / 3)
            }
        if let index = scaleIndex {
            scale = ScaleTerms(
                index: index, slope: slopeShare * product / scaleValue, curvature: 0, constant: 0, perMultiplier: 0)
        }
        return share * product
    }

    func linearise(multiplier: Double) {
        let w = reflection
        var (d1, d2, shares, curvatures) = ([Double](), [Double](), [Double](), [Double]())
        var (inverse1, inverse2) = ([Double](), [Double]())
        swap(&d1, &stiffness)
        swap(&d2, &secondStiffness)
        swap(&shares, &inverse)
        swap(&curvatures, &weights)
        swap(&inverse1, &firstInverse)
        swap(&inverse2, &secondInverse)
        Self.stiffen(first.slack, first.dual, &inverse1, &d1)
        if hasSecond { Self.stiffen(second.slack, second.dual, &inverse2, &d2) }
        Self.curve(d1, d2, curvature, multiplier, w, &shares, &curvatures)
        swap(&d1, &stiffness)
        swap(&d2, &secondStiffness)
        swap(&shares, &inverse)
        swap(&curvatures, &weights)
        swap(&inverse1, &firstInverse)
        swap(&inverse2, &secondInverse)
        guard scaleIndex != nil else { return }
        var (curved, column) = (0.0, [Double]())
        swap(&column, &columns[0].values)
        for t in 0..<count {
            let (d1, d2, k) = (stiffness[t], secondStiffness[t], multiplier * curvature[t])
            let ratio = u[t] / scaleValue
            let crossed = (1 - w) * (1 - w) * d1 * d2
            let whole = crossed + k * (d1 + w * w * d2)
            guard whole > 0 else {
                column[t] = 0
                continue
            }
            column[t] = (d1 + w * d2) * k * ratio / whole
            curved += k * ratio * ratio * crossed / whole
        }
        swap(&column, &columns[0].values)
        scale?.curvature = curved
    }

    /// Forces and curvature along the multiplier; only ceilings ask for them.
    func lineariseMultiplier(multiplier: Double) {
        var (corner, perMultiplier) = (0.0, 0.0)
        for t in 0..<count {
            let part = slope[t] * inverse[t]
            forcePerMultiplier[t] = (stiffness[t] + reflection * secondStiffness[t]) * part
            corner += slope[t] * part
            perMultiplier += part * multiplier * curvature[t] * u[t]
        }
        multiplierTerms.corner = corner
        scale?.perMultiplier = perMultiplier / scaleValue
    }

    func condense(target: Double, corrects: Bool, multiplier: Double) {
        var (right1, right2, resting, constants) = ([Double](), [Double](), [Double](), [Double]())
        swap(&right1, &firstRight)
        swap(&right2, &secondRight)
        swap(&resting, &rest)
        swap(&constants, &constant)
        first.rights(target, corrects, &right1)
        if hasSecond { second.rights(target, corrects, &right2) }
        let sums = balance(right1, right2, multiplier, &resting, &constants)
        swap(&right1, &firstRight)
        swap(&right2, &secondRight)
        swap(&resting, &rest)
        swap(&constants, &constant)
        multiplierTerms.constant = sums.multiplier
        scale?.constant = sums.scale / scaleValue
    }

    /// What the rows ask for, net of u's own step: into `resting` and `constants`.
    private func balance(
        _ right1: [Double], _ right2: [Double], _ multiplier: Double, _ resting: inout [Double],
        _ constants: inout [Double]
    ) -> (multiplier: Double, scale: Double) {
        let w = reflection
        var (multiplierConstant, scaleConstant) = (0.0, 0.0)
        // Held, so that spans of them stay valid.
        let ownStiffness = stiffness
        let ownSecondStiffness = secondStiffness
        let ownCurvature = curvature
        let ownInverse = inverse
        let ownFirstInverse = firstInverse
        let ownSecondInverse = secondInverse
        let ownFirstResidual = firstResidual
        let ownSecondResidual = secondResidual
        let ownSlope = slope
        let ownU = u
        let ownStationarity = stationarity
        let d1s = ownStiffness.span
        let d2s = ownSecondStiffness.span
        let ks = ownCurvature.span
        let shares = ownInverse.span
        let inverse1 = ownFirstInverse.span
        let inverse2 = ownSecondInverse.span
        let residual1 = ownFirstResidual.span
        let residual2 = ownSecondResidual.span
        let slopes = ownSlope.span
        let us = ownU.span
        let stationary = ownStationarity.span
        let r1 = right1.span
        let r2 = right2.span
        var rests = resting.mutableSpan
        var outs = constants.mutableSpan
        for t in 0..<count {
            let (d1, d2, k) = (d1s[t], d2s[t], multiplier * ks[t])
            let push1 = r1[t] * inverse1[t] + d1 * residual1[t]
            let push2 = hasSecond ? r2[t] * inverse2[t] + d2 * residual2[t] : 0
            let still = stationary[t]
            let remaining = push1 + push2 - still
            rests[t] = remaining
            outs[t] =
                ((d2 * (1 - w) + k) * push1 + (w * k - d1 * (1 - w)) * push2 + (d1 + w * d2) * still) * shares[t]
            let step = remaining * shares[t]
            multiplierConstant += slopes[t] * step
            scaleConstant -= k * us[t] * step
        }
        return (multiplierConstant, scaleConstant)
    }

    func recover(_ da: [Double], _ dv: [Double], multiplierStep: Double, multiplier: Double) {
        let w = reflection
        let drift = (scaleIndex.map { dv[$0] } ?? 0) * multiplier / scaleValue
        var steps: [Double] = []
        swap(&steps, &uStep)
        move(da, multiplierStep, drift, &steps)
        first.follow(steps, da, 1, firstResidual, firstRight, firstInverse)
        if hasSecond { second.follow(steps, da, w, secondResidual, secondRight, secondInverse) }
        swap(&steps, &uStep)
    }

    /// The step of u.
    private func move(_ da: [Double], _ multiplierStep: Double, _ drift: Double, _ steps: inout [Double]) {
        let w = reflection
        // Held, so that spans of them stay valid.
        let ownStiffness = stiffness
        let ownSecondStiffness = secondStiffness
        let ownCurvature = curvature
        let ownInverse = inverse
        let ownSlope = slope
        let ownU = u
        let ownRest = rest
        let d1s = ownStiffness.span
        let d2s = ownSecondStiffness.span
        let rests = ownRest.span
        let slopes = ownSlope.span
        let ks = ownCurvature.span
        let us = ownU.span
        let shares = ownInverse.span
        let das = da.span
        var out = steps.mutableSpan
        for t in 0..<count {
            out[t] =
                ((d1s[t] + w * d2s[t]) * das[t] + rests[t] - slopes[t] * multiplierStep + drift * ks[t] * us[t])
                * shares[t]
        }
    }

    func stepLimits() -> (primal: Double, dual: Double) {
        let (a, b) = (first.stepLimits(), second.stepLimits())
        return (min(a.primal, b.primal), min(a.dual, b.dual))
    }

    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        first.sum(afterPrimal: primal, dual: dual) + second.sum(afterPrimal: primal, dual: dual)
    }

    func advance(primal: Double, dual: Double) {
        for t in 0..<count { u[t] += primal * uStep[t] }
        first.advance(primal: primal, dual: dual)
        second.advance(primal: primal, dual: dual)
    }

    func rescale(_ factor: Double) {
        for t in 0..<count { u[t] *= factor }
        first.rescale(factor)
        second.rescale(factor)
    }
}
