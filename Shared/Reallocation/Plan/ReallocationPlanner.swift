public import ConvexSolver
public import WireFormat

/// From a request to a plan: compare, decide, solve, relax, weigh cost against benefit, order the trades, count everything again.
public enum ReallocationPlanner {
    private static let mostRounds = 12

    /// The plan. Pure: the same request gives the same plan.
    ///
    /// Throws where the request cannot be computed with, where limits contradict each other and may not be relaxed, and where
    /// the trades found do not pass the check in decimals.
    public static func plan(
        _ request: RebalanceRequest, deadline: SolverDeadline = .none
    ) throws(Problem) -> ReallocationPlan {
        let inputs = try PlanInputs(request)
        let idle = costing(inputs.problem, nil)
        let rules = inputs.trigger.evaluate(
            inputs.drift, trackingError: idle.trackingError, cash: RebalanceRequest.cashName,
            daysSinceLast: request.settings.thresholds?.lastRebalanced.map {
                request.asOf.daysSinceEpoch - $0.daysSinceEpoch
            },
            isTargetChanged: request.settings.thresholds?.targetChanged ?? false,
            leavesRegion: inputs.leavesRegion)
        let isNeeded = inputs.trigger.isEmpty && rules.isEmpty || rules.contains { $0.fired }
        var draft = Draft(inputs: inputs, rules: rules, isNeeded: isNeeded, idle: idle)
        guard isNeeded else { return draft.finished(.notNeeded) }
        let effort = TradeSolver.Effort(deadline: deadline)
        let solved = try RelaxingSolver(inputs.problem, relaxes: request.settings.relaxes, effort: effort)
        draft.take(solved, weight: 1)
        try draft.check()
        guard !draft.chosen.trades.isEmpty else { return draft.finished(.notNeeded) }
        let isAccepted = try passGate(&draft, solved, effort)
        try draft.addAlternatives(effort)
        return draft.finished(
            isAccepted ? (draft.chosen.trades.isEmpty ? .notNeeded : .awaitingConfirm) : .rejectedByCost)
    }

    static func costing(_ problem: TradeProblem, _ solution: TradeSolution?) -> PlanCosting {
        if let solution { return PlanCosting(problem.locking(solution), solution) }
        let none = problem.assets.map { _ in FixedDecimal.zero }
        return PlanCosting(problem, shares: none, fromShort: none)
    }

    /// Raises the weight of costs until the plan passes the gate. True where it does, false where nothing but doing nothing would.
    private static func passGate(
        _ draft: inout Draft, _ solved: RelaxingSolver, _ effort: TradeSolver.Effort
    ) throws(Problem) -> Bool {
        guard let gate = draft.inputs.request.settings.costGate else { return true }
        var weight = 1.0
        for _ in 0..<mostRounds where !draft.passes(gate) {
            weight *= 2
            var problem = solved.problem
            // Costs twice as heavy are a benefit half as heavy.
            problem.riskAversion /= weight
            for index in problem.assets.indices { problem.assets[index].expectedReturn /= weight }
            guard var next = try? RelaxingSolver(problem, relaxes: false, effort: effort) else { break }
            next.problem = solved.problem
            next.relaxed = solved.relaxed
            draft.take(next, weight: weight)
            try draft.check()
            if draft.chosen.trades.isEmpty { break }
        }
        if draft.passes(gate), !draft.chosen.trades.isEmpty { return true }
        if draft.isIdleSound {
            draft.dropTrades()
            draft.inputs.warnings.append(
                PortfolioWarning(
                    code: "cost_gate", pointer: JSONPointer(["settings", "cost_gate"]),
                    detail: "No trades pass the cost gate; doing nothing is the plan."))
            return false
        }
        draft.inputs.warnings.append(
            PortfolioWarning(
                code: "cost_gate", pointer: JSONPointer(["settings", "cost_gate"]),
                detail:
                    "The holdings break a limit and no trades that mend it pass the cost gate: the cheapest found are shown."
            ))
        return true
    }
}

/// A plan in the making.
struct Draft {
    var inputs: PlanInputs
    var rules: [(rule: RebalanceTrigger.Rule, fired: Bool)]
    var isNeeded: Bool
    var idle: PlanCosting
    var chosen: PlanCosting
    var problem: TradeProblem
    var relaxed: [RelaxedLimit] = []
    var lowerBound: Double
    var weight = 1.0
    var alternatives: [ReallocationPlan.Alternative] = []

    init(inputs: PlanInputs, rules: [(rule: RebalanceTrigger.Rule, fired: Bool)], isNeeded: Bool, idle: PlanCosting) {
        self.inputs = inputs
        self.rules = rules
        self.isNeeded = isNeeded
        self.idle = idle
        chosen = idle
        problem = inputs.problem
        lowerBound = idle.objective
    }

    var isIdleSound: Bool { idle.violations(problem).isEmpty }

    /// Trades of a solution; of two that are equally good the idle one is chosen.
    mutating func take(_ solved: RelaxingSolver, weight: Double) {
        problem = solved.problem
        relaxed = solved.relaxed
        self.weight = weight
        let found = ReallocationPlanner.costing(problem, solved.solution)
        let isIdleBest = isIdleSound && weight == 1 && idle.objective <= found.objective + 1e-9
        chosen = isIdleBest ? idle : found
        // With heavier costs the bound is one of another objective; the plan's own stays.
        if weight == 1 { lowerBound = min(solved.solution?.lowerBound ?? found.objective, chosen.objective) }
    }

    mutating func dropTrades() { chosen = idle }

    /// Counts every limit again. A plan that breaks one never leaves.
    func check() throws(Problem) {
        let broken = chosen.violations(problem)
        guard let first = broken.first else { return }
        throw Problem(.unverified, "The trades found break a limit when counted in decimals: \(first).")
    }

    var benefit: Double { idle.risk - chosen.risk }
    var cost: Double { chosen.costs.spent.double + (chosen.tax - chosen.carryValue).double }

    func passes(_ gate: RebalanceSettings.CostGate) -> Bool {
        if let most = gate.benefitFraction, cost > most.double * benefit { return false }
        if let most = gate.maxCost, chosen.costs.spent > most { return false }
        if let most = gate.maxCostBPS, chosen.costs.spent * 10_000 > most * problem.value { return false }
        return true
    }

    /// Plans with fewer trades: what one more trade buys.
    mutating func addAlternatives(_ effort: TradeSolver.Effort) throws(Problem) {
        func point(_ costing: PlanCosting) -> ReallocationPlan.Alternative {
            ReallocationPlan.Alternative(
                trades: costing.trades.count, objective: costing.objective, cost: costing.costs.spent,
                trackingError: costing.trackingError)
        }
        var points = isIdleSound ? [point(idle)] : []
        let count = chosen.trades.count
        let isWanted = inputs.request.settings.alternatives ?? (problem.assets.count <= 40)
        if isWanted {
            for most in [1, 2, 3, 5, 8, 13, 21] where most < count {
                var fewer = problem
                fewer.limits.maximumTrades = most
                var quick = effort
                quick.nodes = 200
                guard let solution = try RelaxingSolver.solve(fewer, quick) else { continue }
                let costing = ReallocationPlanner.costing(fewer, solution)
                if costing.violations(fewer).isEmpty, costing.trades.count > (points.last?.trades ?? -1) {
                    points.append(point(costing))
                }
            }
        }
        if count > 0 { points.append(point(chosen)) }
        alternatives = points
    }

    func finished(_ state: ReallocationPlan.State) -> ReallocationPlan {
        let order = LegOrder(problem, chosen)
        var legs: [ReallocationPlan.Leg] = []
        for (place, index) in order.order.enumerated() {
            let trade = chosen.trades[index]
            let asset = problem.assets[trade.asset]
            legs.append(
                ReallocationPlan.Leg(
                    asset: asset.symbol, isSale: trade.shares < 0, quantity: trade.shares.magnitude,
                    price: asset.quote.price,
                    limitPrice: Self.limit(asset.quote, trade), lots: trade.lots, cost: trade.cost, tax: trade.tax,
                    order: place + 1, trackingErrorAfter: order.trackingErrors[place], cashAfter: order.cash[place],
                    schedule: inputs.request.settings.schedule.flatMap {
                        LegSchedule(trade.shares, asset.quote, lotSize: problem.limits.lotSize, $0)
                    }, route: asset.quote.route(trade.shares)))
        }
        var warnings = inputs.warnings
        if inputs.request.settings.schedule != nil {
            for leg in legs where leg.schedule == nil {
                warnings.append(
                    PortfolioWarning(
                        code: "schedule_missing", pointer: JSONPointer(["prices", leg.asset]),
                        detail:
                            "\(Problem.echo(leg.asset)) has no schedule: it takes a half spread, a daily volume, a volatility, and intervals short enough for the permanent impact."
                    ))
            }
        }
        let names = problem.assets.map { $0.symbol } + [RebalanceRequest.cashName]
        func weights(_ costing: PlanCosting) -> [(asset: String, weight: FixedDecimal)] {
            // Of the value that is left, so that they add up to one.
            let values = zip(problem.assets, costing.weights).map { $1 * problem.value }
            let total = values.reduce(costing.cashAfter, +)
            return Array(zip(names, (values + [costing.cashAfter]).map { total > 0 ? $0 / total : 0 })).map {
                (asset: $0.0, weight: $0.1)
            }
        }
        let tax = problem.tax
        return ReallocationPlan(
            state: state, currency: inputs.request.currency, asOf: inputs.request.asOf, drift: inputs.drift,
            rules: rules,
            isNeeded: isNeeded, legs: legs, cashBefore: problem.cash, cashAfter: chosen.cashAfter,
            weightsBefore: weights(idle),
            weightsAfter: weights(chosen),
            target: problem.assets.map { ($0.symbol, $0.target) } + [
                (RebalanceRequest.cashName, inputs.request.cashTarget)
            ],
            trackingErrorBefore: idle.trackingError, trackingErrorAfter: chosen.trackingError, costs: chosen.costs,
            gainShort: chosen.gainShort, gainLong: chosen.gainLong, tax: chosen.tax, carryValue: chosen.carryValue,
            year: tax.mode == .nettedYear
                ? (tax.year(addingShort: 0, long: 0), tax.year(addingShort: chosen.gainShort, long: chosen.gainLong))
                : nil,
            benefit: benefit, cost: cost, costWeight: weight, objective: chosen.objective,
            idleObjective: idle.objective,
            lowerBound: min(lowerBound, chosen.objective), gap: gap, relaxed: relaxed, alternatives: alternatives,
            washBlocks: inputs.washBlocks + newBlocks,
            harvest: inputs.request.settings.harvest.map {
                var wanted = HarvestSettings($0)
                wanted.identical = inputs.request.settings.identical.map { Set($0) }
                return Harvest.candidates(inputs.problem, wanted)
            },
            lookAhead: inputs.lookAhead, impactCoefficient: inputs.request.settings.costs.impactCoefficient,
            calibration: inputs.request.settings.costs.calibration, warnings: warnings)
    }

    private var gap: Double {
        let distance = chosen.objective - lowerBound
        return distance <= 1e-6 ? 0 : distance / max(chosen.objective.magnitude, 1e-9)
    }

    /// Assets sold at a loss by this plan, with the first day on which a purchase does no harm.
    private var newBlocks: [(asset: String, until: CalendarDate)] {
        guard let rule = problem.tax.washSale, let free = rule.firstFreeDay(after: problem.date) else { return [] }
        let lost = Set(chosen.trades.filter { $0.lots.contains { $0.gain < 0 } }.map { $0.asset })
        let same = problem.identical.filter { $0.contains { lost.contains($0) } }.joined()
        return lost.union(same).sorted().map { (problem.assets[$0].symbol, free) }
    }

    /// Mid price with half the spread and the impact of the whole order, rounded to the order's disadvantage to a tick.
    private static func limit(_ quote: MarketQuote, _ trade: PlanCosting.Trade) -> FixedDecimal {
        let edge = quote.halfSpread + trade.cost.impact / trade.shares.magnitude
        let tick = quote.price >= 1 ? FixedDecimal(1) / 100 : FixedDecimal(1) / 10_000
        let price = trade.shares > 0 ? quote.price + edge : quote.price - edge
        let down = price.roundedDown(to: tick)
        return trade.shares > 0 && down < price ? down + tick : max(down, tick)
    }
}
