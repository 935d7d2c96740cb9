import ConvexSolver
import LinearAlgebra
import WireFormat

/// The mean-variance model: four objectives over one constraint set.
///
/// ```
/// MinRisk   min w'Sigma w
/// Utility   max mu'w - l w'Sigma w
/// Sharpe    max (mu'w - rf) / sqrt(w'Sigma w), by y = k w: min y'Sigma y, mu'y - rf k = tau
/// MaxRet    max mu'w
/// ```
/// Returns are divided by the median standard deviation of the assets first, and tau is the largest excess return, so that
/// weights and k are of order one whatever the frequency of the data.
///
/// Source: H. Markowitz (1952), Portfolio Selection; homogenisation: A. Charnes, W. Cooper (1962), Programming with Linear
/// Fractional Functionals, Naval Research Logistics 9.
struct MeanVariance: Sendable {
    let mean: [Double]
    let covariance: Matrix
    let constraints: ConstraintSet
    let deadline: SolverDeadline
    /// The unit of return: the median standard deviation.
    let unit: Double
    private let scaledCovariance: Matrix
    private let scaledMean: [Double]

    init(mean: [Double], covariance: Matrix, constraints: ConstraintSet, deadline: SolverDeadline) {
        self.mean = mean
        self.covariance = covariance
        self.constraints = constraints
        self.deadline = deadline
        let deviations = covariance.diagonal.map { max($0, 0).squareRoot() }.sorted()
        let largestMean = mean.reduce(0) { max($0, abs($1)) }
        let median = deviations.isEmpty ? 0 : deviations[deviations.count / 2]
        let typical = median > 0 ? median : deviations.last ?? 0
        let floor = 1e-12 * largestMean
        let unit = max(typical, floor) > 0 ? max(typical, floor) : 1
        self.unit = unit
        var scaled = covariance
        for index in scaled.storage.indices { scaled.storage[index] /= unit * unit }
        scaledCovariance = scaled
        scaledMean = mean.map { $0 / unit }
    }

    /// Solves for an objective.
    /// - Parameters:
    ///   - riskFreeRate: per period.
    ///   - riskAversion: l of Utility.
    /// - Throws: `OPT-101` infeasible, `OPT-203` where the ratio has no positive maximum, `OPT-201/202`, `SYS-201`.
    func solve(_ objective: ObjectiveName, riskFreeRate: Double, riskAversion: Double) throws(Problem) -> ModelSolution
    {
        switch objective {
        case .minimumRisk: try minimumRisk()
        case .utility: try utility(riskAversion)
        case .maximumReturn: try maximumReturn()
        case .sharpe: try sharpe(riskFreeRate)
        }
    }

    /// The least variance, or the least among those with `mean'w >= atLeast`, and that row's price for the variance.
    func minimumRisk(atLeast level: Double? = nil) throws(Problem) -> ModelSolution {
        var compiled = CompiledConstraints(constraints)
        if let level { compiled.require(scaledMean, atLeast: level / unit, constraints) }
        let program = compiled.program(quadratic: doubled(1), linear: zeros)
        let found = try run(program, floor: 1e-5)
        let weights = WeightCleanup.clean(found.x, compiled, constraints)
        let risk = deviation(weights) / unit
        let price = level == nil ? 0 : (found.inequalityDuals.last ?? 0)
        // d sigma / d level = unit * z / (2 sigma') with sigma' in units.
        let scale = risk > 1e-9 ? unit / (2 * risk) : 0
        return ModelSolution(
            weights: weights, solver: found, prices: prices(found, compiled, scale: scale), returnPrice: price * unit)
    }

    private func utility(_ aversion: Double) throws(Problem) -> ModelSolution {
        let compiled = CompiledConstraints(constraints)
        let largest = scaledMean.reduce(0) { max($0, abs($1)) }
        let size = max(largest, aversion * unit, .leastNormalMagnitude.squareRoot())
        let program = compiled.program(
            quadratic: aversion > 0 ? doubled(aversion * unit / size) : nil, linear: scaledMean.map { -$0 / size })
        let found = try run(program, floor: 1e-6)
        return ModelSolution(
            weights: WeightCleanup.clean(found.x, compiled, constraints), solver: found,
            prices: prices(found, compiled, scale: unit * size), returnPrice: 0)
    }

    /// The largest expected return.
    func maximumReturn() throws(Problem) -> ModelSolution {
        let compiled = CompiledConstraints(constraints)
        let largest = scaledMean.reduce(0) { max($0, abs($1)) }
        let size = largest > 0 ? largest : 1
        let found = try run(
            compiled.program(quadratic: nil, linear: scaledMean.map { -$0 / size }), floor: 1e-6)
        return ModelSolution(
            weights: WeightCleanup.clean(found.x, compiled, constraints), solver: found,
            prices: prices(found, compiled, scale: unit * size), returnPrice: 0)
    }

    private func sharpe(_ rate: Double) throws(Problem) -> ModelSolution {
        let best = try maximumReturn()
        let excess = dot(mean, best.weights) - rate
        let size = mean.reduce(abs(rate)) { max($0, abs($1)) }
        guard excess > 1e-12 * size else {
            throw Self.noExcess(excess: excess, rate: rate)
        }
        var compiled = CompiledConstraints(constraints, homogenised: true)
        compiled.normalise(scaledMean, charge: rate / unit, level: excess / unit)
        let found: QuadraticSolution
        do {
            found = try run(compiled.program(quadratic: doubled(1), linear: zeros), floor: 0)
        } catch {
            // The least variance tells a risk of zero from a numerical failure.
            if error.isOfRounding, try minimumRisk(atLeast: rate + 1e-6 * excess).isRiskless(self) {
                throw Self.unlimitedRatio
            }
            throw error
        }
        let scale = found.x[compiled.scaleColumn]
        guard scale > 0, scale.isFinite else { throw Self.unlimitedRatio }
        let weights = WeightCleanup.clean(found.x.map { $0 / scale }, compiled, constraints)
        let risk = deviation(weights) / unit
        guard risk > 1e-5 * max(excess / unit, 1e-2) else { throw Self.unlimitedRatio }
        let ratio = (dot(mean, weights) - rate) / (risk * unit)
        // The price z of a row a'y <= h k belongs to dS/dh = z S / (2 k sigma'^2), sigma' in units.
        return ModelSolution(
            weights: weights, solver: found,
            prices: prices(found, compiled, scale: ratio / (2 * scale * risk * risk)), returnPrice: 0)
    }

    /// The problem where nothing beats the rate; both per period.
    static func noExcess(excess: Double, rate: Double) -> Problem {
        var problem = Problem(
            .ratioUndefined,
            "No portfolio that the constraints allow beats the risk-free rate: the best excess return is \(excess) per period.",
            errors: [
                Violation(
                    JSONPointer(["risk_free_rate"]), .other("no_excess_return"),
                    "The largest expected return is \(excess + rate) per period, the rate \(rate).",
                    limit: excess + rate, value: rate)
            ])
        problem.extensions["best_excess_return"] = JSONValue(excess)
        return problem
    }

    static let unlimitedRatio = Problem(
        .ratioUndefined, "The ratio grows without limit: a portfolio without risk beats the rate.")

    // MARK: Parts

    private var zeros: [Double] { [Double](repeating: 0, count: mean.count) }

    private func doubled(_ factor: Double) -> Matrix {
        var matrix = scaledCovariance
        for index in matrix.storage.indices { matrix.storage[index] *= 2 * factor }
        return matrix
    }

    /// sqrt(w'Sigma w).
    func deviation(_ weights: [Double]) -> Double {
        max(dot(weights, covariance.symmetricMultiplied(by: weights)), 0).squareRoot()
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double { Vector.dot(a, b) }

    /// Prices by constraint: what one unit of the caller's level improves the objective by. Zero for bounds, priced later.
    private func prices(_ found: QuadraticSolution, _ compiled: CompiledConstraints, scale: Double) -> [Double] {
        compiled.prices(found, count: constraints.constraints.count).map { scale * $0 }
    }

    /// Solves a program and turns whatever is no solution into a problem: exactly where guesses at its active set come to one, else by the
    /// interior point.
    ///
    /// Where rounding stops the solver just short of its own tolerance of 1e-10, the answer still stands if residuals and gap
    /// are within 1e-9, the gap relative to `floor` where the objective is smaller than that: a risk of zero has no relative
    /// accuracy.
    private func run(_ program: QuadraticProgram, floor: Double) throws(Problem) -> QuadraticSolution {
        let settings = SolverSettings(deadline: deadline)
        if let exact = PivotingMethod.solve(program, settings: settings) { return exact }
        var found: QuadraticSolution
        do {
            found = try InteriorPointMethod.solve(program, settings: settings)
        } catch {
            throw Problem(.internalError, "The program could not be formed.")
        }
        let residual = max(found.primalResidual, found.dualResidual)
        // A purely quadratic objective is a variance: zero bounds it from below whatever the prices say.
        let isVariance = program.P != nil && program.q.allSatisfy { $0 == 0 }
        let bound = isVariance ? max(found.dualObjective, 0) : found.dualObjective
        let gap = abs(found.primalObjective - bound) / max(floor, abs(found.primalObjective), abs(bound))
        switch found.status {
        case .optimal: return found
        case .iterationLimit where residual <= 1e-9 && gap <= 1e-9,
            .numericalFailure where residual <= 1e-9 && gap <= 1e-9:
            found.relativeGap = gap
            return found
        case .primalInfeasible:
            guard constraints.isExplained else { throw Problem(.infeasible, "The constraints cannot all hold.") }
            throw try ConflictAnalysis(constraints, deadline: deadline).problem()
        case .dualInfeasible: throw Problem(.unbounded, "The objective improves without limit under these constraints.")
        case .iterationLimit:
            throw Problem(.notConverged, "No certified solution after \(found.iterations) iterations.")
        case .deadline: throw Problem(.deadline, "The deadline passed after \(found.iterations) iterations.")
        case .cancelled: throw Problem(.deadline, "The calculation was cancelled.")
        case .numericalFailure:
            throw Problem(
                .unstable, "Rounding stopped the solver at gap \(gap) and residual \(residual).")
        }
    }
}
