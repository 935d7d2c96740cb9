public import WireFormat

/// A limit that had to give, in the caller's name and figures.
public struct RelaxedLimit: Sendable, Equatable {
    public var constraint: String
    public var from: FixedDecimal
    public var to: FixedDecimal

    public init(constraint: String, from: FixedDecimal, to: FixedDecimal) {
        self.constraint = constraint
        self.from = from
        self.to = to
    }
}

extension TradeProblem {
    /// Sets a limit by its name; false for a name that is none.
    mutating func set(_ name: String, to value: FixedDecimal) -> Bool {
        let parts = name.split(separator: ".", maxSplits: 1).map { String($0) }
        switch (parts.first, parts.dropFirst().first) {
        case ("turnover", nil): limits.turnover = value
        case ("cash_floor", nil): limits.cashFloor = value
        case ("max_trades", nil): limits.maximumTrades = value.int
        case ("min_trade", nil): limits.minimumTrade = value
        case ("participation", _): limits.participation = max(limits.participation ?? 0, value)
        case ("upper_bound", let asset?):
            guard let index = assets.firstIndex(where: { $0.symbol == asset }) else { return false }
            assets[index].highestWeight = value
        case ("lower_bound", let asset?):
            guard let index = assets.firstIndex(where: { $0.symbol == asset }) else { return false }
            assets[index].lowestWeight = value
        case ("group_constraints", let rest?):
            let isMax = rest.hasSuffix(".max")
            guard isMax || rest.hasSuffix(".min"),
                let index = limits.groups.firstIndex(where: { $0.name == rest.dropLast(4) })
            else { return false }
            if isMax { limits.groups[index].highest = value } else { limits.groups[index].lowest = value }
        default: return false
        }
        return true
    }
}

/// Solves a trade problem, relaxing what has to give where nothing keeps to all limits.
struct RelaxingSolver {
    var problem: TradeProblem
    var relaxed: [RelaxedLimit] = []
    var solution: TradeSolution?

    /// Throws the conflict where limits may not be relaxed, or where relaxing does not help.
    init(_ original: TradeProblem, relaxes: Bool, effort: TradeSolver.Effort) throws(Problem) {
        problem = original
        let idle = PlanCosting(
            original, shares: original.assets.map { _ in 0 }, fromShort: original.assets.map { _ in 0 })
        let isIdleSound = idle.violations(original).isEmpty
        let feasibility = isIdleSound ? nil : Feasibility(original)
        if feasibility?.isFeasible ?? true {
            solution = try Self.solve(problem, effort)
            if solution != nil { return }
        }
        let view = feasibility ?? Feasibility(original)
        let gives = view.isFeasible ? [] : view.relaxation()
        guard relaxes, let gives else { throw Self.infeasible(view, gives ?? []) }
        for item in gives {
            let places = item.limit.rank == .cashFloor ? 2 : 6
            let moved = item.limit.value + item.limit.direction * item.gives
            let step = FixedDecimal(1) / [2: 100, 6: 1_000_000][places, default: 1]
            // Outwards to the next figure that can be read.
            var to = FixedDecimal(moved, places: places)
            if item.limit.direction < 0 ? to.double > moved : to.double < moved {
                to = item.limit.direction < 0 ? to - step : to + step
            }
            relax(item.limit.name, from: FixedDecimal(item.limit.value, places: 12), to: max(0, to))
        }
        solution = try Self.solve(problem, effort)
        if solution == nil { try relaxWholeNumbers(view, effort) }
        guard solution != nil else { throw Self.infeasible(view, gives) }
    }

    /// What the continuous view cannot see: whole lots, minimum trades, the number of trades.
    private mutating func relaxWholeNumbers(_ view: Feasibility, _ effort: TradeSolver.Effort) throws(Problem) {
        if let most = problem.limits.maximumTrades {
            for count in stride(from: most + 1, through: min(problem.assets.count, most + 64), by: 1) {
                problem.limits.maximumTrades = count
                solution = try Self.solve(problem, effort)
                if solution != nil { return relax("max_trades", from: FixedDecimal(most), to: FixedDecimal(count)) }
            }
            problem.limits.maximumTrades = problem.assets.count
        }
        if problem.limits.minimumTrade > 0 {
            let from = problem.limits.minimumTrade
            problem.limits.minimumTrade = 0
            solution = try Self.solve(problem, effort)
            if solution != nil { return relax("min_trade", from: from, to: 0) }
        }
        // One lot more than the limits leave, then two, ...: first of what gives already, then of everything.
        let names = Set(relaxed.map { $0.constraint })
        for onlyRelaxed in [true, false] where !onlyRelaxed || !names.isEmpty {
            for lots in [1.0, 2, 4, 8] {
                var wider = self
                for limit in view.limits where limit.rank != .cashFloor && (!onlyRelaxed || names.contains(limit.name))
                {
                    let largest = problem.assets.map { ($0.quote.price * problem.limits.lotSize).double }.max() ?? 0
                    let unit = limit.rank == .participation ? limit.value * 0.5 : largest / problem.value.double
                    let base = relaxed.first { $0.constraint == limit.name }?.to.double ?? limit.value
                    let to = FixedDecimal(base + (limit.direction < 0 ? -1 : 1) * lots * unit, places: 6)
                    wider.relax(limit.name, from: FixedDecimal(limit.value, places: 12), to: max(0, to))
                }
                guard let found = try Self.solve(wider.problem, effort) else { continue }
                // Only what the trades really use is a relaxation.
                let costing = ReallocationPlanner.costing(wider.problem, found)
                let broken = costing.violations(problem)
                let used = Set(broken.compactMap { text in view.limits.first { Self.names($0.name, text) }?.name })
                wider.relaxed.removeAll { !names.contains($0.constraint) && !used.contains($0.constraint) }
                self = wider
                solution = found
                return
            }
        }
    }

    /// Whether a sentence of `PlanCosting.violations` is about a limit.
    private static func names(_ limit: String, _ sentence: String) -> Bool {
        let parts = limit.split(separator: ".").map { String($0) }
        switch parts.first {
        case "group_constraints":
            return sentence.hasPrefix("group \(parts.dropFirst().dropLast().joined(separator: "."))")
        case "upper_bound", "lower_bound", "participation":
            return sentence.hasPrefix("\(parts[0]) of \(parts.dropFirst().joined(separator: "."))")
        default: return sentence.hasPrefix(limit)
        }
    }

    private mutating func relax(_ name: String, from: FixedDecimal, to: FixedDecimal) {
        guard problem.set(name, to: to) else { return }
        if let known = relaxed.firstIndex(where: { $0.constraint == name }) {
            relaxed[known].to = to
        } else {
            relaxed.append(RelaxedLimit(constraint: name, from: from, to: to))
        }
    }

    static func solve(_ problem: TradeProblem, _ effort: TradeSolver.Effort) throws(Problem) -> TradeSolution? {
        do throws(TradeProblemError) {
            return try TradeSolver.solve(problem, effort: effort)
        } catch {
            switch error {
            case .covarianceNotSemidefinite:
                throw Problem(
                    JSONPointer(["covariance"]), .outOfRange,
                    "The covariance has a negative eigenvalue; a covariance has none.")
            default: throw Problem(.invalidValue, "The trade problem cannot be computed: \(error).")
            }
        }
    }

    /// The refusal: which limits contradict each other, with the numbers, and what would have to give.
    private static func infeasible(_ view: Feasibility, _ gives: [(limit: Feasibility.Limit, gives: Double)]) -> Problem
    {
        let conflict = view.isFeasible ? [] : view.conflict()
        let words = conflict.map { limit in
            let slack = limit.bound
            return slack < 0
                ? "\(limit.name) = \(short(limit.value)) needs a move of \(short(-slack)) of the value"
                : "\(limit.name) = \(short(limit.value)) leaves room for \(short(slack))"
        }
        let detail =
            conflict.isEmpty
            ? "No trades in whole lots keep to all limits; the limits together leave no room for one lot."
            : "These limits cannot all hold: " + words.joined(separator: "; ") + "."
        return Problem(
            .infeasible, detail, conflict: conflict.map { $0.name },
            relaxation: gives.map {
                Problem.Relaxation(
                    constraint: $0.limit.name, from: $0.limit.value, to: $0.limit.value + $0.limit.direction * $0.gives)
            })
    }

    private static func short(_ value: Double) -> String { FixedDecimal(value, places: 4).description }
}
