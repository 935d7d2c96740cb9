import LinearAlgebra

/// A convex function of T arguments, one a scenario, with variables of its own that the Newton step eliminates.
///
/// With multiplier l it adds `l f(a, v)` to the Lagrangian. What is left of one Newton step after the elimination is
/// ```
/// 1/2 sum_t weight_t (da_t - sum_j column_jt dv_j)^2 + outer terms + diagonal terms of single core variables
/// ```
/// and forces: the dual series `force` = d(l f)/da, its constant change after `condense`, and its change with l.
protocol ScenarioFunction: AnyObject {
    /// d(l f)/da at the current point: the measure's dual series times l.
    var force: [Double] { get }
    /// Curvature along each argument.
    var weights: [Double] { get }
    /// Core variables that the function depends on besides its arguments, with their columns.
    var columns: [RowMap.Border] { get }
    /// `scale (vector' (da - columns dv))^2`, or nil.
    var outer: (scale: Double, vector: [Double])? { get }
    /// Change of `force` at rest, after `condense`.
    var constant: [Double] { get }
    /// Change of `force` with the multiplier.
    var forcePerMultiplier: [Double] { get }
    /// The core variable that the function scales with, if it is a perspective.
    var scale: ScaleTerms? { get }
    /// What the multiplier's row gets: curvature along the multiplier, and its constant after `condense`.
    var multiplierTerms: (corner: Double, constant: Double) { get }
    /// Number of complementary pairs, and the sum of their products.
    var complementarity: (pairs: Int, sum: Double) { get }
    /// Whether the primal and the dual step have to be equal.
    var needsCommonStep: Bool { get }

    /// Sets the function's own variables from the arguments, near the central path of `mu`.
    func start(_ a: [Double], _ v: [Double], multiplier: Double, mu: Double)
    /// Takes in a new point: residuals, forces. Returns the value of f.
    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double
    /// Weights and columns at the point last evaluated.
    func linearise(multiplier: Double)
    /// Forces and curvature along the multiplier, after `linearise`.
    func lineariseMultiplier(multiplier: Double)
    /// Constants for the products' target; `corrects` adds the second order terms of the directions last recovered.
    func condense(target: Double, corrects: Bool, multiplier: Double)
    /// Directions of the function's own variables.
    func recover(_ da: [Double], _ dv: [Double], multiplierStep: Double, multiplier: Double)
    /// The largest steps that keep every pair positive.
    func stepLimits() -> (primal: Double, dual: Double)
    /// The sum of products after steps of these lengths.
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double
    /// Moves the function's own variables.
    func advance(primal: Double, dual: Double)
    /// Multiplies the function's own primal variables, as the core's are.
    func rescale(_ factor: Double)
}

extension ScenarioFunction {
    // Most functions have little of their own: no variables, and forces that follow from the evaluation.
    var outer: (scale: Double, vector: [Double])? { nil }
    var columns: [RowMap.Border] { [] }
    var scale: ScaleTerms? { nil }
    var multiplierTerms: (corner: Double, constant: Double) { (0, 0) }
    var complementarity: (pairs: Int, sum: Double) { (0, 0) }
    func start(_ a: [Double], _ v: [Double], multiplier: Double, mu: Double) {}
    func linearise(multiplier: Double) {}
    func lineariseMultiplier(multiplier: Double) {}
    func condense(target: Double, corrects: Bool, multiplier: Double) {}
    func recover(_ da: [Double], _ dv: [Double], multiplierStep: Double, multiplier: Double) {}
    func stepLimits() -> (primal: Double, dual: Double) { (.infinity, .infinity) }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double { 0 }
    func advance(primal: Double, dual: Double) {}
    func rescale(_ factor: Double) {}
}

/// What a function that depends on one scaling core variable adds to that variable.
struct ScaleTerms {
    var index: Int
    /// df/dv, per unit of the multiplier.
    var slope: Double
    /// Curvature that is not in the weighted form.
    var curvature: Double
    /// Change of the Lagrangian's slope at rest, after `condense`.
    var constant: Double
    /// Its change with the multiplier, beyond `slope`.
    var perMultiplier: Double
}

/// Pairs of nonnegative numbers whose products go to zero, with their directions.
struct ComplementaryPairs {
    var slack: [Double]
    var dual: [Double]
    var slackStep: [Double]
    var dualStep: [Double]

    init(count: Int) {
        slack = [Double](repeating: 1, count: count)
        dual = slack
        slackStep = [Double](repeating: 0, count: count)
        dualStep = slackStep
    }

    var sum: Double { Vector.dot(slack, dual) }

    func sum(afterPrimal primal: Double, dual step: Double) -> Double {
        sum + primal * Vector.dot(slackStep, dual) + step * Vector.dot(slack, dualStep)
            + primal * step * Vector.dot(slackStep, dualStep)
    }

    func stepLimits() -> (primal: Double, dual: Double) {
        (Self.limit(slack, slackStep), Self.limit(dual, dualStep))
    }

    /// The right-hand side of `slack ddual + dual dslack = k`.
    @inline(__always)
    func right(_ i: Int, _ target: Double, _ corrects: Bool) -> Double {
        target - slack[i] * dual[i] - (corrects ? slackStep[i] * dualStep[i] : 0)
    }

    /// All right-hand sides.
    func rights(_ target: Double, _ corrects: Bool, _ out: inout [Double]) {
        let slack = slack.span
        let dual = dual.span
        let slackStep = slackStep.span
        let dualStep = dualStep.span
        var rights = out.mutableSpan
        if corrects {
            for i in 0..<slack.count { rights[i] = target - slack[i] * dual[i] - slackStep[i] * dualStep[i] }
        } else {
            for i in 0..<slack.count { rights[i] = target - slack[i] * dual[i] }
        }
    }

    /// Steps of slacks and duals that follow from `ds = du - w da - residual`.
    mutating func follow(
        _ du: [Double], _ da: [Double], _ w: Double, _ residual: [Double], _ right: [Double], _ inverse: [Double]
    ) {
        Self.slackSteps(du, da, w, residual, &slackStep)
        Self.dualSteps(slackStep, dual, right, inverse, &dualStep)
    }

    mutating func advance(primal: Double, dual step: Double) {
        Self.add(primal, slackStep, to: &slack)
        Self.add(step, dualStep, to: &dual)
    }

    private static func slackSteps(
        _ du: [Double], _ da: [Double], _ w: Double, _ residual: [Double], _ steps: inout [Double]
    ) {
        let du = du.span
        let da = da.span
        let residual = residual.span
        var out = steps.mutableSpan
        for i in 0..<du.count { out[i] = du[i] - w * da[i] - residual[i] }
    }

    private static func dualSteps(
        _ slackStep: [Double], _ dual: [Double], _ right: [Double], _ inverse: [Double], _ steps: inout [Double]
    ) {
        let slackStep = slackStep.span
        let dual = dual.span
        let right = right.span
        let inverse = inverse.span
        var out = steps.mutableSpan
        for i in 0..<slackStep.count { out[i] = (right[i] - dual[i] * slackStep[i]) * inverse[i] }
    }

    private static func add(_ factor: Double, _ steps: [Double], to values: inout [Double]) {
        let steps = steps.span
        var out = values.mutableSpan
        for i in 0..<steps.count { out[i] += factor * steps[i] }
    }

    mutating func rescale(_ factor: Double) {
        for i in slack.indices { slack[i] *= factor }
    }

    static func limit(_ values: [Double], _ steps: [Double]) -> Double {
        // The largest of -step / value: its reciprocal is the limit.
        let rate = Vector.fallRate(values, steps)
        return rate > 0 ? 1 / rate : .infinity
    }
}
