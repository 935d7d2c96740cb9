import RealModule
public import WireFormat

/// Checks an answer before it leaves. Shares no code with the solver, the compiler of constraints or the models: it reads the
/// request, the returns and the answer, and adds up plain sums.
///
/// Checked are: every figure is finite; one weight an asset; bounds, budget, groups, linear rows, exposure, turnover and
/// least return; objective, return and risk against their definitions on the return series; the risk contributions' sum; and
/// optimality, by a bound on every other portfolio that the reported prices prove (`OptimalityBound`).
public enum Verification {
    /// The relative distance from optimal up to which an answer counts as proven.
    public static let fullProof = 1e-8
    /// The largest that passes, with a warning that names it: rounding may keep the prices of a right answer from proving more.
    public static let largestGap = 1e-6

    /// Throws if anything is off: no answer rather than a wrong one.
    /// - Throws: `SYS-301` with what was found; `OPT-202` where the data's own scales are the cause.
    public static func check(
        _ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult
    ) throws(Problem) {
        let faults = faults(request, panel: panel, result: result)
        guard faults.isEmpty else {
            if let problem = UnequalScales.problem(of: panel) { throw problem }
            throw Problem(.unverified, "The answer did not pass verification: \(faults.joined(separator: "; ")).")
        }
    }

    /// Everything that is off, in words; empty for a right answer.
    public static func faults(
        _ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult
    ) -> [String] {
        let request = AllocationRules.held(request)
        var faults = shape(request, panel, result)
        guard faults.isEmpty else { return faults }
        let unread = request.constraints.factorExposure.filter { limit in
            !result.exposures.contains { $0.name == limit.name }
        }
        faults += unread.map { "the exposure to \($0.name) is not known" }
        let rules = RequestRules(
            request, panel: panel, mean: result.moments?.mean,
            periodsPerYear: result.periodsPerYear, exposures: result.exposures)
        faults += rules.violations(of: result.weights)
        // The model's scenarios are what its risk and its limits are about.
        let scenarios: ReturnPanel
        do throws(Problem) {
            scenarios = try result.moments?.scenarioPanel(panel) ?? panel
        } catch {
            return faults + ["the model's scenarios are no panel: \(error.detail)"]
        }
        let limits = limits(request, scenarios, result)
        let penalty = rules.penalty(at: result.weights) + limits.reduce(0) { $0 + $1.penalty }
        let series = PlainSeries(scenarios, result.weights)
        faults += figures(
            request, panel, series, result, penalty: penalty,
            penaltyRounding: rules.penaltyRounding(at: result.weights) + limits.reduce(0) { $0 + $1.rounding })
        faults += contributions(request, series, result)
        faults += limits.compactMap { $0.fault }
        faults += holdings(request, panel, result)
        if let proof = result.proof {
            let gap = proof.gap(request, panel: panel, result: result)
            if !(gap <= fullProof) { faults.append("the answer is proven optimal only to \(gap)") }
        }
        if let model = result.model {
            let rate = request.riskFreeRate / result.periodsPerYear
            let point = MeanRiskPoint(
                objective: request.objective, model: model, weights: result.weights, riskFreeRate: rate,
                riskAversion: request.riskAversion, evidence: result.evidence)
            let minorants = LimitMinorants(
                set: model.constraints, evidence: result.evidence, model: model, weights: result.weights)
            let gap = OptimalityBound(
                request, panel: panel, moments: result.moments, weights: result.weights, point: point,
                prices: result.prices,
                limits: minorants, periodsPerYear: result.periodsPerYear,
                exposures: result.exposures, box: result.choice
            ).relativeGap
            if !(gap <= largestGap) { faults.append("the prices prove optimality only to \(gap)") }
        }
        faults += frontier(result)
        return faults
    }

    private static func shape(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ result: OptimizationResult
    ) -> [String] {
        var faults: [String] = []
        let count = request.assets.count
        if panel.assets != request.assets { faults.append("the panel has other assets than the request") }
        if result.weights.count != count { faults.append("\(result.weights.count) weights for \(count) assets") }
        if !result.weights.allSatisfy({ $0.isFinite }) { faults.append("a weight is not finite") }
        if let moments = result.moments, !moments.fits(count) {
            faults.append("the moments are not those of \(count) assets")
        }
        if result.riskContributions.count != count || !result.riskContributions.allSatisfy({ $0.isFinite }) {
            faults.append("the risk contributions are not one finite figure an asset")
        }
        let solution = result.solution
        let reported = [
            solution.objectiveValue, solution.expectedReturn, solution.risk, solution.primalResidual,
            solution.dualResidual, solution.dualityGap,
        ]
        if !reported.allSatisfy({ $0.isFinite }) { faults.append("a figure of the solution is not finite") }
        let named = result.metrics + result.risk + result.modelFigures
        for figure in named where !(figure.value?.isFinite ?? true) { faults.append("\(figure.name) is not finite") }
        if !(result.prices + solution.binding).allSatisfy({ $0.dual.isFinite }) {
            faults.append("a price is not finite")
        }
        let isProven = result.choice != nil || solution.dualityGap <= largestGap
        // Where a bound proves the answer it stands in for the solver's own stationarity.
        let isStationary = result.model != nil || result.proof != nil || solution.dualResidual <= fullProof
        if !(solution.primalResidual <= 1e-8 && isStationary && isProven) {
            faults.append("the solver's own residuals are large")
        }
        let said = result.warnings.contains { $0.code == "optimality_gap" }
        if solution.dualityGap > (result.choice == nil ? fullProof : largestGap), !said {
            faults.append("the gap of \(solution.dualityGap) is not pointed out")
        }
        return faults
    }

    private static func frontier(_ result: OptimizationResult) -> [String] {
        guard let points = result.frontier else { return [] }
        guard points.allSatisfy({ $0.risk.isFinite && $0.expectedReturn.isFinite }) else {
            return ["a point of the frontier is not finite"]
        }
        for (left, right) in zip(points, points.dropFirst()) {
            let slack = 1e-9 * (abs(left.expectedReturn) + abs(right.expectedReturn) + right.risk)
            if right.risk < left.risk { return ["the frontier does not ascend in risk"] }
            if right.expectedReturn < left.expectedReturn - slack { return ["the frontier does not ascend in return"] }
        }
        return []
    }
}
