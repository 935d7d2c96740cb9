import ConvexSolver
import LinearAlgebra
import WireFormat

/// A measure that is the root of a sum of squares of what scenarios fall below a level of degree one.
protocol SquaresBelow: ConvexRiskMeasure {
    /// The rows whose negative values at a portfolio count, in units; nil where the level is none of degree one.
    func rowsBelow(_ model: ScenarioModel) -> Matrix?
}

extension SemiDeviation: SquaresBelow {
    func rowsBelow(_ model: ScenarioModel) -> Matrix? { model.centred }
}

extension SecondLowerPartialMoment: SquaresBelow {
    func rowsBelow(_ model: ScenarioModel) -> Matrix? { target == 0 ? model.returns : nil }
}

/// Semi-deviation and lower partial moment by a method of Newton that ends exactly.
///
/// On the scenarios that are below at a portfolio the measure is a standard deviation, and near the portfolio it has that deviation's
/// gradient and curvature: the portfolio that is best by it, a quadratic program, is Newton's step. Where the same scenarios are below
/// at the step's end it is the solution.
///
/// Source: O. Mangasarian (2002), A Finite Newton Method for Classification, Optimization Methods and Software 17.
struct SemivarianceMethod {
    private let whole: MeanRisk
    private let measure: any SquaresBelow
    private let rows: Matrix
    /// By scenario, its share of the sum of squares.
    private let cost: [Double]

    /// Nil where the problem is not of that kind.
    init?(_ whole: MeanRisk, _ objective: ObjectiveName) {
        guard objective == .minimumRisk || objective == .sharpe, let measure = whole.measure as? any SquaresBelow,
            whole.constraints.convex.isEmpty, whole.constraints.soft.isEmpty, whole.reward.isLinear,
            let rows = measure.rowsBelow(whole.model)
        else { return nil }
        self.whole = whole
        self.measure = measure
        self.rows = rows
        cost = whole.model.probabilities.map { $0 * whole.model.unbiased }
    }

    /// Rounds after which the interior point has its turn; a handful are needed.
    private static let most = 20

    /// The solution; nil where the steps do not end, or where a program on the way has none.
    /// - Parameter rate: per period.
    /// - Throws: `SYS-201` if the deadline passes.
    func solve(_ objective: ObjectiveName, riskFreeRate rate: Double) throws(Problem) -> MeanRisk.Solution? {
        do throws(Problem) {
            // The variance counts both sides: its portfolio is near.
            let start = try best(by: whole.covariance, objective, rate)
            var (point, iterations) = (start.weights, start.solver.iterations)
            var below = rows.multiplied(by: point)
            for _ in 0..<Self.most {
                let found = try best(by: covariance(of: below), objective, rate)
                iterations += found.solver.iterations
                let series = rows.multiplied(by: found.weights)
                if zip(series, below).allSatisfy({ ($0 < 0) == ($1 < 0) }) {
                    return solution(found, series, iterations: iterations)
                }
                // A step too far is halved.
                let merit = merit(point, below, objective, rate)
                var share = 1.0
                while true {
                    let next = zip(point, found.weights).map { (1 - share) * $0 + share * $1 }
                    let reached = zip(below, series).map { (1 - share) * $0 + share * $1 }
                    if self.merit(next, reached, objective, rate) < merit {
                        (point, below) = (next, reached)
                        break
                    }
                    share /= 2
                    guard share > 1e-3 else { return nil }
                }
            }
            return nil
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    private func best(
        by covariance: Matrix, _ objective: ObjectiveName, _ rate: Double
    ) throws(Problem) -> ModelSolution {
        try MeanVariance(
            mean: whole.model.mean.map { $0 * whole.model.unit }, covariance: covariance,
            constraints: whole.constraints, deadline: whole.deadline
        ).solve(objective, riskFreeRate: rate, riskAversion: 0)
    }

    /// The sum of squares over the scenarios that are below, per period.
    private func covariance(of series: [Double]) -> Matrix {
        let places = series.indices.filter { series[$0] < 0 }
        return rows.gram(rows: places, factors: places.map { cost[$0].squareRoot() * whole.model.unit })
    }

    /// What falls with every step: the measure in units, or the ratio's negative.
    private func merit(_ weights: [Double], _ series: [Double], _ objective: ObjectiveName, _ rate: Double) -> Double {
        let risk = risk(series)
        guard objective == .sharpe else { return risk }
        return (rate / whole.model.unit - Vector.dot(whole.model.mean, weights)) / max(risk, .leastNormalMagnitude)
    }

    private func risk(_ series: [Double]) -> Double {
        var sum = 0.0
        for t in series.indices where series[t] < 0 { sum += cost[t] * series[t] * series[t] }
        return sum.squareRoot()
    }

    private func solution(_ found: ModelSolution, _ series: [Double], iterations: Int) -> MeanRisk.Solution? {
        let risk = risk(series)
        guard risk > 0 else { return nil }
        let set = whole.constraints
        var program = RiskProgram(
            model: whole.model, lower: set.lower, upper: set.upper, start: found.weights, scaleStart: nil)
        let duals = series.indices.map { series[$0] < 0 ? -cost[$0] * series[$0] / risk : 0 }
        return MeanRisk.Solution(
            weights: found.weights, prices: found.prices,
            evidence: [
                (nil, RiskEvidence(measure: measure, pieces: measure.formulate(in: &program).pieces, duals: [duals]))
            ],
            costKinks: found.weights.map { _ in 0 }, isActiveSet: true, iterations: iterations,
            primalResidual: found.solver.primalResidual, dualResidual: found.solver.dualResidual)
    }
}
