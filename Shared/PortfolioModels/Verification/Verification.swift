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
    /// - Throws: `SYS-301` with what was found.
    public static func check(
        _ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult
    ) throws(Problem) {
        let faults = faults(request, panel: panel, result: result)
        guard faults.isEmpty else {
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
        faults += figures(request, panel, series, result, penalty: penalty)
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

    /// Limits of risk, distance and concentration, by definition: what breaks a hard one, and what a soft one costs.
    private static func limits(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ result: OptimizationResult
    ) -> [(fault: String?, penalty: Double)] {
        let wanted = request.constraints
        var found: [(fault: String?, penalty: Double)] = []
        func hold(_ name: String, _ value: Double, _ most: Double, perLevel: Double = 1) {
            if let weight = wanted.penalty(of: name) {
                found.append((nil, weight * max(value - most, 0) / perLevel))
            } else if !(value <= most * (1 + 1e-8) + 1e-14) {
                found.append(("\(name) is at \(value), above \(most)", 0))
            }
        }
        guard
            wanted.trackingError != nil || wanted.effectiveAssets != nil || !wanted.riskContribution.isEmpty
                || !wanted.maxRisk.isEmpty
        else { return [] }
        let series = PlainSeries(panel, result.weights)
        let annual = wanted.isAnnual ? result.periodsPerYear.squareRoot() : 1
        if let level = wanted.trackingError {
            var active = series.x
            if let given = wanted.benchmarkReturns?.aligned(to: panel.dates) {
                for t in active.indices { active[t] -= given[t] }
            } else {
                let held = panel.assets.map { asset in wanted.benchmark.last { $0.asset == asset }?.value ?? 0 }
                let benchmark = PlainSeries(panel, held).x
                for t in active.indices { active[t] -= benchmark[t] }
            }
            var squares = 0.0
            for value in active { squares += value * value }
            hold("tracking_error", annual * (squares / Double(max(active.count - 1, 1))).squareRoot(), level)
        }
        if let least = wanted.effectiveAssets {
            var squares = 0.0
            for weight in result.weights { squares += weight * weight }
            hold("effective_assets", squares, 1 / least, perLevel: 1 / (least * least))
        }
        for limit in wanted.riskContribution {
            guard let share = share(of: limit.name, request, panel, result) else { continue }
            let tolerance = 1e-9 * max(1, abs(share))
            if share < (limit.min ?? -.infinity) - tolerance || share > (limit.max ?? .infinity) + tolerance {
                found.append(("\(limit.name) bears the share \(share) of the variance", 0))
            }
        }
        let rate = request.riskFreeRate / result.periodsPerYear
        for limit in wanted.maxRisk {
            let parameters = RiskParameters(request, riskFreeRate: rate)
            guard let measure = RiskMeasures.measure(limit.measure, parameters) else { continue }
            let weighted = result.moments?.scenarioWeights.flatMap {
                WeightedRisk(limit.measure, parameters, probabilities: $0)
            }
            let factor = type(of: measure).degree == 2 ? annual * annual : annual
            let risk =
                limit.measure == .mv
                ? modelled(series, result).deviation : weighted?.value(of: series.x) ?? measure.value(of: series.x)
            hold("max_risk.\(limit.measure.rawValue)", factor * risk, limit.level)
        }
        return found
    }

    /// The share of the variance that an asset or a group bears; nil where there is no variance.
    private static func share(
        of name: String, _ request: OptimizeRequest, _ panel: ReturnPanel, _ result: OptimizationResult
    ) -> Double? {
        let group = request.constraints.groups.first { $0.name == name }?.assets ?? []
        let members = request.assets.contains(name) ? [name] : group
        var part = result.weights
        for i in part.indices where !members.contains(request.assets[i]) { part[i] = 0 }
        var (own, whole) = (0.0, 0.0)
        if let moments = result.moments {
            for i in part.indices {
                for (j, other) in result.weights.enumerated() where other != 0 {
                    own += part[i] * other * moments.covariance(i, j)
                    whole += result.weights[i] * other * moments.covariance(i, j)
                }
            }
        } else {
            let (some, all) = (PlainSeries(panel, part).centred, PlainSeries(panel, result.weights).centred)
            for t in all.indices {
                own += some[t] * all[t]
                whole += all[t] * all[t]
            }
        }
        return whole > 0 ? own / whole : nil
    }

    /// The rules on which assets are held, by name, from the request alone.
    private static func holdings(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ result: OptimizationResult
    ) -> [String] {
        let wanted = request.constraints
        guard wanted.hasChoice else { return [] }
        var faults: [String] = []
        let weight = Dictionary(zip(request.assets, result.weights), uniquingKeysWith: { $1 })
        func members(_ name: String) -> [String] {
            weight[name] != nil ? [name] : wanted.groups.first { $0.name == name }?.assets ?? []
        }
        func held(_ names: [String]) -> Int { Set(names).filter { (weight[$0] ?? 0) != 0 }.count }
        if let most = wanted.cardinality?.max, held(request.assets) > most {
            faults.append("\(held(request.assets)) assets are held, at most \(most) may be")
        }
        for group in wanted.cardinality?.groups ?? [] where held(members(group.group)) > group.max {
            faults.append(
                "\(held(members(group.group))) assets of \(group.group) are held, at most \(group.max) may be")
        }
        if let least = wanted.minPosition {
            for (name, value) in weight where value != 0 && abs(value) < least * (1 - 1e-12) {
                faults.append("\(name) is at \(value), below the least position \(least)")
            }
        }
        for pair in wanted.mutuallyExclusive where held(members(pair.first)) > 0 && held(members(pair.second)) > 0 {
            faults.append("\(pair.first) and \(pair.second) are both held")
        }
        for pair in wanted.join where held(members(pair.first)) > 0 && held(members(pair.second)) == 0 {
            faults.append("\(pair.first) is held without \(pair.second)")
        }
        return faults + heldTogether(wanted, panel, result.weights)
    }

    /// Counts over the network's neighbourhoods, an edge at a time, and over clusters.
    private static func heldTogether(
        _ wanted: ConstraintRequest, _ panel: ReturnPanel, _ weights: [Double]
    ) -> [String] {
        var faults: [String] = []
        func count(_ members: Set<Int>, _ most: Int, _ what: String) {
            let held = members.filter { weights[$0] != 0 }.count
            if held > most { faults.append("\(held) assets of \(what) are held, at most \(most) may be") }
        }
        if let limit = wanted.network {
            guard
                let network = try? AssetNetwork(panel, graph: limit.graph, codependence: .init(limit.codependence))
            else { return ["the network cannot be made"] }
            for centre in panel.assets.indices {
                var near: Set<Int> = [centre]
                for _ in 0..<min(limit.walkSize, panel.assets.count) {
                    near.formUnion(near.flatMap { network.neighbours[$0] })
                }
                count(near, limit.most, "the neighbourhood of \(panel.assets[centre])")
            }
        }
        if let limit = wanted.clusters {
            guard let clusters = try? HeldTogether.labels(limit, panel) else { return ["the clusters cannot be made"] }
            for label in Set(clusters) {
                count(Set(clusters.indices.filter { clusters[$0] == label }), limit.most, "a cluster")
            }
        }
        return faults
    }

    /// Return, risk and objective from the return series, by their definitions.
    private static func figures(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ series: PlainSeries, _ result: OptimizationResult,
        penalty: Double
    ) -> [String] {
        let seen = result.moments?.scenarios == nil ? series : PlainSeries(panel, result.weights)
        let rate = request.riskFreeRate / result.periodsPerYear
        let isMV = request.riskMeasure == .mv
        let parameters = RiskParameters(request, riskFreeRate: rate)
        let (mean, deviation) = modelled(series, result)
        let probabilities = result.moments?.scenarioWeights
        let weighted = probabilities.flatMap { WeightedRisk(request.riskMeasure, parameters, probabilities: $0) }
        let ordered =
            request.model == .orderedWeightedAverage
            ? (try? OrderedCoefficients(request: request, count: series.x.count).make()).map {
                GivenOrderedAverage(coefficients: $0.coefficients).value(of: series.x)
            } : nil
        let measured =
            ordered ?? weighted?.value(of: series.x)
            ?? RiskMeasures.measure(request.riskMeasure, parameters)?.value(of: series.x)
        let risk = isMV ? deviation : measured ?? .nan
        var costs = penalty
        if let wanted = request.constraints.costs {
            for (i, asset) in request.assets.enumerated() {
                let change = abs(result.weights[i] - (wanted.from.last { $0.asset == asset }?.value ?? 0))
                costs += (wanted.linear?.value(of: asset) ?? 0) * change / wanted.horizon
                costs += (wanted.impact?.value(of: asset) ?? 0) * change * change.squareRoot() / wanted.horizon
            }
        }
        var reward = mean
        switch request.kelly {
        case .none: break
        case .approx: reward -= 0.5 * deviation * deviation
        case .exact:
            let equal = 1 / Double(series.x.count)
            reward = 0
            for (t, x) in series.x.enumerated() { reward += (probabilities?[t] ?? equal) * LogarithmicGrowth.of(x) }
        }
        var objective: Double =
            switch request.objective {
            case .minimumRisk: risk + costs
            case .maximumReturn: reward - costs
            case .utility: reward - costs - request.riskAversion * (isMV ? risk * risk : risk)
            case .sharpe: (reward - costs - rate) / risk
            }
        if AllocationRules.define(request.model) {
            var sample: PlainCovariance?
            func covariance(_ i: Int, _ j: Int) -> Double {
                if let moments = result.moments { return moments.covariance(i, j) }
                let plain = sample ?? PlainCovariance(panel)
                sample = plain
                return plain.value(i, j)
            }
            objective = AllocationRules.value(
                request, panel: panel, covariance: { covariance($0, $1) },
                weights: result.weights, reward: reward, risk: risk, riskFreeRate: rate)
        }
        if let own = result.proof?.objective(request, panel: panel, result: result) { objective = own }
        var faults: [String] = []
        func compare(_ name: String, _ reported: Double, _ own: Double, _ size: Double, floor: Double = 0) {
            if abs(reported * reported - own * own) <= floor * floor { return }
            if !(abs(reported - own) <= 1e-9 * max(abs(own), size)) {
                faults.append("\(name) is \(reported), its definition gives \(own)")
            }
        }
        let unit = max(series.largest, .leastNormalMagnitude)
        compare("expected_return", result.solution.expectedReturn, mean, 1e-3 * unit)
        // Two ways to a variance differ by rounding of its terms, which the root of a small one magnifies.
        let floor = isMV ? noise(series, result) : 0
        compare("risk", result.solution.risk, risk, 1e-6 * unit, floor: floor)
        let isRatio =
            request.objective == .sharpe || request.model == .maximumDiversification
            || request.model == .maximumDecorrelation
        let size = isRatio ? 1e-6 : 1e-3 * unit
        // Costs are beside the risk whose rounding is meant.
        let beside = request.objective == .minimumRisk ? costs : 0
        compare(
            "objective_value", result.solution.objectiveValue - beside, objective - beside, max(size, abs(beside)),
            floor: request.objective == .minimumRisk ? floor : 0)
        func annual(_ name: String) -> Double? { result.metrics.first { $0.name == name }?.value }
        compare(
            "metrics.expected_return", annual("expected_return") ?? .nan,
            request.convention == .pypfopt
                ? compounded(panel, result) : seen.mean * result.periodsPerYear, unit)
        compare(
            "metrics.volatility", annual("volatility") ?? .nan, seen.deviation * result.periodsPerYear.squareRoot(),
            unit)
        return faults
    }

    /// Each asset's compound return a year, weighted.
    private static func compounded(_ panel: ReturnPanel, _ result: OptimizationResult) -> Double {
        var sum = 0.0
        for (asset, weight) in result.weights.enumerated() where weight != 0 {
            var growth = 1.0
            for value in panel.column(asset) { growth *= 1 + value }
            let power = result.periodsPerYear / Double(panel.observations)
            sum += weight * (growth > 0 ? Double.pow(growth, power) - 1 : -1)
        }
        return sum
    }

    /// Mean and standard deviation in the model's eyes: of the series, or of the moments that take the sample's place.
    private static func modelled(
        _ series: PlainSeries, _ result: OptimizationResult
    ) -> (mean: Double, deviation: Double) {
        guard let moments = result.moments else { return (series.mean, series.deviation) }
        var mean = 0.0
        var variance = 0.0
        for (i, weight) in result.weights.enumerated() where weight != 0 {
            mean += weight * moments.mean[i]
            for (j, other) in result.weights.enumerated() { variance += weight * other * moments.covariance(i, j) }
        }
        return (mean, max(variance, 0).squareRoot())
    }

    /// Below this a standard deviation cannot be told from zero: the root of what rounding leaves of a variance of N terms.
    private static func noise(_ series: PlainSeries, _ result: OptimizationResult) -> Double {
        var size = series.largest
        if let moments = result.moments {
            for i in result.weights.indices { size = max(size, max(moments.covariance(i, i), 0).squareRoot()) }
        }
        return OptimalityBound.noise(assets: result.weights.count) * size
    }

    private static func contributions(
        _ request: OptimizeRequest, _ series: PlainSeries, _ result: OptimizationResult
    ) -> [String] {
        // Weights times slopes add up to the risk where it grows with the weights: a compounded drawdown does not.
        let measure = RiskMeasures.all.first { $0.code == request.riskMeasure }
        guard measure.map({ $0.degree != nil }) ?? true else { return [] }
        let rounding = 1e-10 * series.largest
        let floor = noise(series, result)
        let sum = result.riskContributions.reduce(0, +)
        if abs(sum * sum - result.solution.risk * result.solution.risk) <= floor * floor { return [] }
        let size = result.riskContributions.reduce(0) { $0 + abs($1) }
        guard !(abs(sum - result.solution.risk) <= 1e-9 * max(size, result.solution.risk) + rounding) else { return [] }
        return ["the risk contributions add up to \(sum), the risk is \(result.solution.risk)"]
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

/// A portfolio's return series by plain loops.
struct PlainSeries {
    let mean: Double
    /// Divisor T - 1.
    let deviation: Double
    let x: [Double]
    /// x less its mean.
    let centred: [Double]
    /// The largest absolute return of any held asset or of the portfolio.
    let largest: Double

    init(_ panel: ReturnPanel, _ weights: [Double]) {
        let count = panel.observations
        var x = [Double](repeating: 0, count: count)
        var largest = 0.0
        for (asset, weight) in weights.enumerated() where weight != 0 {
            Self.add(weight, panel.column(asset), to: &x, &largest)
        }
        var sum = 0.0
        for value in x { sum += value }
        let rough = sum / Double(count)
        var correction = 0.0
        for value in x { correction += value - rough }
        let mean = rough + correction / Double(count)
        centred = x.map { $0 - mean }
        var squares = 0.0
        for value in centred { squares += value * value }
        self.mean = mean
        self.x = x
        deviation = (squares / Double(max(count - 1, 1))).squareRoot()
        self.largest = largest
    }

    private static func add(_ weight: Double, _ column: [Double], to x: inout [Double], _ largest: inout Double) {
        let returns = column.span
        var series = x.mutableSpan
        var most = largest
        for t in 0..<series.count {
            let value = returns[t]
            series[t] += weight * value
            most = max(most, abs(value))
        }
        largest = most
    }
}

/// Sample covariances one at a time, by plain loops.
private struct PlainCovariance {
    private let centred: [[Double]]

    init(_ panel: ReturnPanel) {
        centred = panel.assets.indices.map { asset in
            let column = panel.column(asset)
            let mean = column.reduce(0, +) / Double(column.count)
            return column.map { $0 - mean }
        }
    }

    func value(_ i: Int, _ j: Int) -> Double {
        var sum = 0.0
        for t in centred[i].indices { sum += centred[i][t] * centred[j][t] }
        return sum / Double(max(centred[i].count - 1, 1))
    }
}
