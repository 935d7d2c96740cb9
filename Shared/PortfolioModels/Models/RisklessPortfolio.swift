import LinearAlgebra
import WireFormat

/// Portfolios whose risk is nothing: where a measure has a corner, and solvers that follow its curvature lose their way.
///
/// A deviation is zero where the portfolio's return is the same in every period, a drawdown where no return is below zero, a lower
/// partial moment where none is below the target. Each is a set of linear rows, so the riskless portfolio of largest mean is a linear
/// program, and no measure that cannot be negative can do better.
struct RisklessPortfolio {
    let model: MeanRisk
    /// Of lower partial moments, per period.
    let target: Double
    /// Whether the portfolio's return has to be the same in every period, whatever the measure.
    var isStill = false

    /// What a series without risk is like.
    private enum Series { case constant, atLeast(Double), any }

    /// Below this share of an asset's typical return a risk is rounding.
    static let noise = 1e-10

    private var series: Series? {
        guard model.model.panel.returns.maximumMagnitude > 0 else { return .any }
        let measure = type(of: model.measure)
        if isStill { return .constant }
        guard !measure.canBeNegative else { return nil }
        switch measure.code {
        case .mv, .kt, .mad, .gmd, .msv, .skt, .em, .esm, .cvarRange, .tailGiniRange, .evarRange, .rlvarRange, .range:
            return .constant
        case .flpm, .slpm: return .atLeast(target)
        case .maximumDrawdown, .averageDrawdown, .cdar, .edar, .rldar, .ulcerIndex: return .atLeast(0)
        default: return nil
        }
    }

    /// The riskless portfolio of largest mean among those found; nil where there is none, or where limits other than linear ones count.
    /// - Throws: `SYS-201` if the deadline passes.
    func best() throws(Problem) -> [Double]? {
        guard let series, model.constraints.convex.isEmpty, model.constraints.soft.isEmpty else { return nil }
        var candidates: [[Double]] = []
        switch series {
        case .any: candidates = [try linear(model.constraints)].compactMap { $0 }
        case .constant:
            candidates = [
                try linear(stillness()),
                try attempt { () throws(Problem) in try plain(model.constraints).minimumRisk() },
            ]
            .compactMap { $0 }
        case .atLeast(let level):
            candidates = [try linear(floor(level)), try linear(stillness())].compactMap { $0 }
        }
        let panel = model.model.panel
        let unit = panel.typicalReturn
        let size = type(of: model.measure).degree == 2 ? Self.noise * Self.noise * unit * unit : Self.noise * unit
        let mean = model.model.mean
        return candidates.filter { abs(model.measure.value(of: panel.portfolioReturns($0))) <= size }
            .max { Vector.dot(mean, $0) < Vector.dot(mean, $1) }
    }

    private func plain(_ set: ConstraintSet) -> MeanVariance {
        MeanVariance(
            mean: model.model.mean.map { $0 * model.model.unit }, covariance: model.covariance, constraints: set,
            deadline: model.deadline)
    }

    /// The largest mean within a set, without the dust of a linear program.
    private func linear(_ set: ConstraintSet?) throws(Problem) -> [Double]? {
        guard let set, var weights = try attempt({ () throws(Problem) in try plain(set).maximumReturn() }) else {
            return nil
        }
        for i in weights.indices where abs(weights[i]) < 1e-9 && model.constraints.lower[i] <= 0 { weights[i] = 0 }
        WeightCleanup.balance(&weights, model.constraints)
        let isAllowed = NearestAllowed(weights: weights, constraints: model.constraints, deadline: model.deadline)
            .isAllowed
        return isAllowed ? weights : nil
    }

    private func attempt(_ body: () throws(Problem) -> ModelSolution) throws(Problem) -> [Double]? {
        do throws(Problem) {
            return try body().weights
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// The set with rows that make the portfolio's return the same in every period; nil where only zero weights do.
    private func stillness() -> ConstraintSet? {
        let deviations = model.covariance.diagonal.map { max($0, 0).squareRoot() }
        let largest = deviations.max() ?? 0
        guard largest > 0 else { return model.constraints }
        let inverse = deviations.map { 1 / max($0, 1e-9 * largest) }
        guard let eigen = try? SymmetricEigen(model.covariance.scaled(rows: inverse, columns: inverse)) else {
            return nil
        }
        let top = eigen.values.max() ?? 0
        var set = explained(model.constraints)
        for (k, value) in eigen.values.enumerated() where value > 1e-12 * top {
            let row = eigen.vectors.column(k).indices.map { eigen.vectors[$0, k] / inverse[$0] / largest }
            set.add([
                NamedConstraint(
                    name: "riskless.\(k)", pointer: JSONPointer(["constraints"]), kind: .equal(row), level: 0,
                    isStructural: true)
            ])
        }
        return set
    }

    /// The set with rows that keep every period's return at a level; nil for panels too long for rows.
    private func floor(_ level: Double) -> ConstraintSet? {
        let panel = model.model.panel
        guard panel.observations <= 5000 else { return nil }
        var set = explained(model.constraints)
        for t in 0..<panel.observations {
            let row = panel.returns.row(t)
            // What no allowed portfolio can miss needs no row.
            guard row.contains(where: { $0 < level }) || model.constraints.lower.contains(where: { $0 < 0 }) else {
                continue
            }
            let size = row.reduce(abs(level)) { max($0, abs($1)) }
            guard size > 0 else { continue }
            set.add([
                NamedConstraint(
                    name: "floor.\(t)", pointer: JSONPointer(["constraints"]), kind: .atLeast(row.map { $0 / size }),
                    level: level / size, isStructural: true)
            ])
        }
        return set
    }

    /// A set whose contradictions nobody will read.
    private func explained(_ set: ConstraintSet) -> ConstraintSet {
        var set = set
        set.isExplained = false
        return set
    }
}

extension MeanRiskSolve {
    /// The answer where a riskless portfolio is the best one, proven; nil where none is, or where that is not proven.
    /// - Throws: `OPT-203` where a portfolio without risk beats the rate of a ratio; `SYS-201`.
    func riskless(_ model: MeanRisk) throws(Problem) -> Solved? {
        guard given == nil, model.reward.costs == nil, model.reward.kelly == .none,
            let weights = try RisklessPortfolio(model: model, target: parameters.target).best()
        else { return nil }
        let mean = Vector.dot(moments.mean, weights)
        switch request.objective {
        case .maximumReturn: return nil
        case .sharpe:
            let size = moments.mean.reduce(abs(riskFreeRate)) { max($0, abs($1)) }
            if mean - riskFreeRate > 1e-9 * size { throw MeanVariance.unlimitedRatio }
            return nil
        case .minimumRisk: return try proven(weights, nil, model)
        case .utility:
            // Where nothing earns more, the budget's price is the return itself.
            let whole = model.constraints.constraints.map { $0.name == "budget" ? mean / max(abs($0.level), 1e-12) : 0 }
            if let solved = try proven(weights, nil, model, prices: whole) { return solved }
            // What the next unit of risk earns over the riskless return: less than it costs, and the corner is the best.
            if let ratio = try rounded({ () throws(Problem) in
                try model.solve(.sharpe, riskFreeRate: mean, riskAversion: 1)
            }) {
                let risk = model.measure.value(of: panel.portfolioReturns(ratio.weights))
                if let solved = try cornered(weights, at: ratio, model, prices: ratio.prices.map { $0 * risk }) {
                    return solved
                }
            }
            // Along an edge from the corner all portfolios have the same ratio, and the scale of the best one has no end: one of
            // them is the least risk of a return a little above the riskless one.
            let most = try plain(model).maximumReturn().weights
            let excess = Vector.dot(moments.mean, most) - mean
            guard excess > 0 else { return nil }
            for share in [0.5, 0.1, 0.01, 1e-3, 1e-4] {
                guard
                    let edge = try rounded({ () throws(Problem) in
                        try model.minimumRisk(atLeast: mean + share * excess)
                    }), edge.price > 0
                else { continue }
                // A price for the risk, of rows whose unit is the objective's: the level's own is the return.
                let prices = edge.solution.prices.dropLast().map { $0 / edge.price }
                if let solved = try cornered(weights, at: edge.solution, model, prices: prices) { return solved }
            }
            return nil
        }
    }

    /// The corner, proven by what a solution next to it found of the risk's slope: nil where the slope is worth its risk.
    private func cornered(
        _ weights: [Double], at next: MeanRisk.Solution, _ model: MeanRisk, prices: [Double]
    ) throws(Problem) -> Solved? {
        let risk = model.measure.value(of: panel.portfolioReturns(next.weights))
        let price = (Vector.dot(moments.mean, next.weights) - Vector.dot(moments.mean, weights)) / risk
        guard risk > 0, request.riskAversion > 0, price <= request.riskAversion * (1 + 1e-9),
            var slope = SolutionEvidence(next, model.constraints).objective
        else { return nil }
        let share = min(price / request.riskAversion, 1)
        slope.duals = slope.duals.map { $0.map { share * $0 } }
        return try proven(weights, slope, model, prices: prices)
    }

    private func plain(_ model: MeanRisk) -> MeanVariance {
        MeanVariance(
            mean: moments.mean, covariance: moments.covariance, constraints: model.constraints, deadline: deadline)
    }

    /// Nil where rounding or a missing maximum ended the solve.
    /// - Throws: `SYS-201` if the deadline passes.
    private func rounded<Found>(_ body: () throws(Problem) -> Found) throws(Problem) -> Found? {
        do throws(Problem) {
            return try body()
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    private func proven(
        _ weights: [Double], _ evidence: RiskEvidence?, _ model: MeanRisk, prices: [Double]? = nil
    ) throws(Problem) -> Solved? {
        let none = weights.map { _ in 0.0 }
        let found = MeanRisk.Solution(
            weights: weights, prices: prices ?? model.constraints.constraints.map { _ in 0 },
            evidence: evidence.map { [(nil, $0)] } ?? [], costKinks: none, iterations: 0, primalResidual: 0,
            dualResidual: 0)
        var solved = try certified(found, model)
        guard solved.error <= Verification.fullProof else { return nil }
        solved.solution.method = "riskless_portfolio"
        return solved
    }
}
