import WireFormat

/// Assets that the law takes for the same: a loss on one is disallowed by a purchase of another, so a plan makes one or the other.
///
/// Either nothing of a family is bought or none of its lots is sold at a loss. Where the best trades do both, the two problems that leave one
/// of them out are solved, and the better one is the answer: together they hold every allowed set of trades, so the smaller
/// of their bounds is one of the whole. Source: IRC 1091(a), "substantially identical"; Land and Doig (1960) for the disjunction.
extension TradeProblem {
    /// Families with a purchase and a sale at a loss among some trades.
    func clashes(_ costing: PlanCosting) -> [[Int]] {
        guard tax.mode != .none, tax.washSale != nil else { return [] }
        let bought = Set(costing.trades.filter { $0.shares > 0 }.map { $0.asset })
        let lost = Set(costing.trades.filter { $0.lots.contains { $0.gain < 0 } }.map { $0.asset })
        return identical.filter { family in
            family.contains { bought.contains($0) } && family.contains { lost.contains($0) }
        }
    }

    /// The same problem in which nothing of a family is bought.
    func withoutPurchases(of family: [Int]) -> TradeProblem {
        var other = self
        for index in family { other.assets[index].canBuy = false }
        return other
    }

    /// The same problem in which no lot of a family is sold at a loss.
    func withoutLosses(in family: [Int]) -> TradeProblem {
        var other = self
        for index in family { other.lockLosses(of: index) }
        return other
    }

    /// The problem as a solution leaves it: with the lots locked that it leaves alone.
    func locking(_ solution: TradeSolution) -> TradeProblem {
        let locks = solution.lockedLots
        guard locks.count == assets.count else { return self }
        var other = self
        for (index, lots) in locks.enumerated() { other.assets[index].lockedLots = lots }
        return other
    }

    /// Locks the lots of an asset that stand at a loss.
    mutating func lockLosses(of index: Int) {
        let net = netPrice(assets[index].quote)
        assets[index].lockedLots.formUnion(assets[index].lots.filter { net < $0.basisPerShare }.map { $0.id })
    }

    /// An asset and those that are connected with it by sets of identical assets, ascending.
    func family(of index: Int) -> [Int] {
        var family: Set<Int> = [index]
        while true {
            let wider = identical.filter { !family.isDisjoint(with: $0) }.reduce(into: family) { $0.formUnion($1) }
            if wider == family { return family.sorted() }
            family = wider
        }
    }

    /// The same problem in which recent purchases of identical assets stay, and take losses away; nil where there are none.
    func keepingForeignPurchases() -> TradeProblem? {
        guard tax.mode != .none, tax.washSale != nil else { return nil }
        var other = self
        for index in assets.indices {
            let same = Set(identical.filter { $0.contains(index) }.joined()).subtracting([index]).sorted()
            other.assets[index].foreignPurchases = same.flatMap { purchases(assets[$0]).own }
        }
        return other.assets.allSatisfy { $0.foreignPurchases.isEmpty } ? nil : other
    }
}

extension TradeSolver {
    /// Families that are told apart one after the other; beyond, losses are left alone.
    private static let mostFamilies = 5

    static func solveApart(
        _ problem: TradeProblem, effort: Effort, depth: Int = 0
    ) throws(TradeProblemError) -> TradeSolution? {
        guard let found = try solveBeside(problem, effort: effort) else { return nil }
        let costing = PlanCosting(problem, found)
        guard let family = problem.clashes(costing).first else { return found }
        let spared = problem.withoutLosses(in: family)
        var keeps = try solveApart(spared, effort: effort, depth: depth + 1)
        // Which lots stay is part of the answer.
        if keeps?.lockedLots.isEmpty == true { keeps?.lockedLots = spared.assets.map { $0.lockedLots } }
        // Bounds of a problem with more freedom hold as well.
        guard depth < mostFamilies else {
            return keeps.map { $0.bounded(by: found.lowerBound, idle: found.idleObjective) }
        }
        let sells = try solveApart(problem.withoutPurchases(of: family), effort: effort, depth: depth + 1)
        let both = [keeps, sells].compactMap { $0 }
        guard let best = both.min(by: { $0.objective < $1.objective }) else { return nil }
        let bound = max(found.lowerBound, both.map { $0.lowerBound }.min() ?? found.lowerBound)
        return best.bounded(by: bound, idle: found.idleObjective)
    }
}

extension TradeSolver {
    /// The trades beside recent purchases of identical assets.
    private static func solveBeside(
        _ problem: TradeProblem, effort: Effort
    ) throws(TradeProblemError) -> TradeSolution? {
        guard let free = try solveOnce(problem, effort: effort) else { return nil }
        guard let kept = problem.keepingForeignPurchases() else { return free }
        let counted = free.counted(problem)
        let tolerance = 1e-7 * max(1, free.objective.magnitude)
        if let counted, counted.objective <= free.objective + tolerance { return free }
        let careful = try solveOnce(kept, effort: effort)?.counted(problem)
        let best = [counted, careful].compactMap { $0 }.min { $0.objective < $1.objective }
        return best?.bounded(by: free.lowerBound, idle: free.idleObjective)
    }
}

extension TradeSolution {
    /// The same trades with their objective as the law counts losses beside identical assets; nil where that breaks the tax budget.
    fileprivate func counted(_ problem: TradeProblem) -> TradeSolution? {
        let costing = PlanCosting(problem, self)
        if let budget = problem.limits.taxBudget, costing.tax > budget + FixedDecimal(1) / 10_000_000 { return nil }
        var other = self
        other.objective = costing.objective
        return other
    }

    fileprivate func bounded(by bound: Double, idle: Double?) -> TradeSolution {
        var other = self
        other.lowerBound = min(bound, objective)
        other.idleObjective = idle
        return other
    }
}
