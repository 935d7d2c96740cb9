import ConvexSolver
import LinearAlgebra
import WireFormat

/// Relaxed risk parity: risk near parity, given up where constraints or a required return ask for it.
///
/// ```
/// min  psi(w) - gamma(w),   gamma = sqrt( min_i w_i (Sigma w)_i / b_i )
/// psi = sqrt( w'Sigma w )                                     A
///     = sqrt( 2 w'Sigma w )                                   B: the regulator is the risk itself
///     = sqrt( w'Sigma w + lambda sum_i sigma_i^2 w_i^2 )      C: the regulator penalises single risks
/// ```
/// Both are homogeneous; psi - gamma of A is zero at exact parity and nowhere below. The means are those of portfolios with which no asset
/// moves in the opposite direction, Sigma w >= 0, and of no others, as Riskfolio-Lib's cones have it.
///
/// Source: V. Gambeta, R. Kwon (2020), Risk Return Trade-Off in Relaxed Risk Parity Portfolio Optimization, JRFM 13(10).
struct RelaxedRiskParity: Sendable {
    let panel: ReturnPanel
    let covariance: Matrix
    let budgets: [Double]
    let relaxation: OptimizeRequest.Relaxation
    let constraints: ConstraintSet
    let deadline: SolverDeadline

    /// Weights, prices by constraint, the multipliers of the means, and what the solver says of itself.
    struct Solution: Sendable {
        var weights: [Double]
        var prices: [Double]
        var multipliers: [Double]
        /// (Sigma w)_i / w_i where the solver was; nil where the weights' own serve.
        var ratios: [Double]?
        var iterations: Int
        var primalResidual: Double
        var dualResidual: Double
    }

    /// psi's matrix: psi(w) = sqrt(w'Q w).
    static func penalised(_ covariance: Matrix, _ relaxation: OptimizeRequest.Relaxation) -> Matrix {
        var Q = covariance
        switch relaxation.version {
        case .a: break
        case .b: for i in Q.storage.indices { Q.storage[i] *= 2 }
        case .c: Q.addToDiagonal(covariance.diagonal.map { relaxation.lambda * $0 })
        }
        return Q
    }

    /// The means sqrt(w_i (Sigma w)_i / b_i).
    static func means(_ weights: [Double], _ image: [Double], _ budgets: [Double]) -> [Double] {
        weights.indices.map { max(weights[$0] * image[$0] / budgets[$0], 0).squareRoot() }
    }

    /// The objective by its definition.
    static func value(_ request: OptimizeRequest, covariance: (Int, Int) -> Double, weights: [Double]) -> Double {
        let relaxation = request.relaxation ?? .init()
        let budgets = RiskBudgetingSolve.budgets(request, names: request.assets)
        var (variance, single, least) = (0.0, 0.0, Double.infinity)
        for (i, weight) in weights.enumerated() {
            var image = 0.0
            for (j, other) in weights.enumerated() where other != 0 { image += covariance(i, j) * other }
            variance += weight * image
            single += weight * weight * covariance(i, i)
            least = min(least, max(weight * image, 0) / budgets[i])
        }
        let square =
            switch relaxation.version {
            case .a: variance
            case .b: 2 * variance
            case .c: variance + relaxation.lambda * single
            }
        return max(square, 0).squareRoot() - least.squareRoot()
    }

    /// The optimum from given weights on.
    /// - Throws: `OPT-101`, `OPT-202`, `SYS-201`.
    func solve(from start: [Double], regularisation: Double) throws(Problem) -> Solution {
        let n = budgets.count
        let unit = max((covariance.diagonal.max() ?? 0).squareRoot(), 1e-150)
        var scaled = covariance
        for i in scaled.storage.indices { scaled.storage[i] /= unit * unit }
        var half = Self.penalised(scaled, relaxation)
        for i in half.storage.indices { half.storage[i] /= 2 }
        let nearest = NearestAllowed(weights: start, constraints: constraints, deadline: deadline)
        let point = nearest.isAllowed ? start : try nearest.solve().weights
        let inside = defined(point.map { max($0, 1e-3 / Double(n)) }, towards: start, scaled)
        var built = MeanRiskProgram(
            model: ScenarioModel(panel: panel), covariance: scaled, set: constraints, point: inside, ratioScale: nil)
        let image = scaled.symmetricMultiplied(by: inside)
        let least = Self.means(inside, image, budgets).min() ?? 0
        let variance = 2 * Vector.dot(inside, half.symmetricMultiplied(by: inside))
        let root = built.risk.program.addVariable(lower: 0, start: max(variance, 1e-6).squareRoot())
        let level = built.risk.program.addVariable(cost: -1, start: 0.5 * least)
        let map = CoordinateMap(columns: built.risk.weights, reference: inside.map { _ in 0 })
        let place = built.risk.program.terms.count
        built.risk.program.terms += [
            .init(.objective(1), linear: [.init(root, 0.5)], parts: [.quadratic(half, map, scale: root)]),
            .init(
                .objective(1),
                parts: [
                    .geometricMeans(
                        level: level, roots: budgets.map { $0.squareRoot() }, columns: built.risk.weights,
                        matrix: scaled)
                ]),
        ]
        let found = try built.risk.program.solved(regularisation: regularisation, deadline: deadline)
        let weights = try built.weights(of: found)
        let last = Array(found.v.prefix(n))
        let ratios = zip(scaled.symmetricMultiplied(by: last), last).map {
            unit * unit * max($0, 1e-300) / max($1, 1e-300)
        }
        return Solution(
            weights: weights, prices: built.prices(found, size: unit),
            multipliers: found.dualSeries[place + 1].first ?? [], ratios: ratios, iterations: found.iterations,
            primalResidual: found.primalResidual, dualResidual: found.dualResidual)
    }

    /// The problem where every allowed portfolio leaves an asset that moves against it, so that none has all means; nil where one has.
    /// - Throws: `SYS-201`.
    func undefined(near start: [Double]) throws(Problem) -> Problem? {
        var set = constraints
        set.isExplained = false
        let deviations = covariance.diagonal.map { max($0, 1e-300).squareRoot() }
        let typical = deviations.max() ?? 1
        for i in budgets.indices {
            let row = budgets.indices.map { covariance[i, $0] / deviations[i] / typical }
            set.add([
                NamedConstraint(
                    name: "with_\(i)", pointer: JSONPointer(["constraints"]), kind: .atLeast(row), level: 0,
                    isStructural: true)
            ])
        }
        do throws(Problem) {
            _ = try NearestAllowed(weights: start, constraints: set, deadline: deadline).solve()
            return nil
        } catch {
            guard error.code == ProblemCode.infeasible.rawValue else {
                guard error.isOfRounding else { throw error }
                return nil
            }
            let detail =
                "Every allowed portfolio leaves an asset that moves in the opposite direction, which cannot bear a share of its risk. A lower min_return, or fewer assets, allows one."
            return Problem(
                .ratioUndefined, detail,
                errors: [Violation(JSONPointer(["constraints"]), .other("no_risk_share"), detail)])
        }
    }

    /// The point, or as little of the way to exact parity as lets all means be defined: a required return may put an asset at odds with
    /// the nearest portfolio that has it.
    private func defined(_ point: [Double], towards parity: [Double], _ scaled: Matrix) -> [Double] {
        for share in [0, 0.1, 0.2, 0.4, 0.6, 0.8] {
            let between = zip(point, parity).map { (1 - share) * $0 + share * $1 }
            let image = scaled.symmetricMultiplied(by: between)
            let variance = Vector.dot(between, image)
            let shares = between.indices.map { between[$0] * image[$0] / budgets[$0] }
            if shares.allSatisfy({ $0 > 1e-4 * variance }) { return between }
        }
        return parity
    }
}

/// The multipliers of the means, from which the objective is bounded from below.
///
/// For q >= 0 adding up to one `gamma(v) <= sum q_i sqrt(v_i z_i / b_i) <= sum q_i (r_i v_i + z_i / r_i) / (2 sqrt(b_i))` with
/// `z = Sigma v`, any r > 0; r = sqrt(z/w) at the answer. Where that is zero or without end, because a weight or what an asset moves by is
/// zero, the solver's r a rounding beside the answer takes its place.
struct RelaxedRiskParityProof: AnswerProof {
    var multipliers: [Double]
    /// r^2 by asset; nil where the answer's own serve.
    var ratios: [Double]?

    /// The slope of the linear minorant in its improving direction, and what the objective is above it.
    func majorant(
        _ request: OptimizeRequest, covariance: Matrix, weights: [Double]
    ) -> (direction: [Double], slack: Double, size: Double) {
        let budgets = RiskBudgetingSolve.budgets(request, names: request.assets)
        let relaxation = request.relaxation ?? .init()
        let image = covariance.symmetricMultiplied(by: weights)
        let Qw = RelaxedRiskParity.penalised(covariance, relaxation).symmetricMultiplied(by: weights)
        let psi = max(Vector.dot(weights, Qw), 0).squareRoot()
        let positive = multipliers.map { max($0, 0) }
        let total = positive.reduce(0, +)
        let q = positive.map { total > 0 ? $0 / total : 1 / Double(positive.count) }
        var direction = Qw.map { psi > 0 ? -$0 / psi : 0 }
        var through = [Double](repeating: 0, count: weights.count)
        for i in weights.indices where q[i] > 0 {
            let ratio = ratios?[i] ?? max(image[i], 1e-300) / max(weights[i], 1e-300)
            let share = q[i] / (2 * budgets[i].squareRoot())
            direction[i] += share * ratio.squareRoot()
            through[i] = share / ratio.squareRoot()
        }
        for (i, value) in covariance.symmetricMultiplied(by: through).enumerated() { direction[i] += value }
        let value = psi - (RelaxedRiskParity.means(weights, image, budgets).min() ?? 0)
        return (direction, value + Vector.dot(direction, weights), psi)
    }

    func gap(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double {
        let covariance = result.moments?.covariance ?? SampleCovariance.estimate(panel)
        let bound = majorant(request, covariance: covariance, weights: result.weights)
        return OptimalityBound(
            request, panel: panel, mean: result.moments?.mean, weights: result.weights, direction: bound.direction,
            slack: bound.slack, size: bound.size, prices: result.prices, periodsPerYear: result.periodsPerYear
        ).relativeGap
    }
}
