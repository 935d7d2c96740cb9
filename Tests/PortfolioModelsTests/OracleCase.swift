import Foundation
import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// A record of the oracle as a request, and how its answer is judged: by the record's own words and plain sums.
struct OracleCase {
    let record: JSONValue
    let panel: ReturnPanel
    let measure: RiskMeasureCode
    let objective: ObjectiveName
    let rate: Double
    let aversion: Double
    let kelly: KellyMode

    init(_ record: JSONValue, panel: ReturnPanel) throws {
        self.record = record
        self.panel = panel
        measure = RiskMeasureCode(rawValue: record["rm"]?.stringValue ?? "MV") ?? .mv
        if let name = record["obj"]?.stringValue {
            guard let objective = ObjectiveName(rawValue: name) else { throw Oracle.Failure.malformed(name) }
            self.objective = objective
        } else {
            objective = record["grid"]?.stringValue == "risk" ? .maximumReturn : .minimumRisk
        }
        rate = record["params"]?["rf"]?.doubleValue ?? 0
        aversion = record["params"]?["l"]?.doubleValue ?? 2
        kelly = KellyMode(rawValue: record["kelly"]?.stringValue ?? "none") ?? .none
    }

    var label: String {
        let parts = ["rm", "obj", "case", "kelly", "grid", "name"].compactMap { record[$0]?.stringValue }
        return parts.joined(separator: " ") + (record["point"]?.intValue.map { " point \($0)" } ?? "")
            + (rate == 0 ? "" : " rf \(rate)")
    }

    /// The request as JSON, through the decoder that HTTP uses.
    func request() throws -> OptimizeRequest {
        var object = JSONObject([("assets", JSONValue(panel.assets)), ("periods_per_year", 252)])
        object["risk_measure"] = .string(measure.rawValue)
        object["objective"] = .string(objective.rawValue)
        object["risk_free_rate"] = JSONValue(252 * rate)
        object["risk_aversion"] = JSONValue(aversion)
        if kelly != .none { object["kelly"] = .string(kelly.rawValue) }
        for (own, theirs) in [("alpha", "alpha"), ("a_sim", "a_sim"), ("kappa", "kappa"), ("power", "p")] {
            if let value = record["params"]?[theirs] { object[own] = value }
        }
        if record["kind"]?.stringValue == "portfolio" { try putOrderedWeights(in: &object) }
        let limits = try constraints()
        if !limits.isEmpty { object["constraints"] = .object(limits) }
        return try OptimizeRequest(json: .object(object))
    }

    private func putOrderedWeights(in object: inout JSONObject) throws {
        // l_moment_crm_4_CRRA
        let words = try record.text("name").split(separator: "_").map { String($0) }
        guard words.count == 5, let order = Int(words[3]) else { throw Oracle.Failure.malformed("name") }
        object["model"] = "OWA"
        object["risk_measure"] = nil
        // Those of the other three come from a solver at 1e-6, and of ME from a relaxation that leaves them open: the record's own.
        object["owa_weights"] =
            words[4] == "CRRA"
            ? ["method": "l_moment_crm", "k": JSONValue(order), "weighting": .string(words[4])]
            : JSONValue(try recordedWeights(order))
    }

    /// The coefficients of a record, which has ten of them: the combination of L-moments through those.
    private func recordedWeights(_ order: Int) throws -> [Double] {
        let count = panel.observations
        let basis = (2...order).map { k in
            LinearMoments.moment(k, count: count).map { k % 2 == 0 ? $0 : -$0 }
        }
        let known = try record.numbers("owa_weights_first5") + record.numbers("owa_weights_last5")
        let places = Array(0..<5) + Array((count - 5)..<count)
        var normal = Matrix(rows: basis.count, columns: basis.count)
        var right = [Double](repeating: 0, count: basis.count)
        for (a, row) in basis.enumerated() {
            for (place, value) in zip(places, known) { right[a] += row[place] * value }
            for (b, other) in basis.enumerated() {
                normal[a, b] = places.reduce(0) { $0 + row[$1] * other[$1] }
            }
        }
        let phi = try Cholesky(factorising: normal).solve(right)
        return (0..<count).map { t in zip(phi, basis).reduce(0) { $0 + $1.0 * $1.1[t] } }
    }

    private func byAsset(_ values: [Double]) -> JSONValue {
        .object(JSONObject(zip(panel.assets, values).map { ($0, JSONValue($1)) }))
    }

    private func constraints() throws -> JSONObject {
        var object = JSONObject()
        if let level = record["min_return"]?.doubleValue { object["min_return"] = JSONValue(level) }
        if let level = record["max_risk"]?.doubleValue { object["max_risk"] = [measure.rawValue: JSONValue(level)] }
        guard let limits = record["constraints"] else { return object }
        for (own, theirs) in [
            ("lower_bound", "lower"), ("upper_bound", "upper"), ("short", "sum_of_shorts_max"),
            ("min_return", "min_return"), ("cardinality", "max_assets"), ("effective_assets", "min_effective_assets"),
            ("tracking_error", "max_tracking_error"),
        ] {
            if let value = limits[theirs] { object[own] = value }
        }
        if let words = limits["each_weight"]?.stringValue, let level = words.split(separator: " ").last {
            object["min_position"] = JSONValue(Double(String(level)))
        }
        if let ceilings = limits["max_risk"]?.objectValue {
            object["max_risk"] = .object(
                JSONObject(ceilings.members.map { ($0.key == "std" ? "MV" : $0.key, $0.value) }))
        }
        var groups = JSONObject()
        var groupLimits = JSONObject()
        for group in limits["groups"]?.arrayValue ?? [] {
            let name = try group.text("name")
            groups[name] = JSONValue(try group.numbers("assets").map { panel.assets[Int($0)] })
            var limit = JSONObject()
            for side in ["min", "max"] { if let level = group[side] { limit[side] = level } }
            groupLimits[name] = .object(limit)
        }
        if !groups.isEmpty {
            object["groups"] = .object(groups)
            object["group_constraints"] = .object(groupLimits)
        }
        var rows: [JSONValue] = []
        for row in limits["linear"]?.arrayValue ?? [] {
            let side = try row.text("sense") == "<=" ? "max" : "min"
            rows.append(
                .object(
                    JSONObject([
                        ("coefficients", byAsset(try row.numbers("coef"))), (side, JSONValue(try row.number("rhs"))),
                    ])))
        }
        if !rows.isEmpty { object["linear"] = .array(rows) }
        if let benchmark = try? limits.numbers("benchmark") {
            if limits["max_tracking_error"] != nil {
                object["benchmark"] = byAsset(benchmark)
            } else {
                var turnover = JSONObject([("from", byAsset(benchmark))])
                if let most = limits["max_abs_change_per_asset"] { turnover["per_asset"] = most }
                if let most = limits["max_sum_abs_change"] { turnover["total"] = most }
                object["turnover"] = .object(turnover)
            }
        }
        return object
    }

    // MARK: Judging

    /// The parameters of the record's measure; lower partial moments aim at the rate in Sharpe.
    var plain: PlainRisk {
        var plain = PlainRisk()
        plain.alpha = record["params"]?["alpha"]?.doubleValue ?? plain.alpha
        plain.levels = record["params"]?["a_sim"]?.intValue ?? plain.levels
        plain.kappa = record["params"]?["kappa"]?.doubleValue ?? plain.kappa
        plain.power = record["params"]?["p"]?.doubleValue ?? plain.power
        plain.target = objective == .sharpe ? rate : 0
        return plain
    }

    /// What the record's objective is at given weights.
    func value(at weights: [Double]) -> Double {
        let x = series(weights)
        let mean = x.reduce(0, +) / Double(x.count)
        let deviation = plain.value(.mv, x)
        let growth: Double =
            switch kelly {
            case .none: mean
            case .approx: mean - 0.5 * deviation * deviation
            case .exact: x.reduce(0) { $0 + log(1 + $1) } / Double(x.count)
            }
        if objective == .maximumReturn { return growth }
        let risk = orderedWeights.map { PlainRisk.ordered(x, $0) } ?? plain.value(measure, x)
        switch objective {
        case .minimumRisk: return risk
        case .utility: return growth - aversion * (measure == .mv ? risk * risk : risk)
        case .sharpe: return (growth - rate) / risk
        case .maximumReturn: return growth
        }
    }

    /// The coefficients of an ordered weighted average of the family `owa`, or nil.
    private var orderedWeights: [Double]? {
        guard record["kind"]?.stringValue == "portfolio", let name = record["name"]?.stringValue else { return nil }
        let words = name.split(separator: "_")
        guard let order = Int(words[3]) else { return nil }
        guard words[4] == "CRRA" else { return try? recordedWeights(order) }
        return LinearMoments.crra(count: panel.observations, order: order, gamma: 0.5)
    }

    func series(_ weights: [Double]) -> [Double] {
        var x = [Double](repeating: 0, count: panel.observations)
        for (asset, weight) in weights.enumerated() where weight != 0 {
            for (t, value) in panel.column(asset).enumerated() { x[t] += weight * value }
        }
        return x
    }

    /// How far the answer may be from the record: the oracle's own proofs are good to about 2e-8.
    var tolerance: Double {
        switch measure {
        case .evar, .rlvar, .edar, .rldar, .evarRange, .rlvarRange, .cvarRange, .tailGiniRange, .range: 1e-6
        default: record["certified_rel_gap"] == nil ? 1e-6 : 1e-7
        }
    }

    /// By how much the weights' value is worse than the record's, relative; negative is better.
    func shortfall(of weights: [Double]) throws -> Double {
        let best = try record.number("value")
        let own = value(at: weights)
        let sign = objective == .minimumRisk ? 1.0 : -1.0
        return sign * (own - best) / abs(best)
    }

    /// The largest violation of the record's own constraints.
    func violation(of weights: [Double]) throws -> Double {
        var worst = abs(weights.reduce(0, +) - 1)
        func atMost(_ value: Double, _ level: Double) { worst = max(worst, value - level) }
        let limits = record["constraints"]
        let lower = limits?["lower"]?.doubleValue ?? 0
        let upper = limits?["upper"]?.doubleValue ?? 1
        for weight in weights {
            atMost(lower, weight)
            atMost(weight, upper)
        }
        let x = series(weights)
        let mean = x.reduce(0, +) / Double(x.count)
        for level in [record["min_return"]?.doubleValue, limits?["min_return"]?.doubleValue].compactMap({ $0 }) {
            atMost(level, mean)
        }
        if let level = record["max_risk"]?.doubleValue { atMost(plain.value(measure, x), level) }
        guard let limits else { return worst }
        for group in limits["groups"]?.arrayValue ?? [] {
            let sum = try group.numbers("assets").reduce(0) { $0 + weights[Int($1)] }
            if let least = group["min"]?.doubleValue { atMost(least, sum) }
            if let most = group["max"]?.doubleValue { atMost(sum, most) }
        }
        for row in limits["linear"]?.arrayValue ?? [] {
            let sum = zip(try row.numbers("coef"), weights).reduce(0) { $0 + $1.0 * $1.1 }
            let level = try row.number("rhs")
            if try row.text("sense") == "<=" { atMost(sum, level) } else { atMost(level, sum) }
        }
        if let most = limits["sum_of_shorts_max"]?.doubleValue {
            atMost(weights.reduce(0) { $0 + max(-$1, 0) }, most)
        }
        if let most = limits["sum_of_longs_max"]?.doubleValue { atMost(weights.reduce(0) { $0 + max($1, 0) }, most) }
        if let benchmark = try? limits.numbers("benchmark") {
            let changes = zip(weights, benchmark).map { abs($0 - $1) }
            if let most = limits["max_abs_change_per_asset"]?.doubleValue {
                for change in changes { atMost(change, most) }
            }
            if let most = limits["max_sum_abs_change"]?.doubleValue { atMost(changes.reduce(0, +), most) }
            if let most = limits["max_tracking_error"]?.doubleValue {
                let squares = zip(x, series(benchmark)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                atMost((squares / Double(x.count - 1)).squareRoot(), most)
            }
        }
        if let least = limits["min_effective_assets"]?.doubleValue {
            atMost(weights.reduce(0) { $0 + $1 * $1 }, 1 / least)
        }
        for ceiling in limits["max_risk"]?.objectValue?.members ?? [] {
            let code = RiskMeasureCode(rawValue: ceiling.key == "std" ? "MV" : ceiling.key)
            guard let code, let level = ceiling.value.doubleValue else { throw Oracle.Failure.malformed("max_risk") }
            atMost(plain.value(code, x), level)
        }
        let held = weights.filter { $0 != 0 }
        if let most = limits["max_assets"]?.intValue, held.count > most { worst = .infinity }
        if let words = limits["each_weight"]?.stringValue?.split(separator: " ").last, let least = Double(words) {
            for weight in held { atMost(least, weight) }
        }
        return worst
    }

    /// Whether the objective can be judged from weights alone: not where the coefficients come from an optimisation of their own.
    private var isJudged: Bool { record["kind"]?.stringValue != "portfolio" || orderedWeights != nil }

    /// Runs the record and judges the answer.
    func run() throws {
        let request = try request()
        var found: OptimizationResult?
        if let problem = caught({ found = try PortfolioOptimization.run(request, panel: panel) }) {
            Issue.record("\(label): \(problem)")
        }
        guard let result = found else { return }
        let best = try record.number("value")
        let sign = objective == .minimumRisk ? 1.0 : -1
        let shortfall =
            isJudged
            ? try shortfall(of: result.weights) : sign * (result.solution.objectiveValue - best) / abs(best)
        #expect(shortfall <= tolerance, "\(label): worse by \(shortfall)")
        let allowed = tolerance + max(record["certified_rel_gap"]?.doubleValue ?? 0, 0)
        #expect(shortfall >= -allowed, "\(label): better by \(-shortfall), the certificate allows \(allowed)")
        let violation = try violation(of: result.weights)
        #expect(violation <= 1e-9, "\(label): a constraint is broken by \(violation)")
        let solution = result.solution
        // Of MSS and MSD the record's coefficients fall by its solver's tolerance in places; the answer has them raised, and says so.
        let isRaised = result.warnings.contains { $0.code == "owa_weights_raised" }
        let reported = isJudged && !isRaised ? abs(solution.objectiveValue - value(at: result.weights)) / abs(best) : 0
        #expect(reported <= 1e-7, "\(label): the objective_value differs from its definition by \(reported)")
        // The answer is right by here. What it proves of itself: the quadratic program's prices are exact; those of the structured one
        // have to reach what verification demands, and where rounding keeps them from it, that is a known issue, by name.
        let faults = Verification.faults(request, panel: panel, result: result)
        let isSearch = solution.method.hasPrefix("branch_and_bound")
        let isStructured =
            solution.method.hasSuffix("structured_interior_point") || solution.method.hasSuffix("cutting_planes")
        // A search stops at a difference that does not count any more.
        let isShort = solution.dualityGap > (isSearch ? 2e-7 : Verification.fullProof) || !faults.isEmpty
        if isStructured, isShort, solution.dualityGap <= 1e-6 {
            withKnownIssue("\(label): proven to \(solution.dualityGap)") { Issue.record("\(faults)") }
        } else {
            #expect(
                solution.dualityGap <= 1e-9 || isStructured || isSearch, "\(label): the gap is \(solution.dualityGap)")
            #expect(faults == [], "\(label)")
        }
    }
}
