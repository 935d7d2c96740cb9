import LinearAlgebra
import WireFormat

/// All constraints of a request on the weights of its assets, by name.
struct ConstraintSet: Sendable {
    private(set) var assets: [String]
    /// Those that every portfolio keeps.
    private(set) var constraints: [NamedConstraint] = []
    /// Those that may be broken at a price.
    private(set) var soft: [SoftConstraint] = []
    private(set) var warnings: [PortfolioWarning] = []
    /// The tightest bounds of each asset.
    private(set) var lower: [Double]
    private(set) var upper: [Double]
    /// Whether a set without a point is explained; a search that tries many sets only has to know.
    var isExplained = true

    /// Lowest and highest sum of the weights.
    let budget: ConstraintRequest.Budget

    fileprivate static let root = JSONPointer(["constraints"])

    /// Those that are no linear rows or hinges.
    var convex: [(index: Int, limit: ConvexLimit)] {
        constraints.enumerated().compactMap { index, constraint in
            guard case .convex(let limit) = constraint.kind else { return nil }
            return (index, limit)
        }
    }

    /// The name of a constraint by its place in `constraints` and, after those, in `soft`.
    func name(at index: Int) -> String {
        index < constraints.count ? constraints[index].name : soft[index - constraints.count].constraint.name
    }

    /// Names and compiles the request's constraints.
    /// - Parameters:
    ///   - mean: mean returns per period, for `min_return`.
    ///   - periodsPerYear: turns annual levels into ones per period.
    ///   - panel: the returns of the assets.
    ///   - scenarios: the returns that limits of risk are about, where they are not the assets' own.
    ///   - probabilities: of the periods, where they are not equally likely.
    ///   - parameters: of the risk measures.
    ///   - exposures: the loadings behind `factor_exposure`.
    init(
        request: OptimizeRequest, mean: [Double], periodsPerYear: Double, panel: ReturnPanel? = nil,
        parameters: RiskParameters = RiskParameters(), covariance: Matrix? = nil, exposures: [FactorExposure] = [],
        scenarios: ReturnPanel? = nil, probabilities: [Double]? = nil
    ) throws(Problem) {
        assets = request.assets
        let wanted = request.constraints
        budget = wanted.budget
        let builder = Builder(
            assets: request.assets, request: wanted, mean: mean, periodsPerYear: periodsPerYear, exposures: exposures)
        (constraints, warnings) = builder.build()
        if let panel {
            constraints += try ConvexLimits(
                request: wanted, panel: scenarios ?? panel, parameters: parameters, covariance: covariance,
                periodsPerYear: periodsPerYear, probabilities: probabilities
            ).named()
            constraints += try CentralityLimits(request: wanted, panel: panel).named()
        }
        if let fault = wanted.unknownSoft(constraints.map { $0.name }) {
            throw Problem(violations: [fault]) ?? Problem(.internalError, fault.detail)
        }
        soft = constraints.flatMap { constraint in
            wanted.penalty(of: constraint.name).map { SoftConstraint.parts(constraint, weight: $0) } ?? []
        }
        constraints.removeAll { wanted.penalty(of: $0.name) != nil }
        var lower = [Double](repeating: -.infinity, count: assets.count)
        var upper = [Double](repeating: .infinity, count: assets.count)
        for constraint in constraints {
            guard case .bounds(let low, let high) = constraint.kind else { continue }
            for i in assets.indices {
                lower[i] = max(lower[i], low[i])
                upper[i] = min(upper[i], high[i])
            }
        }
        self.lower = lower
        self.upper = upper
    }

    /// Adds a required return as a last constraint.
    mutating func require(_ mean: [Double], atLeast level: Double) {
        constraints.append(
            NamedConstraint(
                name: "required_return", pointer: Self.root, kind: .atLeast(mean), level: level, isStructural: true))
    }

    /// Adds `coefficients'w <= level` as a last constraint.
    mutating func limit(_ coefficients: [Double], atMost level: Double, name: String) {
        constraints.append(
            NamedConstraint(
                name: name, pointer: Self.root.appending(name), kind: .atMost(coefficients), level: level,
                isStructural: true))
    }

    /// Adds constraints.
    mutating func add(_ more: [NamedConstraint]) { constraints += more }

    /// Adds constraints that may be broken at a price.
    mutating func add(_ more: [SoftConstraint]) { soft += more }

    /// The set in narrower bounds.
    func narrowed(to box: (lower: [Double], upper: [Double])) -> ConstraintSet {
        var part = self
        part.lower = zip(lower, box.lower).map { max($0, $1) }
        part.upper = zip(upper, box.upper).map { min($0, $1) }
        return part
    }

    /// The set on some of its assets, in narrower bounds, the others being at zero. Its constraints keep their places.
    ///
    /// - Parameters:
    ///   - kept: indices, ascending; of the others nothing but zero weights may be meant: see `needed`.
    ///   - portfolioReturns: of weights of all assets, for a benchmark that holds what is left out.
    func restricted(
        to kept: [Int], lower: [Double], upper: [Double], portfolioReturns: ([Double]) -> [Double]
    ) -> ConstraintSet {
        var part = self
        part.isExplained = false
        part.assets = kept.map { assets[$0] }
        part.lower = kept.map { lower[$0] }
        part.upper = kept.map { upper[$0] }
        part.constraints = constraints.map { $0.restricted(to: kept, of: assets.count, portfolioReturns) }
        part.soft = soft.map {
            SoftConstraint(
                constraint: $0.constraint.restricted(to: kept, of: assets.count, portfolioReturns), weight: $0.weight)
        }
        return part
    }

    /// Assets whose weight of zero is not nothing: that have been held, or have to be.
    var needed: [Bool] {
        var needed = assets.indices.map { lower[$0] > 0 || upper[$0] < 0 }
        for constraint in constraints + soft.map({ $0.constraint }) {
            guard case .hinge(let hinge) = constraint.kind else { continue }
            for i in needed.indices where hinge.reference[i] != 0 { needed[i] = true }
        }
        return needed
    }

    /// The largest violation at the weights, relative to its level.
    func residual(at weights: [Double]) -> Double {
        constraints.reduce(0) { max($0, -$1.slack(at: weights) / $1.size(at: weights)) }
    }

    /// The same of rows and hinges alone.
    func linearResidual(at weights: [Double]) -> Double {
        constraints.reduce(0) { largest, constraint in
            if case .convex = constraint.kind { return largest }
            return max(largest, -constraint.slack(at: weights) / constraint.size(at: weights))
        }
    }

    /// The lower limit of the same row at the same level as an upper one; nil where there is none.
    func least(equalTo most: Int) -> Int? {
        guard case .atMost(let a) = constraints[most].kind else { return nil }
        return constraints.firstIndex { other in
            if case .atLeast(let b) = other.kind { other.level == constraints[most].level && a == b } else { false }
        }
    }

    /// The first upper limit of the same row at the same level as a lower one; nil where there is none.
    func most(equalTo least: Int) -> Int? {
        guard case .atLeast(let a) = constraints[least].kind else { return nil }
        return constraints.firstIndex { other in
            if case .atMost(let b) = other.kind { other.level == constraints[least].level && a == b } else { false }
        }
    }

    /// Makes soft limits of convex functions hard ones; false where there are none.
    /// - Parameter margins: by soft constraint, how much tighter, in the caller's units.
    mutating func hardenConvex(by margins: [Double]) -> Bool {
        let before = constraints.count
        for (item, margin) in zip(soft, margins) {
            if let limit = item.constraint.tightened(by: margin) { constraints.append(limit) }
        }
        soft.removeAll { if case .convex = $0.constraint.kind { true } else { false } }
        return constraints.count > before
    }

    /// Leaves the limits of convex functions out.
    mutating func removeConvex() {
        constraints.removeAll { if case .convex = $0.kind { true } else { false } }
    }

    /// Leaves all others out.
    mutating func keep(_ indices: [Int]) { constraints = indices.map { constraints[$0] } }

    /// The set less one constraint.
    func without(_ name: String) -> ConstraintSet {
        var rest = self
        rest.constraints.removeAll { $0.name == name }
        return rest
    }

    /// Turns the decoded members into named constraints, in the order of API.md.
    private struct Builder {
        let assets: [String]
        let request: ConstraintRequest
        let mean: [Double]
        let periodsPerYear: Double
        let exposures: [FactorExposure]

        func build() -> ([NamedConstraint], [PortfolioWarning]) {
            var warnings: [PortfolioWarning] = []
            let all =
                budgets() + bounds() + groups(&warnings) + linear(&warnings) + amounts() + turnover()
                + minimumReturn() + factors()
            return (all, warnings)
        }

        private var none: [Double] { [Double](repeating: -.infinity, count: assets.count) }
        private var free: [Double] { [Double](repeating: .infinity, count: assets.count) }
        private var ones: [Double] { [Double](repeating: 1, count: assets.count) }

        private func place(_ tokens: String...) -> JSONPointer { JSONPointer(root.tokens + tokens) }

        private func budgets() -> [NamedConstraint] {
            let (low, high) = (request.budget.min, request.budget.max)
            if low == high {
                return [
                    NamedConstraint(
                        name: "budget", pointer: place("budget"), kind: .equal(ones), level: low, isStructural: true)
                ]
            }
            return [
                NamedConstraint(
                    name: "budget.min", pointer: place("budget", "min"), kind: .atLeast(ones), level: low,
                    isStructural: true),
                NamedConstraint(
                    name: "budget.max", pointer: place("budget", "max"), kind: .atMost(ones), level: high,
                    isStructural: true),
            ]
        }

        private func bounds() -> [NamedConstraint] {
            side(request.lowerBound, "lower_bound", { request.lower(of: $0) }) { .bounds(lower: $0, upper: free) }
                + side(request.upperBound, "upper_bound", { request.upper(of: $0) }) { .bounds(lower: none, upper: $0) }
        }

        /// One constraint for the assets that share a number, one for each asset that has its own.
        private func side(
            _ bound: ConstraintRequest.Bound?, _ name: String, _ level: (String) -> Double,
            _ kind: ([Double]) -> NamedConstraint.Kind
        ) -> [NamedConstraint] {
            let absent = name == "lower_bound" ? -Double.infinity : .infinity
            guard case .byAsset(let values)? = bound else {
                let common = assets.first.map(level) ?? 0
                return [
                    NamedConstraint(
                        name: name, pointer: place(name), kind: kind(assets.map(level)), level: common,
                        isStructural: bound == nil)
                ]
            }
            let own = Set(values.map { $0.asset })
            var result: [NamedConstraint] = []
            let rest = assets.filter { !own.contains($0) }
            if let first = rest.first {
                let shared = assets.map { own.contains($0) ? absent : level($0) }
                result.append(
                    NamedConstraint(
                        name: name, pointer: place(name), kind: kind(shared), level: level(first), isStructural: true))
            }
            for (index, asset) in assets.enumerated() where own.contains(asset) {
                var single = [Double](repeating: absent, count: assets.count)
                single[index] = level(asset)
                result.append(
                    NamedConstraint(
                        name: "\(name).\(asset)", pointer: place(name, asset), kind: kind(single), level: level(asset),
                        isStructural: false))
            }
            return result
        }

        private func groups(_ warnings: inout [PortfolioWarning]) -> [NamedConstraint] {
            var result: [NamedConstraint] = []
            for limit in request.groupLimits {
                guard limit.min != nil || limit.max != nil else { continue }
                guard let row = members(of: limit.group, &warnings) else { continue }
                for (side, level) in [("min", limit.min), ("max", limit.max)] {
                    guard let level else { continue }
                    result.append(
                        NamedConstraint(
                            name: "group_constraints.\(limit.group).\(side)",
                            pointer: place("group_constraints", limit.group, side),
                            kind: side == "min" ? .atLeast(row) : .atMost(row), level: level, isStructural: false))
                }
            }
            return result
        }

        /// The group's row of ones, cut to the assets; nil with a warning where nothing is left of it.
        private func members(of group: String, _ warnings: inout [PortfolioWarning]) -> [Double]? {
            let named = request.groups.first { $0.name == group }?.assets ?? []
            let kept = Set(request.members(of: group, among: assets))
            let lost = named.filter { !kept.contains($0) }
            let names =
                lost.prefix(5).map { Problem.echo($0) }.joined(separator: ", ") + (lost.count > 5 ? ", ..." : "")
            let code = kept.isEmpty ? "group_not_applied" : "group_cut"
            if kept.isEmpty {
                let who = named.isEmpty ? "It has no members." : "None of its members (\(names)) is among the assets."
                let text = "The group \(Problem.echo(group)) is not applied. \(who)"
                warnings.append(PortfolioWarning(code: code, pointer: place("groups", group), detail: text))
                return nil
            }
            if !lost.isEmpty, !warnings.contains(where: { $0.pointer == place("groups", group) }) {
                let text = "The group \(Problem.echo(group)) is applied without \(names), not among the assets."
                warnings.append(PortfolioWarning(code: code, pointer: place("groups", group), detail: text))
            }
            return assets.map { kept.contains($0) ? 1 : 0 }
        }

        private func linear(_ warnings: inout [PortfolioWarning]) -> [NamedConstraint] {
            var result: [NamedConstraint] = []
            for (index, row) in request.linear.enumerated() {
                var coefficients = [Double](repeating: 0, count: assets.count)
                for term in row.coefficients {
                    if let asset = assets.firstIndex(of: term.asset) {
                        coefficients[asset] += term.value
                    } else if let members = members(of: term.asset, &warnings) {
                        for i in assets.indices { coefficients[i] += term.value * members[i] }
                    }
                }
                let name = "linear.\(row.name ?? String(index))"
                let pointer = place("linear", String(index))
                if let level = row.min, row.min == row.max {
                    result.append(
                        NamedConstraint(
                            name: name, pointer: pointer, kind: .equal(coefficients), level: level, isStructural: false)
                    )
                    continue
                }
                if let level = row.min {
                    result.append(
                        NamedConstraint(
                            name: "\(name).min", pointer: pointer, kind: .atLeast(coefficients), level: level,
                            isStructural: false))
                }
                if let level = row.max {
                    result.append(
                        NamedConstraint(
                            name: "\(name).max", pointer: pointer, kind: .atMost(coefficients), level: level,
                            isStructural: false))
                }
            }
            return result
        }

        private func amounts() -> [NamedConstraint] {
            let zeros = [Double](repeating: 0, count: assets.count)
            var result: [NamedConstraint] = []
            if let short = request.short, short > 0 {
                let hinge = NamedConstraint.Hinge(reference: zeros, linear: 0, weight: 1)
                result.append(
                    NamedConstraint(
                        name: "short", pointer: place("short"), kind: .hinge(hinge), level: short, isStructural: false))
            }
            if let gross = request.gross {
                let hinge = NamedConstraint.Hinge(reference: zeros, linear: 1, weight: 2)
                result.append(
                    NamedConstraint(
                        name: "gross", pointer: place("gross"), kind: .hinge(hinge), level: gross, isStructural: false))
            }
            return result
        }

        private func turnover() -> [NamedConstraint] {
            guard let turnover = request.turnover else { return [] }
            let held = Dictionary(turnover.from.map { ($0.asset, $0.value) }, uniquingKeysWith: { $1 })
            let reference = assets.map { held[$0] ?? 0 }
            var result: [NamedConstraint] = []
            if let most = turnover.perAsset {
                result.append(
                    NamedConstraint(
                        name: "turnover.per_asset", pointer: place("turnover", "per_asset"),
                        kind: .bounds(lower: reference.map { $0 - most }, upper: reference.map { $0 + most }),
                        level: most,
                        isStructural: false))
            }
            if let most = turnover.total {
                let hinge = NamedConstraint.Hinge(reference: reference, linear: 1, weight: 2)
                result.append(
                    NamedConstraint(
                        name: "turnover.total", pointer: place("turnover", "total"), kind: .hinge(hinge), level: most,
                        isStructural: false))
            }
            return result
        }

        private func factors() -> [NamedConstraint] {
            exposures.flatMap { exposure -> [NamedConstraint] in
                guard let limit = request.factorExposure.first(where: { $0.name == exposure.name }) else { return [] }
                return [("min", limit.min), ("max", limit.max)].compactMap { side, level in
                    guard let level else { return nil }
                    return NamedConstraint(
                        name: "factor_exposure.\(exposure.name).\(side)",
                        pointer: place("factor_exposure", exposure.name, side),
                        kind: side == "min" ? .atLeast(exposure.loadings) : .atMost(exposure.loadings), level: level,
                        isStructural: false)
                }
            }
        }

        private func minimumReturn() -> [NamedConstraint] {
            guard let least = request.minReturn else { return [] }
            let scale = request.isAnnual ? periodsPerYear : 1
            return [
                NamedConstraint(
                    name: "min_return", pointer: place("min_return"), kind: .atLeast(mean.map { $0 * scale }),
                    level: least,
                    isStructural: false)
            ]
        }
    }
}
