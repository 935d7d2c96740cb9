import ConvexSolver
import LinearAlgebra
import WireFormat

/// The worst case at given weights by its definition, and an affine majorant of what any weights can reach.
struct WorstCasePoint {
    let worstReturn: Double
    /// The worst deviation, or the worst CVaR.
    let worstRisk: Double
    /// In its natural sense.
    let objective: Double
    /// Slope of the majorant in the improving direction.
    let direction: [Double]
    /// What the majorant is above the objective at the weights.
    let slack: Double
    /// Of the objective's terms.
    let size: Double
    /// Whether the worst member of the covariance's set is a covariance: without that the bound is none.
    let isCovariance: Bool

    init(
        _ problem: WorstCase, objective name: ObjectiveName, weights w: [Double], rate: Double, aversion: Double,
        evidence: WorstCaseEvidence
    ) {
        let mean = problem.model.mean.map { $0 * problem.model.unit }
        var slope = mean
        // |v|_inf >= p'v for |p|_1 <= 1.
        var p = evidence.magnitude ?? w.map { _ in 0 }
        let total = p.reduce(0) { $0 + abs($1) }
        if total > 0 { p = p.map { $0 / total } }
        if let radius = problem.radius {
            for i in slope.indices { slope[i] -= radius * p[i] }
        } else {
            switch problem.sets.mean {
            case .box(let widths)?:
                for i in slope.indices {
                    let believed = evidence.meanSlopes.map { min(max($0[i], -widths[i]), widths[i]) } ?? widths[i]
                    // Any slope within the widths bounds; what rounding leaves of a zero is at the kink.
                    slope[i] -= abs(w[i]) <= 1e-10 ? believed : w[i] > 0 ? widths[i] : -widths[i]
                }
            case .ellipsoid(let shape, let radius)?:
                let image = shape.symmetricMultiplied(by: w)
                let spread = max(Vector.dot(w, image), 0).squareRoot()
                for i in slope.indices { slope[i] -= spread > 0 ? radius * image[i] / spread : 0 }
            case nil: break
            }
        }
        worstReturn = problem.worstReturn(w)
        let lost = max(Vector.dot(slope, w) - worstReturn, 0)
        var riskSlope: [Double]
        var missed = 0.0
        if let radius = problem.radius {
            let measure = ConditionalValueAtRisk(problem.parameters)
            let charge = radius / problem.parameters.alpha
            worstRisk =
                measure.value(of: problem.model.panel.portfolioReturns(w)) + charge * w.reduce(0) { max($0, abs($1)) }
            riskSlope = evidence.risk?.minorant(at: w, problem.model).slope ?? w.map { _ in 0 }
            for i in riskSlope.indices { riskSlope[i] += charge * p[i] }
            missed = max(worstRisk - Vector.dot(riskSlope, w), 0)
            isCovariance = true
        } else {
            let worst = problem.worstCovariance(w)
            worstRisk = max(Vector.dot(w, worst.symmetricMultiplied(by: w)), 0).squareRoot()
            // Any member of the set bounds the worst risk of every portfolio from below.
            let member = evidence.covariance.map { problem.inBox($0) } ?? worst
            let image = member.symmetricMultiplied(by: w)
            let known = max(Vector.dot(w, image), 0).squareRoot()
            riskSlope = image.map { known > 0 ? $0 / known : 0 }
            missed = max(worstRisk - known, 0)
            isCovariance = name == .maximumReturn || Self.isPositive(member)
        }
        let risk = worstRisk
        let isVariance = problem.radius == nil
        switch name {
        case .minimumRisk:
            objective = risk
            direction = riskSlope.map { -$0 }
            slack = missed
            size = abs(risk)
        case .utility:
            let known = risk - missed
            let factor = aversion * (isVariance ? 2 * known : 1)
            objective = worstReturn - aversion * (isVariance ? risk * risk : risk)
            direction = zip(slope, riskSlope).map { $0 - factor * $1 }
            slack = lost + aversion * missed * (isVariance ? risk + known : 1)
            size = abs(worstReturn) + aversion * abs(isVariance ? risk * risk : risk)
        case .maximumReturn:
            objective = worstReturn
            direction = slope
            slack = lost
            size = abs(worstReturn)
        case .sharpe:
            let ratio = risk > 0 ? (worstReturn - rate) / risk : 0
            objective = ratio
            direction = zip(slope, riskSlope).map { risk > 0 ? ($0 - ratio * $1) / risk : 0 }
            slack = risk > 0 ? (lost + ratio * missed) / risk : 0
            size = abs(ratio)
        }
    }

    /// Positive semidefinite up to rounding.
    static func isPositive(_ matrix: Matrix) -> Bool {
        var shifted = matrix
        let largest = matrix.diagonal.reduce(0) { max($0, abs($1)) }
        if largest == 0 { return matrix.storage.allSatisfy { $0 == 0 } }
        for i in 0..<matrix.rows { shifted[i, i] += 1e-12 * largest }
        return (try? Cholesky(factorising: shifted)) != nil
    }
}

extension WorstCase {
    /// A matrix with its entries moved into the box.
    func inBox(_ matrix: Matrix) -> Matrix {
        guard case .box(let lower, let upper)? = sets.covariance else { return covariance }
        var result = matrix
        for i in result.storage.indices {
            result.storage[i] = min(max(result.storage[i], lower.storage[i]), upper.storage[i])
        }
        return result
    }

    /// The member of the set with the largest w'C w, as far as the set's entries alone say it.
    func worstCovariance(_ w: [Double]) -> Matrix {
        switch sets.covariance {
        case nil: return covariance
        case .box(let lower, let upper)?:
            var corner = upper
            for j in w.indices { for i in w.indices where w[i] * w[j] < 0 { corner[i, j] = lower[i, j] } }
            return corner
        case .ellipsoid(let shape, let radius)?:
            var outer = Matrix(rows: w.count, columns: w.count)
            for j in w.indices { for i in w.indices { outer[i, j] = w[i] * w[j] } }
            let root = max(shape.quadratic(outer), 0).squareRoot()
            guard root > 0 else { return covariance }
            var worst = covariance
            let push = shape.image(w)
            for i in worst.storage.indices { worst.storage[i] += radius / root * push.storage[i] }
            return worst
        }
    }
}

extension CovarianceUncertainty.Shape {
    /// `mat(V vec(ww'))`.
    func image(_ w: [Double]) -> Matrix {
        guard case .normal(let covariance, let observations) = self else {
            return entries?.image(w) ?? Matrix(rows: w.count, columns: w.count)
        }
        // 2 S ww' S / T
        let through = covariance.symmetricMultiplied(by: w)
        var image = covariance
        for j in w.indices { for i in w.indices { image[i, j] = 2 * through[i] * through[j] / Double(observations) } }
        return image
    }
}

/// The worst case that was solved, and what the solver believes about its kinks.
struct WorstCaseProof: AnswerProof {
    let problem: WorstCase
    let evidence: WorstCaseEvidence
    let limits: [(name: String, evidence: RiskEvidence)]

    func point(_ request: OptimizeRequest, weights: [Double], periodsPerYear: Double) -> WorstCasePoint {
        WorstCasePoint(
            problem, objective: request.objective, weights: weights, rate: request.riskFreeRate / periodsPerYear,
            aversion: request.riskAversion, evidence: evidence)
    }

    func minorants(_ weights: [Double]) -> LimitMinorants {
        var evidence = SolutionEvidence()
        evidence.limits = limits
        return LimitMinorants(
            set: problem.constraints, evidence: evidence,
            model: MeanRisk(
                model: problem.model, measure: ConditionalValueAtRisk(problem.parameters),
                covariance: problem.covariance, constraints: problem.constraints, parameters: problem.parameters,
                reward: Reward(), deadline: problem.deadline), weights: weights)
    }

    func objective(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double? {
        point(request, weights: result.weights, periodsPerYear: result.periodsPerYear).objective
    }

    func gap(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double {
        let point = point(request, weights: result.weights, periodsPerYear: result.periodsPerYear)
        guard point.isCovariance else { return .infinity }
        let unit = problem.model.unit
        let floor = request.objective == .sharpe ? 1e-9 : 1e-6 * unit
        return OptimalityBound(
            request, panel: panel, mean: result.moments?.mean, weights: result.weights, direction: point.direction,
            slack: point.slack, size: max(point.size, floor), prices: result.prices, limits: minorants(result.weights),
            periodsPerYear: result.periodsPerYear
        ).relativeGap
    }
}
