import ConvexSolver
import LinearAlgebra
import WireFormat

/// The most diversified of the portfolios that are nearly optimal.
///
/// ```
/// min  sum w^2   over the allowed w with
/// MinRisk  risk(w) <= (1 + d) best          MaxRet  mean'w >= best - d |best|
/// Utility  mean'w - l risk(w) >= best - d |best|       Sharpe  (mean'w - rf) / risk(w) >= (1 - d) best
/// ```
/// Each is a ceiling `risk(w) + a'w <= level` of a convex function.
///
/// Source: P. van der Schans, H. de Vries (2018), Robust Optimization by Constructing Near-Optimal Portfolios; W. Bernstein, D.
/// Wilkinson (1997), Diversification, Rebalancing, and the Geometric Mean Frontier.
struct NearOptimal: Sendable {
    let base: MeanRisk
    let objective: ObjectiveName
    let rate: Double
    let aversion: Double
    let tolerance: Double
    /// The base problem's optimum and its value.
    let optimum: [Double]
    let best: Double
    /// Weight of the sum of squares in the program. The ceiling's price in sums of squares is some tens, and a solve whose exponential
    /// cones have to follow a multiplier that far stalls on the way; with a hundredth of it the price is about one.
    private let scale = 0.01

    struct Solution: Sendable {
        var weights: [Double]
        var prices: [Double]
        var ceiling: NearOptimalProof.Ceiling
        var iterations: Int
    }

    private var isVariance: Bool { type(of: base.measure).code == .mv }

    /// What the base's objective has to be at least (MinRisk: at most).
    var level: Double {
        let give = tolerance * abs(best)
        return objective == .minimumRisk ? best + give : best - give
    }

    /// The ceiling's risk weight, its linear part per unit of weight, and its level: in the caller's units.
    private var ceiling: (hasRisk: Bool, linear: [Double], level: Double, isSquare: Bool) {
        let mean = base.model.mean.map { $0 * base.model.unit }
        let zeros = mean.map { _ in 0.0 }
        switch objective {
        case .minimumRisk: return (true, zeros, level, false)
        case .maximumReturn: return (false, mean.map { -$0 }, -level, false)
        case .utility where aversion > 0: return (true, mean.map { -$0 / aversion }, -level / aversion, isVariance)
        case .utility: return (false, mean.map { -$0 }, -level, false)
        case .sharpe: return (true, mean.map { -$0 / level }, -rate / level, false)
        }
    }

    /// - Parameter spread: how far towards equal weights the solve starts.
    /// - Throws: `OPT-202`, `SYS-201`.
    func solve(from start: [Double], spread: Double, width: Double?, regularisation: Double) throws(Problem) -> Solution
    {
        let model = base.model
        let n = start.count
        let typical = 1 / Double(n)
        var built = MeanRiskProgram(
            model: model, covariance: base.covariance, set: base.constraints,
            point: start.map { (1 - spread) * $0 + spread * typical }, ratioScale: nil,
            ordering: width.map { .near(returns: model.panel.portfolioReturns(start), width: $0) } ?? .unknown)
        built.addLimits(base.parameters)
        let wanted = ceiling
        let isSquare = wanted.isSquare || type(of: base.measure).degree == 2
        let size = wanted.hasRisk ? (isSquare ? model.unit * model.unit : model.unit) : model.unit
        let columns = built.risk.weights
        var linear = columns.map { CompositeProgram.Entry($0, wanted.linear[$0] / size) }
        var parts: [CompositeProgram.Part] = []
        var pieces: [RiskFormulation.Piece] = []
        if wanted.hasRisk {
            if isVariance {
                var matrix = base.covariance
                for i in matrix.storage.indices { matrix.storage[i] /= (isSquare ? 1 : 2) * model.unit * model.unit }
                let map = CoordinateMap(columns: columns, reference: columns.map { _ in 0 })
                if isSquare {
                    parts.append(.quadratic(matrix, map, scale: nil))
                } else {
                    let root = built.risk.program.addVariable(
                        lower: 0, start: built.risk.rootMeanSquare(built.risk.centredStart))
                    linear.append(.init(root, 0.5))
                    parts.append(.quadratic(matrix, map, scale: root))
                }
            } else {
                let formulation = base.measure.formulate(in: &built.risk)
                linear += formulation.linear
                pieces = formulation.pieces
                parts = pieces.map { $0.part }
            }
        }
        let place = built.risk.program.terms.count
        let squares = CompositeProgram.Part.quadratic(
            .identity(n), CoordinateMap(columns: columns, reference: columns.map { _ in 0 }), scale: nil)
        built.risk.program.terms += [
            .init(.atMost(wanted.level / size), linear: linear, parts: parts),
            .init(.objective(scale), parts: [squares]),
        ]
        let found = try built.risk.program.solved(regularisation: regularisation, deadline: base.deadline)
        let weights = try built.weights(of: found)
        let multiplier = found.multipliers[place]
        let evidence =
            pieces.isEmpty
            ? nil
            : RiskEvidence(found, term: place, measure: base.measure, pieces: pieces)
        return Solution(
            weights: weights, prices: built.prices(found, size: 1 / scale),
            ceiling: .init(
                price: multiplier / size / scale, hasRisk: wanted.hasRisk, isSquare: wanted.isSquare,
                linear: wanted.linear,
                level: wanted.level, evidence: evidence), iterations: found.iterations)
    }
}

/// The ceiling that keeps a portfolio nearly optimal, with its price and a minorant of its risk.
struct NearOptimalProof: AnswerProof {
    struct Ceiling: Sendable {
        /// Of the sum of squares, per unit of the ceiling.
        var price: Double
        var hasRisk: Bool
        /// Whether the risk is the variance, of MV.
        var isSquare: Bool
        var linear: [Double]
        var level: Double
        var evidence: RiskEvidence?
    }

    let problem: NearOptimal
    let ceiling: Ceiling

    /// The ceiling's function at weights, and an affine minorant that touches there.
    private func minorant(_ w: [Double]) -> (value: Double, minorant: Minorant) {
        let base = problem.base
        var value = Vector.dot(ceiling.linear, w)
        var below = Minorant(slope: ceiling.linear, constant: 0)
        guard ceiling.hasRisk else { return (value, below) }
        if type(of: base.measure).code == .mv {
            let image = base.covariance.symmetricMultiplied(by: w)
            let variance = max(Vector.dot(w, image), 0)
            let deviation = variance.squareRoot()
            value += ceiling.isSquare ? variance : deviation
            let factor = ceiling.isSquare ? 2 : deviation > 0 ? 1 / deviation : 0
            Vector.axpy(factor, image, &below.slope)
            below.constant = ceiling.isSquare ? -variance : 0
        } else {
            value += base.measure.value(of: base.model.panel.portfolioReturns(w))
            if let evidence = ceiling.evidence {
                let ofRisk = evidence.minorant(at: w, base.model)
                Vector.axpy(1, ofRisk.slope, &below.slope)
                below.constant = ofRisk.constant
            }
        }
        return (value, below)
    }

    /// The direction in which sum w^2 falls, less the ceiling's share.
    func direction(_ w: [Double]) -> [Double] {
        var direction = w.map { -2 * $0 }
        Vector.axpy(-max(ceiling.price, 0), minorant(w).minorant.slope, &direction)
        return direction
    }

    func objective(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double? {
        1 / result.weights.reduce(0) { $0 + $1 * $1 }
    }

    func gap(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double {
        let w = result.weights
        let (value, below) = minorant(w)
        let ofReturn = Vector.dot(ceiling.linear, w)
        let terms = abs(value - ofReturn) + abs(ofReturn) + abs(ceiling.level)
        guard value <= ceiling.level + 1e-8 * terms else { return .infinity }
        let price = max(ceiling.price, 0)
        let squares = w.reduce(0) { $0 + $1 * $1 }
        return OptimalityBound(
            request, panel: panel, mean: result.moments?.mean, weights: w, direction: direction(w),
            slack: price * (ceiling.level - below.constant) - price * Vector.dot(below.slope, w), size: squares,
            prices: result.prices, periodsPerYear: result.periodsPerYear
        ).relativeGap
    }
}

extension ModelDispatch {
    /// The most diversified of the nearly optimal portfolios.
    func nearOptimal() throws(Problem) -> OptimizationResult {
        var classic = request
        classic.model = .classic
        let solved = try MeanRiskSolve(
            request: classic, panel: panel, moments: moments, isSample: own == nil, constraints: constraints,
            parameters: parameters, riskFreeRate: request.riskFreeRate / periodsPerYear, deadline: deadline
        ).run()
        let tolerance = request.nearOptimal?.tolerance ?? 0.05
        let problem = NearOptimal(
            base: solved.meanRisk, objective: request.objective, rate: request.riskFreeRate / periodsPerYear,
            aversion: request.riskAversion, tolerance: tolerance, optimum: solved.weights,
            best: solved.solution.objectiveValue)
        // With no room the optimum itself is the answer, as far as it is unique.
        let isOrdered = type(of: solved.meanRisk.measure).needsOrdering
        var start = solved.weights
        // A path that starts well inside the ceiling spares some measures what one from far outside costs them.
        let attempts: [(spread: Double, width: Double?, regularisation: Double)] =
            isOrdered
            ? [nil, 0.05, 0.02, 0.02, 0.05, 0.1, 0.3].map { (0.1, $0, 1e-14) }
            : [
                (0.1, nil, 1e-14), (0.01, nil, 1e-14), (0.5, nil, 1e-14), (0.001, nil, 1e-14), (1, nil, 1e-14),
                (0.03, nil, 1e-14), (0.2, nil, 1e-14), (1e-4, nil, 1e-14), (0.7, nil, 1e-14), (0.1, nil, 1e-12),
                (0.01, nil, 1e-10), (0.1, nil, 1e-16),
            ]
        return try firstProven(attempts) { (attempt) throws(Problem) in
            let found = try problem.solve(
                from: start, spread: attempt.spread, width: attempt.width, regularisation: attempt.regularisation)
            if isOrdered { start = found.weights }
            func proven(_ ceiling: NearOptimalProof.Ceiling) throws(Problem) -> OptimizationResult {
                let proof = NearOptimalProof(problem: problem, ceiling: ceiling)
                return try answer(
                    Proven(
                        weights: found.weights, prices: found.prices, iterations: found.iterations,
                        objective: 1 / found.weights.reduce(0) { $0 + $1 * $1 },
                        direction: proof.direction(found.weights),
                        limits: LimitMinorants(none: ()), proof: proof,
                        figures: [.init("optimal_value", problem.best), .init("allowed_value", problem.level)]))
            }
            let priced = try proven(found.ceiling)
            if priced.solution.isProven(to: 1e-9) { return priced }
            // A ceiling that holds nothing back has no price.
            var idle = found.ceiling
            idle.price = 0
            let free = try proven(idle)
            return free.solution.largestError < priced.solution.largestError ? free : priced
        }
    }
}
