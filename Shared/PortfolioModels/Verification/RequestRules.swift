import WireFormat

/// The request's constraints read a second time, straight from the decoded request: what verification holds answers to.
struct RequestRules {
    /// `low <= coefficients . w + hinge sum <= high` under the name that prices use.
    struct Rule {
        var name: String
        var coefficients: [Double]
        /// Adds `hingeWeight x sum max(reference - w, 0)`.
        var reference: [Double]?
        var hingeWeight = 0.0
        var low = -Double.infinity
        var high = Double.infinity

        func value(at w: [Double]) -> Double {
            var sum = 0.0
            for i in w.indices { sum += coefficients[i] * w[i] }
            if let reference {
                for i in w.indices where w[i] < reference[i] { sum += hingeWeight * (reference[i] - w[i]) }
            }
            return sum
        }

        /// The size of the terms that are added up, for rounding.
        func size(at w: [Double]) -> Double {
            var sum = 1e-300
            for i in w.indices {
                sum += (abs(coefficients[i]) + hingeWeight) * abs(w[i]) + hingeWeight * abs(reference?[i] ?? 0)
            }
            return sum
        }
    }

    let assets: [String]
    private(set) var rules: [Rule] = []
    /// Rules that may be broken at a price a unit.
    private(set) var soft: [(rule: Rule, weight: Double)] = []
    private(set) var low: [Double]
    private(set) var high: [Double]
    private let budget: ConstraintRequest.Budget

    /// - Parameters:
    ///   - mean: the model's expected returns; nil where they are the panel's means.
    ///   - exposures: the loadings behind `factor_exposure`.
    init(
        _ request: OptimizeRequest, panel: ReturnPanel, mean: [Double]? = nil, periodsPerYear: Double,
        exposures: [FactorExposure] = []
    ) {
        let assets = request.assets
        self.assets = assets
        let wanted = request.constraints
        budget = wanted.budget
        let isShort = (wanted.short ?? 0) > 0
        low = assets.map { asset in
            switch wanted.lowerBound {
            case .all(let value)?: value
            case .byAsset(let values)?: values.last { $0.asset == asset }?.value ?? 0
            case nil: isShort ? -(wanted.short ?? 0) : 0
            }
        }
        high = assets.map { asset in
            switch wanted.upperBound {
            case .all(let value)?: value
            case .byAsset(let values)?: values.last { $0.asset == asset }?.value ?? 1
            case nil: 1
            }
        }
        addBudget()
        addGroups(wanted)
        addLinear(wanted)
        addExposures(wanted)
        if let turnover = wanted.turnover {
            addTurnover(turnover, isEachSoft: wanted.penalty(of: "turnover.per_asset") != nil)
        }
        for exposure in exposures {
            for limit in wanted.factorExposure where limit.name == exposure.name {
                let name = "factor_exposure.\(exposure.name)"
                if let least = limit.min {
                    rules.append(Rule(name: name + ".min", coefficients: exposure.loadings, low: least))
                }
                if let most = limit.max {
                    rules.append(Rule(name: name + ".max", coefficients: exposure.loadings, high: most))
                }
            }
        }
        addCentrality(wanted, panel)
        if let least = wanted.minReturn { addLeastReturn(least, mean, panel, wanted.isAnnual ? periodsPerYear : 1) }
        soft = rules.compactMap { rule in wanted.penalty(of: rule.name).map { (rule, $0) } }
        rules.removeAll { wanted.penalty(of: $0.name) != nil }
    }

    /// What the weights pay for breaking soft rules.
    func penalty(at w: [Double]) -> Double {
        soft.reduce(0) { sum, item in
            let value = item.rule.value(at: w)
            return sum + item.weight * (max(value - item.rule.high, 0) + max(item.rule.low - value, 0))
        }
    }

    /// What rounding leaves of the penalty: at a level that is just kept a last digit of the weights costs its weight.
    func penaltyRounding(at w: [Double]) -> Double {
        soft.reduce(0) { $0 + $1.weight * 4 * Double.ulpOfOne * $1.rule.size(at: w) }
    }

    /// Looks at a part of the allowed weights only.
    mutating func narrow(to box: (lower: [Double], upper: [Double])?, _ cuts: [Rule]) {
        rules += cuts
        guard let box else { return }
        for i in low.indices {
            low[i] = max(low[i], box.lower[i])
            high[i] = min(high[i], box.upper[i])
        }
    }

    /// What the weights break, in words. Bounds hold to the letter, the budget to 1e-12, rows to 1e-9 of their terms.
    func violations(of w: [Double]) -> [String] {
        var faults: [String] = []
        for i in w.indices where w[i] < low[i] || w[i] > high[i] {
            faults.append("\(assets[i]) is at \(w[i]), outside [\(low[i]), \(high[i])]")
        }
        let total = w.reduce(0, +)
        let tolerance = 1e-12 * max(1, abs(budget.max))
        if total < budget.min - tolerance || total > budget.max + tolerance {
            faults.append("the weights add up to \(total), the budget is [\(budget.min), \(budget.max)]")
        }
        for rule in rules {
            let value = rule.value(at: w)
            // Weights carry rounding of size one, which coefficients pass on.
            let largest = rule.coefficients.reduce(0) { max($0, abs($1)) }
            let tolerance = 1e-9 * rule.size(at: w) + 1e-15 * largest
            if value < rule.low - tolerance || value > rule.high + tolerance {
                faults.append("\(rule.name) is at \(value), outside [\(rule.low), \(rule.high)]")
            }
        }
        return faults
    }

    private mutating func addBudget() {
        let ones = assets.map { _ in 1.0 }
        if budget.min == budget.max {
            rules.append(Rule(name: "budget", coefficients: ones, low: budget.min, high: budget.max))
        } else {
            rules.append(Rule(name: "budget.min", coefficients: ones, low: budget.min))
            rules.append(Rule(name: "budget.max", coefficients: ones, high: budget.max))
        }
    }

    private mutating func addGroups(_ wanted: ConstraintRequest) {
        for limit in wanted.groupLimits {
            let members = wanted.groups.first { $0.name == limit.group }?.assets ?? []
            let row = assets.map { members.contains($0) ? 1.0 : 0.0 }
            guard row.contains(1) else { continue }
            if let least = limit.min {
                rules.append(Rule(name: "group_constraints.\(limit.group).min", coefficients: row, low: least))
            }
            if let most = limit.max {
                rules.append(Rule(name: "group_constraints.\(limit.group).max", coefficients: row, high: most))
            }
        }
    }

    private mutating func addLinear(_ wanted: ConstraintRequest) {
        for (index, line) in wanted.linear.enumerated() {
            var row = assets.map { _ in 0.0 }
            for term in line.coefficients {
                let isAsset = assets.contains(term.asset)
                let members = isAsset ? [term.asset] : wanted.groups.first { $0.name == term.asset }?.assets ?? []
                for i in assets.indices where members.contains(assets[i]) { row[i] += term.value }
            }
            let name = "linear.\(line.name ?? String(index))"
            if let level = line.min, line.max == level {
                rules.append(Rule(name: name, coefficients: row, low: level, high: level))
            } else {
                if let least = line.min { rules.append(Rule(name: name + ".min", coefficients: row, low: least)) }
                if let most = line.max { rules.append(Rule(name: name + ".max", coefficients: row, high: most)) }
            }
        }
    }

    private mutating func addExposures(_ wanted: ConstraintRequest) {
        let zeros = assets.map { _ in 0.0 }
        if let most = wanted.short, most > 0 {
            rules.append(Rule(name: "short", coefficients: zeros, reference: zeros, hingeWeight: 1, high: most))
        }
        if let most = wanted.gross {
            let ones = assets.map { _ in 1.0 }
            rules.append(Rule(name: "gross", coefficients: ones, reference: zeros, hingeWeight: 2, high: most))
        }
    }

    private mutating func addTurnover(_ turnover: ConstraintRequest.Turnover, isEachSoft: Bool) {
        let held = assets.map { asset in turnover.from.last { $0.asset == asset }?.value ?? 0 }
        if let most = turnover.perAsset, isEachSoft {
            // Beyond the limits of all assets: sum max(c - m - w, 0) and sum max(w - c - m, 0).
            let (below, above) = (held.map { $0 - most }, held.map { $0 + most })
            let (zeros, ones) = (assets.map { _ in 0.0 }, assets.map { _ in 1.0 })
            let name = "turnover.per_asset"
            rules.append(Rule(name: name, coefficients: zeros, reference: below, hingeWeight: 1, high: 0))
            rules.append(
                Rule(name: name, coefficients: ones, reference: above, hingeWeight: 1, high: above.reduce(0, +)))
        } else if let most = turnover.perAsset {
            for i in assets.indices {
                low[i] = max(low[i], held[i] - most)
                high[i] = min(high[i], held[i] + most)
            }
        }
        if let most = turnover.total {
            // sum |w - c| = sum (w - c) + 2 sum max(c - w, 0)
            let ones = assets.map { _ in 1.0 }
            let start = held.reduce(0, +)
            rules.append(
                Rule(name: "turnover.total", coefficients: ones, reference: held, hingeWeight: 2, high: most + start))
        }
    }

    private mutating func addCentrality(_ wanted: ConstraintRequest, _ panel: ReturnPanel) {
        guard let limits = wanted.centrality,
            let row = try? CentralityLimits(request: wanted, panel: panel).coefficients()
        else { return }
        if let level = limits.min, limits.max == level {
            rules.append(Rule(name: "centrality", coefficients: row, low: level, high: level))
            return
        }
        if let level = limits.min { rules.append(Rule(name: "centrality.min", coefficients: row, low: level)) }
        if let level = limits.max { rules.append(Rule(name: "centrality.max", coefficients: row, high: level)) }
    }

    private mutating func addLeastReturn(
        _ level: Double, _ mean: [Double]?, _ panel: ReturnPanel, _ scale: Double
    ) {
        let row = assets.indices.map { asset -> Double in
            if let mean { return scale * mean[asset] }
            var sum = 0.0
            for value in panel.column(asset) { sum += value }
            return scale * sum / Double(panel.observations)
        }
        rules.append(Rule(name: "min_return", coefficients: row, low: level))
    }
}
