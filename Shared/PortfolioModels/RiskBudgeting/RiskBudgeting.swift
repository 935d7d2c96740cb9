import ConvexSolver
import LinearAlgebra
import WireFormat

/// Long portfolios whose assets bear given shares of the risk, for any convex risk measure and under any constraints.
///
/// ```
/// min over y in the cone of W:   rho(y) - sum_i b_i ln y_i,   w = y / k
/// ```
/// Where no constraint binds, `w_i g_i = b_i rho(w)` for a (sub)gradient g of the measure: the contributions are the budgets. Under
/// constraints w minimises `ln rho - sum b ln w` over W, the nearest thing to the budgets that is unique; y and k are those of the
/// homogenised constraints, as for a ratio. Measures of degree two enter as `rho / 2`, which shares their root out.
///
/// Source: T. Roncalli (2013), Introduction to Risk Parity and Budgeting, chapter 2; J.-C. Richard, T. Roncalli (2019), Constrained
/// Risk Budgeting Portfolios; R. Freitas Paulo da Costa, S. Kwon (2020), Generalized risk parity portfolio optimization (ADMM);
/// for tail measures H. Mausser, O. Romanko (2014), Computing equal risk contribution portfolios, IBM J. R&D 58(4).
struct RiskBudgeting: Sendable {
    var model: ScenarioModel
    let measure: any ConvexRiskMeasure
    /// Of MV, and of limits of MV; N x N per period.
    let covariance: Matrix
    /// Whether MV is that of the panel's own sample.
    let isSample: Bool
    /// With a budget that is one number.
    let constraints: ConstraintSet
    let parameters: RiskParameters
    /// N shares above zero that add up to one.
    let budgets: [Double]
    let deadline: SolverDeadline
    var regularisation = 1e-14
    var ordering = OrderingWindow.unknown
    /// Where to start, if a solution is near.
    var nearby: [Double]?

    /// What a solve found, in the caller's units.
    struct Solution: Sendable {
        var weights: [Double]
        /// By constraint; zero for bounds. In units of `ln rho` per unit of the caller's level.
        var prices: [Double]
        /// Of the objective's measure; nil for MV.
        var evidence: RiskEvidence?
        /// By constraint that limits a measure.
        var limits: [(constraint: Int, evidence: RiskEvidence)]
        var iterations: Int
        var primalResidual: Double
        var dualResidual: Double
        var method: String
    }

    private var isVariance: Bool { type(of: measure).code == .mv }
    /// Measures whose formulation has a root's scale as its only variable.
    private var isRootOfSquares: Bool { [.msv, .slpm, .ulcerIndex].contains(type(of: measure).code) }
    private var isSquare: Bool { type(of: measure).degree == 2 }
    private var count: Int { constraints.assets.count }

    /// Whether nothing but positivity and the budget can bind, so that the budget only sets the size.
    var isFree: Bool {
        let hasTarget = measure.targetShare(at: [Double](repeating: -1, count: model.count)) != 0
        guard !hasTarget || isVariance else { return false }
        return constraints.constraints.allSatisfy { constraint in
            switch constraint.kind {
            case .bounds(let lower, let upper):
                lower.allSatisfy { $0 <= 0 } && upper.allSatisfy { $0 >= constraints.budget.max }
            case .equal: constraint.name == "budget"
            case .atMost, .atLeast, .hinge, .convex: false
            }
        }
    }

    /// One attempt.
    /// - Throws: `OPT-101` infeasible, `OPT-203` where the measure or a bound admits no budgets, `OPT-201/202`, `SYS-201`.
    func solve() throws(Problem) -> Solution {
        try checkBounds()
        if isFree, isVariance { return try variance() }
        if let found = try onTail() { return found }
        return try onAll()
    }

    private func onAll() throws(Problem) -> Solution { isFree ? try free() : try constrained() }

    /// A tail measure on the scenarios that decide it; nil for other measures, or where those are not found.
    private func onTail() throws(Problem) -> Solution? {
        guard constraints.convex.isEmpty, let tails = TailScenarios(model, measure: measure) else { return nil }
        let near = start().weights
        var part = self
        var iterations = 0
        let decided = try tails.decide(from: [near], nearby: near) {
            (model, nearby, _) throws(Problem) -> (found: Solution, weights: [Double])? in
            part.model = model
            part.nearby = nearby
            let found = try part.onAll()
            iterations += found.iterations
            return (found, found.weights)
        }
        guard let decided else { return nil }
        var found = decided.found
        found.iterations = iterations
        found.evidence = found.evidence.map { tails.expanded($0, decided.scenarios) }
        return found
    }

    /// An asset that may hold nothing above zero cannot bear a share.
    private func checkBounds() throws(Problem) {
        guard constraints.budget.max > 0 else {
            throw Problem(
                JSONPointer(["constraints", "budget"]), .contradiction,
                "Risk budgeting is long only: its budget is above zero.")
        }
        for (asset, most) in constraints.upper.enumerated() where most <= 0 {
            throw Self.noShare(constraints.assets[asset], "Its upper bound is \(most).")
        }
    }

    static func noShare(_ asset: String, _ reason: String) -> Problem {
        let name = Problem.echo(asset)
        let detail = "\(name) cannot bear a share of the risk. \(reason) Leave it out."
        return Problem(
            .ratioUndefined, detail,
            errors: [Violation(JSONPointer(["assets"]), .other("no_risk_share"), detail)])
    }

    // MARK: Variance

    private func variance() throws(Problem) -> Solution {
        let found = try VarianceBudgets(covariance: covariance, budgets: budgets, assets: constraints.assets).solve()
        return Solution(
            weights: scaled(found.weights), prices: constraints.constraints.map { _ in 0 }, evidence: nil, limits: [],
            iterations: found.iterations, primalResidual: 0, dualResidual: found.residual,
            method: "risk_budgeting_newton")
    }

    /// Positive numbers as weights that add up to the budget.
    private func scaled(_ y: [Double]) -> [Double] {
        let factor = constraints.budget.max / y.reduce(0, +)
        var weights = y.map { $0 * factor }
        WeightCleanup.balance(&weights, constraints)
        return weights
    }

    // MARK: Scenarios

    /// Weights to start from, and the risk of a portfolio in units, or its root.
    private func start() -> (weights: [Double], size: Double) {
        var weights = nearby ?? []
        if weights.isEmpty {
            let raw =
                (try? VarianceBudgets(covariance: covariance, budgets: budgets, assets: constraints.assets).solve())?
                .weights ?? budgets
            weights = scaled(raw)
        }
        return (weights, size(of: weights))
    }

    private func size(of weights: [Double]) -> Double {
        if isVariance {
            let deviation = max(Vector.dot(weights, covariance.symmetricMultiplied(by: weights)), 0).squareRoot()
            return deviation > 0 ? deviation / model.unit : 1
        }
        let risk = measure.value(of: model.panel.portfolioReturns(weights))
        let inUnits = isSquare ? max(risk, 0).squareRoot() / model.unit : risk / model.unit
        return inUnits.isFinite && inUnits > 1e-6 ? inUnits : 1
    }

    /// The measure in a program, those of degree two without the scale and halved.
    private func formulate(
        in program: inout RiskProgram
    ) -> (term: CompositeProgram.Term, evidence: [RiskFormulation.Piece]) {
        if isVariance {
            var half = covariance
            for i in half.storage.indices { half.storage[i] /= 2 * model.unit * model.unit }
            let map = CoordinateMap(columns: program.weights, reference: program.weights.map { _ in 0 })
            return (.init(.objective(1), parts: [.quadratic(half, map, scale: nil)]), [])
        }
        let formulation = measure.formulate(in: &program)
        if isRootOfSquares {
            // Half the square has the same answer as the root, where both are one; the root's scale then stays there.
            for entry in formulation.linear {
                program.program.start[entry.index] = 1
                program.program.addEquality([.init(entry.index, 1)], level: 1)
            }
        }
        let parts = formulation.pieces.map { piece -> CompositeProgram.Part in
            guard case .scenarios(.powerMean(let cost, let power, let isOneSided, _), let map) = piece.part else {
                return piece.part
            }
            return .scenarios(.powerMean(cost: cost, power: power, isOneSided: isOneSided, scale: nil), map)
        }
        return (
            .init(.objective(isSquare ? 0.5 : 1), linear: formulation.linear, parts: parts), formulation.pieces
        )
    }

    private func free() throws(Problem) -> Solution {
        let (weights, size) = start()
        let none = [Double](repeating: -.infinity, count: count)
        var program = RiskProgram(
            model: model, lower: none, upper: none.map { -$0 }, start: weights.map { $0 / size }, scaleStart: nil)
        program.ordering = ordering
        let (term, pieces) = formulate(in: &program)
        program.program.terms = [
            term, .init(.objective(1), parts: [.logarithms(weights: budgets, columns: program.weights)]),
        ]
        let found = try run(program.program)
        let y = Array(found.v.prefix(count))
        guard y.allSatisfy({ $0 > 0 && $0 < .infinity }) else { throw unbounded(found) }
        return Solution(
            weights: scaled(y), prices: constraints.constraints.map { _ in 0 },
            evidence: RiskEvidence(found, term: 0, measure: measure, pieces: pieces), limits: [],
            iterations: found.iterations,
            primalResidual: found.primalResidual, dualResidual: found.dualResidual,
            method: "risk_budgeting_interior_point")
    }

    private func constrained() throws(Problem) -> Solution {
        let (given, _) = start()
        // Feasible, or the conflict in the caller's names.
        let nearest = NearestAllowed(weights: given, constraints: constraints, deadline: deadline)
        let point = nearest.isAllowed ? given : try nearest.solve().weights
        let typical = constraints.budget.max / Double(count)
        let inside = point.map { max($0, 1e-3 * typical) }
        var built = MeanRiskProgram(
            model: model, covariance: covariance, set: constraints, point: inside, ratioScale: 1 / size(of: inside),
            ordering: ordering)
        built.addLimits(parameters)
        let (term, pieces) = formulate(in: &built.risk)
        let place = built.risk.program.terms.count
        built.risk.program.terms += [
            term, .init(.objective(1), parts: [.logarithms(weights: budgets, columns: built.risk.weights)]),
        ]
        let found = try run(built.risk.program)
        guard let index = built.scaleIndex, found.v[index] > 0, found.v[index].isFinite else { throw unbounded(found) }
        let k = found.v[index]
        var weights = found.v.prefix(count).map { $0 / k }
        guard weights.allSatisfy({ $0.isFinite && $0 > 0 }) else { throw unbounded(found) }
        for i in weights.indices {
            if weights[i] - constraints.lower[i] < 1e-10 { weights[i] = max(constraints.lower[i], weights[i]) }
            if constraints.upper[i] - weights[i] < 1e-10 { weights[i] = constraints.upper[i] }
            if constraints.lower[i] > 0, weights[i] - constraints.lower[i] < 1e-10 { weights[i] = constraints.lower[i] }
        }
        WeightCleanup.balance(&weights, constraints)
        return Solution(
            weights: weights, prices: built.prices(found, size: k),
            evidence: isVariance ? nil : RiskEvidence(found, term: place, measure: measure, pieces: pieces),
            limits: built.limits(found),
            iterations: found.iterations, primalResidual: found.primalResidual, dualResidual: found.dualResidual,
            method: "risk_budgeting_interior_point")
    }

    private func run(_ program: CompositeProgram) throws(Problem) -> CompositeSolution {
        try program.solved(regularisation: regularisation, deadline: deadline)
    }

    private func unbounded(_ found: CompositeSolution) -> Problem {
        Problem(.unstable, "The budgets were not reached after \(found.iterations) iterations.")
    }
}
