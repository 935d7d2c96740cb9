import ConvexSolver
import LinearAlgebra
import WireFormat

/// The mean-risk model for any convex risk measure: four objectives over one constraint set.
///
/// ```
/// MinRisk   min risk(w) (+ costs)
/// Utility   max return(w) - l risk(w)                  variance for MV
/// Sharpe    max (return(w) - rf) / risk(w), by y = k w: min risk(y), return(y) - rf k = tau
/// MaxRet    max return(w)
/// ```
/// The return is the mean, or the growth of Kelly, less the costs of trading.
struct MeanRisk: Sendable {
    var model: ScenarioModel
    var measure: any ConvexRiskMeasure
    /// Of the objective and of limits of MV; N x N per period.
    let covariance: Matrix
    var constraints: ConstraintSet
    let parameters: RiskParameters
    var reward: Reward
    let deadline: SolverDeadline
    /// Of the solver's Newton matrix; another one where a solution cannot be certified.
    var regularisation = 1e-14
    /// How much of the scenarios' order ordered averages take as known.
    var ordering = OrderingWindow.unknown
    /// The relative gap at which a solve ends; by default what rounding allows.
    var accuracy = 1e-12
    /// What breaking soft constraints costs at most while a solution is looked for.
    var penaltyCap = 1.0
    /// Where to start, if a solution is near.
    var nearby: [Double]?
    /// Scenarios that decided a problem like this one.
    var deciders: [Int] = []

    /// What a solve found, in the caller's units.
    struct Solution: Sendable {
        var weights: [Double]
        /// By constraint: what one unit more room is worth to the objective; zero for bounds.
        var prices: [Double]
        /// Risk measures of the program with their dual series, by the constraint that limits them; nil for the objective's.
        var evidence: [(constraint: Int?, evidence: RiskEvidence)]
        /// Slopes of the costs at weights that do not move.
        var costKinks: [Double]
        /// By asset: slopes of the costs, at weights that move too; nil where those are the costs' own.
        var costSlopes: [Double]?
        /// By soft constraint.
        var soft: [SoftEvidence] = []
        /// In place of dual series, where the solution comes from cutting planes.
        var tangents: TangentEvidence?
        /// The scenarios that it was found on; none where on all.
        var deciders: [Int] = []
        /// Whether it is a vertex, or the exact solution of guesses at what is tight.
        var isActiveSet = false
        var iterations: Int
        var primalResidual: Double
        var dualResidual: Double
    }

    /// The accuracy where only the neighbourhood of the solution is wanted.
    static let roughly = 3e-4

    private var isVariance: Bool { type(of: measure).code == .mv }

    /// Solves for an objective.
    /// - Parameters:
    ///   - riskFreeRate: per period.
    ///   - riskAversion: l of Utility.
    /// - Throws: `OPT-101` infeasible, `OPT-203` ratio undefined, `OPT-201/202` not solved, `SYS-201` deadline.
    func solve(_ objective: ObjectiveName, riskFreeRate rate: Double, riskAversion: Double) throws(Problem) -> Solution
    {
        if let found = try solveWithoutFixed(objective, rate, riskAversion) { return found }
        let reduced = AssetReduction(
            whole: self, objective: objective, riskFreeRate: rate, riskAversion: riskAversion
        ) { (part: MeanRisk) throws(Problem) -> Solution in
            try part.solveWhole(objective, riskFreeRate: rate, riskAversion: riskAversion)
        }
        if let found = try reduced.solve() { return found }
        return try solveWhole(objective, riskFreeRate: rate, riskAversion: riskAversion)
    }

    /// The solution where assets that can only be at zero take no part; nil where there are none, or where the rest has to speak for
    /// itself. As equality rows they would cost digits.
    private func solveWithoutFixed(
        _ objective: ObjectiveName, _ rate: Double, _ aversion: Double
    ) throws(Problem) -> Solution? {
        let (lower, upper, needed) = (constraints.lower, constraints.upper, needed)
        let open = lower.indices.filter { lower[$0] != 0 || upper[$0] != 0 || needed[$0] }
        guard !open.isEmpty, open.count < lower.count else { return nil }
        do {
            return try restricted(to: open, lower: lower, upper: upper)
                .solve(objective, riskFreeRate: rate, riskAversion: aversion).expanded(open, count: lower.count)
        } catch {
            // The whole set explains its conflicts.
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// The same with all assets in the program.
    func solveWhole(
        _ objective: ObjectiveName, riskFreeRate rate: Double, riskAversion: Double
    ) throws(Problem) -> Solution {
        if let found = try squares(objective, rate) { return found }
        let reduced = ScenarioReduction(
            whole: self, objective: objective, riskFreeRate: rate, riskAversion: riskAversion
        ) { (part: MeanRisk) throws(Problem) -> Solution? in
            try part.solveCapped(objective, riskFreeRate: rate, riskAversion: riskAversion)
        }
        if let found = try reduced.solve() { return found }
        var attempt = self
        if nearby == nil, type(of: measure).startsNearVariance.contains(objective) {
            attempt.nearby = try neighbour(objective, rate, riskAversion)
        }
        for _ in 0..<12 {
            if let found = try attempt.solveCapped(objective, riskFreeRate: rate, riskAversion: riskAversion) {
                return found
            }
            attempt.penaltyCap *= 5
        }
        attempt.penaltyCap = .infinity
        guard let found = try attempt.solveCapped(objective, riskFreeRate: rate, riskAversion: riskAversion) else {
            throw Problem(.internalError, "A penalty without a cap was capped.")
        }
        return found
    }

    /// The mean-variance portfolio of the same objective: close to that of any measure of dispersion. Nil where it has none.
    private func neighbour(
        _ objective: ObjectiveName, _ rate: Double, _ aversion: Double
    ) throws(Problem) -> [Double]? {
        guard constraints.convex.isEmpty, constraints.soft.isEmpty else { return nil }
        do throws(Problem) {
            return try MeanVariance(
                mean: model.mean.map { $0 * model.unit }, covariance: covariance, constraints: constraints,
                deadline: deadline
            ).solve(objective, riskFreeRate: rate, riskAversion: aversion).weights
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// The exact solution of a sum of squares below a level; nil where it is none, or where this way proved nothing.
    private func squares(_ objective: ObjectiveName, _ rate: Double) throws(Problem) -> Solution? {
        guard isFirstAttempt, let method = SemivarianceMethod(self, objective) else { return nil }
        return try method.solve(objective, riskFreeRate: rate)
    }

    /// Where a vertex or guesses at a set proved nothing the interior point has its turn.
    private var isFirstAttempt: Bool { regularisation == ModelDispatch.regularisations.first }

    /// Nil where a penalty was capped at less than the solution would pay.
    func solveCapped(
        _ objective: ObjectiveName, riskFreeRate rate: Double, riskAversion: Double
    ) throws(Problem) -> Solution? {
        let centre = if let nearby { nearby } else { try feasiblePoint() }
        let unit = model.unit
        switch objective {
        case .minimumRisk:
            var program = make(at: centre, ratioScale: nil)
            guard reward.costs != nil || !constraints.soft.isEmpty else {
                program.addRisk(measure, weight: 1, isVariance: false)
                return try finish(program, factor: sizeOfRisk)
            }
            // Costs and penalties are in units of return: a risk of degree two is brought to them.
            program.addRisk(measure, weight: sizeOfRisk / unit, isVariance: false)
            program.addReturn(Reward(kelly: .none, costs: reward.costs))
            program.dropMean()
            return try finish(program, factor: unit)
        case .utility:
            var program = make(at: centre, ratioScale: nil)
            program.addRisk(measure, weight: riskAversion * sizeOfRisk(isVariance: true) / unit, isVariance: isVariance)
            program.addReturn(reward)
            return try finish(program, factor: unit)
        case .maximumReturn:
            var program = make(at: centre, ratioScale: nil)
            program.addReturn(reward)
            return try finish(program, factor: unit)
        case .sharpe: return try ratio(centre, rate)
        }
    }

    /// The least risk of a return of at least `level`, and that level's price for the risk.
    func minimumRisk(atLeast level: Double) throws(Problem) -> (solution: Solution, price: Double) {
        var set = constraints
        set.require(model.mean.map { $0 * model.unit }, atLeast: level)
        let demanding = MeanRisk(
            model: model, measure: measure, covariance: covariance, constraints: set, parameters: parameters,
            reward: reward, deadline: deadline)
        let found = try demanding.solve(.minimumRisk, riskFreeRate: 0, riskAversion: 1)
        return (found, found.prices[set.constraints.count - 1])
    }

    // MARK: Ratio

    private func ratio(_ centre: [Double], _ rate: Double) throws(Problem) -> Solution? {
        let unit = model.unit
        // The linear program tells whether anything beats the rate at all; its point is where the solve starts from.
        let best = try largestReturn()
        let excess = zip(model.mean, best).reduce(0) { $0 + $1.0 * $1.1 } - rate / unit
        let size = model.mean.reduce(abs(rate / unit)) { max($0, abs($1)) }
        guard excess > 1e-12 * size else {
            throw MeanVariance.noExcess(excess: excess * unit, rate: rate)
        }
        let positive = model.mean.map { max($0 - rate / unit, 0) }.filter { $0 > 0 }
        let level = max(positive.reduce(0, +) / Double(max(positive.count, 1)), 1e-3 * excess)
        // Towards the best return until the excess is worth a scale: k = level / excess stays of order one.
        var (point, share) = (centre, 0.0)
        var gain = excessOf(point, rate)
        while gain < 0.3 * min(excess, level), share < 0.95 {
            share += 0.1
            point = zip(centre, best).map { (1 - share) * $0 + share * $1 }
            gain = excessOf(point, rate)
        }
        var program = make(at: point, ratioScale: min(max(level / max(gain, 1e-12), 1e-3), 1e3))
        program.addRisk(measure, weight: 1, isVariance: false)
        program.fixExcess(reward, rate: rate, level: level)
        return try finish(program, ratioLevel: level)
    }

    private func excessOf(_ w: [Double], _ rate: Double) -> Double {
        zip(model.mean, w).reduce(0) { $0 + $1.0 * $1.1 } - rate / model.unit
    }

    /// Weights of the largest mean within the linear constraints.
    private func largestReturn() throws(Problem) -> [Double] {
        try MeanVariance(
            mean: model.mean.map { $0 * model.unit }, covariance: covariance, constraints: constraints,
            deadline: deadline
        ).maximumReturn().weights
    }

    // MARK: Parts

    /// What one unit of the program's risk is in the caller's: unit, or its square for measures of degree two.
    private func sizeOfRisk(isVariance squared: Bool) -> Double {
        let degree = type(of: measure).degree == 2 || (squared && isVariance)
        return degree ? model.unit * model.unit : model.unit
    }

    private var sizeOfRisk: Double { sizeOfRisk(isVariance: false) }

    private func make(at point: [Double], ratioScale: Double?) -> MeanRiskProgram {
        var program = MeanRiskProgram(
            model: model, covariance: covariance, set: constraints, point: point, ratioScale: ratioScale,
            ordering: ordering)
        program.addLimits(parameters)
        program.addSoft(parameters, cap: penaltyCap)
        return program
    }

    /// Weights that satisfy the linear constraints and hinges: equal ones, or those of least sum of squares.
    func feasiblePoint() throws(Problem) -> [Double] {
        let n = constraints.assets.count
        let target = min(max(constraints.budget.max, constraints.budget.min), 1e6)
        let equal = [Double](repeating: target / Double(n), count: n)
        let isSimple = constraints.constraints.allSatisfy { constraint in
            switch constraint.kind {
            case .convex: true
            case .hinge, .atMost, .atLeast: constraint.isStructural && constraint.slack(at: equal) >= 0
            case .equal, .bounds: constraint.slack(at: equal) >= -1e-12
            }
        }
        if isSimple { return equal }
        let plain = MeanVariance(
            mean: [Double](repeating: 0, count: n), covariance: Matrix.identity(n), constraints: constraints,
            deadline: deadline)
        return try plain.minimumRisk().weights
    }

    private func finish(
        _ built: MeanRiskProgram, factor: Double? = nil, ratioLevel: Double? = nil
    ) throws(Problem) -> Solution? {
        let vertex = isFirstAttempt ? VertexMethod.solve(built.program, from: built.edgeStart, deadline: deadline) : nil
        let found: CompositeSolution
        if let vertex {
            found = vertex
        } else {
            found = try built.program.solved(
                regularisation: regularisation, deadline: deadline, accuracy: accuracy)
        }
        if built.isCapped(found) { return nil }
        let scale = try built.scale(of: found)
        guard found.relativeGap < 1e-3, found.primalResidual < 1e-3 else {
            if let problem = try limitConflict() { throw problem }
            throw Problem(
                .unstable,
                "Rounding stopped the solver at gap \(found.relativeGap) and residual \(max(found.primalResidual, found.dualResidual))."
            )
        }
        let weights = try allowed(try built.weights(of: found, references: references))
        let size: Double
        if let level = ratioLevel {
            // S = tau / F(y): one unit of room in a'y <= h k moves F by z k.
            let least = found.values.enumerated().reduce(0.0) { sum, value in
                if case .objective(let weight) = built.program.terms[value.offset].place {
                    return sum + weight * value.element
                }
                return sum
            }
            let degree = type(of: measure).degree == 2 ? model.unit : 1
            size = level * scale / max(least * least, 1e-300) / degree
        } else {
            size = factor ?? 1
        }
        return Solution(
            weights: weights, prices: built.prices(found, size: size), evidence: built.evidence(found),
            costKinks: built.kinks(found, unit: model.unit), soft: built.softEvidence(found),
            isActiveSet: vertex != nil, iterations: found.iterations,
            primalResidual: found.primalResidual, dualResidual: found.dualResidual)
    }

    /// The weights, moved onto rows that the solver broke by its last digits.
    private func allowed(_ weights: [Double]) throws(Problem) -> [Double] {
        guard constraints.linearResidual(at: weights) > 1e-10 else { return weights }
        var set = constraints
        set.isExplained = false
        do throws(Problem) {
            return try NearestAllowed(weights: weights, constraints: set, deadline: deadline).solve().weights
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return weights
        }
    }

    /// Weights from which changes count.
    private var references: [[Double]] {
        let all = constraints.constraints + constraints.soft.map { $0.constraint }
        var result = all.compactMap { constraint -> [Double]? in
            if case .hinge(let hinge) = constraint.kind { hinge.reference } else { nil }
        }
        if let costs = reward.costs { result.append(costs.reference) }
        return result
    }

    /// Whether the convex limits contradict the rest: the least common excess over them, and the problem to answer with.
    private func limitConflict() throws(Problem) -> Problem? {
        try LimitConflict(
            model: model, covariance: covariance, set: constraints, parameters: parameters, deadline: deadline
        )
        .problem(at: try feasiblePoint())
    }
}
