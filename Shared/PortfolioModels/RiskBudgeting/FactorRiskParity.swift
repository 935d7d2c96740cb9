import ConvexSolver
import LinearAlgebra
import WireFormat

/// Portfolios with exposure one to one factor and none to the others: the columns of `M = B (B'B)^-1`.
struct FactorMimickingPortfolios: Sendable {
    /// N x K: B.
    let loadings: Matrix
    /// N x K: M, with B'M = I.
    let portfolios: Matrix
    let factors: [String]

    /// - Throws: `OPT-203` where the loadings do not tell the factors apart.
    init(loadings: Matrix, factors: [String]) throws(Problem) {
        self.loadings = loadings
        self.factors = factors
        let k = factors.count
        let gram = loadings.gram()
        let size = gram.diagonal.map { max($0, 0).squareRoot() }
        func fault(_ detail: String) -> Problem {
            Problem(
                .ratioUndefined, detail, errors: [Violation(JSONPointer(["factors"]), .other("no_risk_share"), detail)])
        }
        for (index, value) in size.enumerated() where !(value > 0 && value < .infinity) {
            throw fault(
                "No asset loads on the factor \(Problem.echo(factors[index])): it cannot bear a share of the risk.")
        }
        let inverse = size.map { 1 / $0 }
        var correlation = gram.scaled(rows: inverse, columns: inverse)
        for i in 0..<k { correlation[i, i] = 1 }
        let alike = "The loadings of the assets do not tell the \(k) factors apart: leave out those that repeat others."
        guard k <= loadings.rows, let factor = try? Cholesky(factorising: correlation) else { throw fault(alike) }
        var portfolios = Matrix(rows: loadings.rows, columns: k)
        for asset in 0..<loadings.rows {
            let row = factor.solve(zip(loadings.row(asset), inverse).map { $0 * $1 })
            for j in 0..<k { portfolios[asset, j] = row[j] * inverse[j] }
        }
        // B'M = I says whether the factors were apart enough to tell.
        var identity = Matrix(rows: k, columns: k)
        identity.gemm(loadings, portfolios, transposeFirst: true)
        for j in 0..<k {
            for i in 0..<k where !(abs(identity[i, j] - (i == j ? 1 : 0)) < 1e-8 * size[i] / size[j]) {
                throw fault(alike)
            }
        }
        self.portfolios = portfolios
    }
}

/// The portfolio whose factors bear given shares of the risk.
///
/// ```
/// w = M e,   e > 0 the exposures,   e_k d rho/d e_k = b_k rho
/// ```
/// Risk budgeting over the K mimicking portfolios; weights may be short, and no risk that the factors do not carry is taken.
///
/// Source: T. Roncalli, G. Weisang (2012), Risk Parity Portfolios with Risk Factors, SSRN 2155159; Riskfolio-Lib's model FC.
struct FactorRiskParity {
    let request: OptimizeRequest
    let panel: ReturnPanel
    let moments: Moments
    let own: Moments?
    let parameters: RiskParameters
    let mimicking: FactorMimickingPortfolios
    let periodsPerYear: Double
    let deadline: SolverDeadline

    struct Solved {
        var weights: [Double]
        var risk: Double
        var contributions: [Double]
        /// By factor, adding up to the risk.
        var byFactor: [Double]
        var gap: Double
        var found: RiskBudgeting.Solution
        var proof: FactorRiskParityProof
    }

    /// - Throws: as `RiskBudgetingSolve.run`; `OPT-203` where the weights do not add up to anything above zero.
    func solve() throws(Problem) -> Solved {
        let ofFactors = try Self.panel(panel, mimicking)
        let wanted = Self.request(request, mimicking)
        let inner = Self.moments(moments, mimicking)
        let set = try ConstraintSet(request: wanted, mean: inner.mean, periodsPerYear: periodsPerYear)
        let solved = try RiskBudgetingSolve(
            request: wanted, panel: ofFactors, moments: inner, isSample: own == nil, constraints: set,
            parameters: parameters, periodsPerYear: periodsPerYear, deadline: deadline
        ).run()
        let raw = mimicking.portfolios.multiplied(by: solved.weights)
        let total = raw.reduce(0, +)
        let size = raw.reduce(0) { $0 + abs($1) }
        guard total > 1e-9 * size else {
            throw Problem(
                .ratioUndefined,
                "The portfolio whose factors bear their shares adds up to \(total / max(size, .leastNormalMagnitude)) of its size: it cannot be scaled to the budget."
            )
        }
        let range = request.constraints.budget
        let budget = min(max(1, range.min), range.max)
        guard budget > 0 else {
            throw Problem(
                JSONPointer(["constraints", "budget"]), .contradiction, "FactorRiskParity needs a budget above zero.")
        }
        var weights = raw.map { $0 * budget / total }
        if let largest = weights.indices.max(by: { abs(weights[$0]) < abs(weights[$1]) }) {
            weights[largest] += budget - weights.reduce(0, +)
        }
        let scenarios = ScenarioModel(panel: panel, mean: moments.mean, probabilities: moments.scenarioWeights)
        let slope = RiskSlope(
            measure: solved.evidence.model.measure, evidence: solved.evidence.objective, moments: own, model: scenarios,
            weights: weights)
        return Solved(
            weights: weights, risk: slope.risk, contributions: zip(weights, slope.slope).map { $0 * $1 },
            byFactor: solved.contributions.map { $0 * slope.risk / solved.risk }, gap: solved.gap, found: solved.found,
            proof: FactorRiskParityProof(mimicking: mimicking, exposures: solved.weights, evidence: solved.evidence))
    }

    /// The returns of the mimicking portfolios.
    static func panel(_ panel: ReturnPanel, _ mimicking: FactorMimickingPortfolios) throws(Problem) -> ReturnPanel {
        try ReturnPanel(
            assets: mimicking.factors, dates: panel.dates, returns: panel.returns * mimicking.portfolios)
    }

    /// The same question about the factors: no limits, exposures that add up to one.
    static func request(_ request: OptimizeRequest, _ mimicking: FactorMimickingPortfolios) -> OptimizeRequest {
        var wanted = request
        wanted.model = .riskParity
        wanted.assets = mimicking.factors
        wanted.panel = nil
        wanted.constraints = ConstraintRequest()
        return wanted
    }

    static func moments(_ moments: Moments, _ mimicking: FactorMimickingPortfolios) -> Moments {
        var covariance = Matrix(rows: mimicking.factors.count, columns: mimicking.factors.count)
        covariance.gemm(mimicking.portfolios, moments.covariance * mimicking.portfolios, transposeFirst: true)
        covariance.mirrorLowerTriangle()
        var inner = Moments(
            mean: mimicking.portfolios.transposedMultiplied(by: moments.mean), covariance: covariance)
        inner.scenarioWeights = moments.scenarioWeights
        return inner
    }
}

/// The exposures, and what they prove themselves by.
struct FactorRiskParityProof: AnswerProof {
    let mimicking: FactorMimickingPortfolios
    let exposures: [Double]
    let evidence: RiskBudgetEvidence

    func gap(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double {
        guard let ofFactors = try? FactorRiskParity.panel(panel, mimicking) else { return .infinity }
        let wanted = FactorRiskParity.request(request, mimicking)
        // The weights are M e up to size.
        let raw = mimicking.portfolios.multiplied(by: exposures)
        let factor = result.weights.reduce(0, +) / raw.reduce(0, +)
        let size = raw.reduce(0) { max($0, abs($1)) } * abs(factor)
        let miss = zip(raw, result.weights).reduce(0) { max($0, abs($1.0 * factor - $1.1)) } / size
        guard factor > 0, miss <= 1e-10 else { return .infinity }
        let inner = result.moments.map { FactorRiskParity.moments($0, mimicking) }
        let slope = evidence.slope(moments: evidence.model.isSample ? nil : inner, weights: exposures)
        return RiskBudgetBound(
            wanted, panel: ofFactors, mean: inner?.mean, weights: exposures,
            budgets: RiskBudgetingSolve.budgets(request, names: mimicking.factors), slope: slope.slope,
            risk: slope.risk, prices: [], limits: nil, periodsPerYear: result.periodsPerYear
        ).gap
    }
}
