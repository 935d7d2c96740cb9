import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import Reallocation

@Suite("Trade problem")
struct TradeProblemTests {
    @Test(
        "scenario D4a: the best whole-share plan",
        .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenario() throws {
        let part = try #require(try Scenarios.load("D4")["parts"]?["a"])
        let inputs = try #require(part["inputs"])
        let expected = try #require(part["expected"])
        var volatility: [Double] = []
        let assets = try inputs.members("assets").map { name, asset in
            volatility.append(try asset.double("annual_volatility"))
            let price = try asset.decimal("price")
            let spread = price * (try asset.decimal("half_spread_bps")) / 10_000
            return TradeAsset(
                symbol: name, quote: MarketQuote(price: price, halfSpread: spread),
                lots: [
                    TaxLot(
                        id: name, acquired: try day("2020-01-01"), quantity: try asset.decimal("shares"),
                        basisPerShare: price)
                ],
                target: try asset.decimal("target_weight"))
        }
        var covariance = Matrix(rows: 3, columns: 3)
        for i in 0..<3 {
            for j in 0..<3 {
                covariance[i, j] =
                    volatility[i] * volatility[j] * (try #require(inputs["correlation"]?[i]?[j]?.doubleValue))
            }
        }
        let schedule = try #require(inputs["commission"])
        var limits = TradeLimits()
        limits.minimumTrade = try inputs.decimal("minimum_trade")
        limits.maximumTrades = inputs["max_trades"]?.intValue
        var problem = TradeProblem(
            date: try day("2026-01-01"), cash: try inputs.decimal("cash"), assets: assets, covariance: covariance,
            riskAversion: try inputs.double("risk_aversion"), horizonYears: 1,
            costs: CostModel(
                commission: CommissionSchedule(
                    perShare: try schedule.decimal("per_share"), minimum: try schedule.decimal("minimum"))),
            tax: .none, limits: limits)
        problem.limits.cashFloor = try inputs.decimal("cash_floor") * problem.value
        #expect(problem.value.double == (try expected.double("portfolio_value")))
        let solution = try #require(try TradeSolver.solve(problem))
        #expect(solution.shares == [-25, 11, 0])
        #expect((solution.objective - (try expected.double("objective"))).magnitude < 1e-6)
        #expect(solution.objective - solution.lowerBound < 1e-6)
    }

    @Test("equals exhaustive enumeration on random problems", arguments: 0..<10)
    func enumeration(block: Int) throws {
        try compare(block) { try $0.small() }
    }

    @Test("equals exhaustive enumeration where assets are traded in pools", arguments: 0..<4)
    func pools(block: Int) throws {
        try compare(block + 100) { try $0.pooled() }
    }

    /// A hundred random problems beside every combination of whole steps and lots.
    private func compare(_ block: Int, _ make: (inout RandomTrades) throws -> TradeProblem) throws {
        var worst = 0.0
        for index in 0..<100 {
            var random = RandomTrades(seed: UInt64(block * 100 + index))
            let problem = try make(&random)
            let best = try Enumeration(problem).best()
            let solution = try TradeSolver.solve(problem)
            guard let best else {
                #expect(solution == nil, "problem \(block * 100 + index): trades where none keep to the limits")
                continue
            }
            let found = try #require(solution, "problem \(block * 100 + index): none found, best \(best)")
            let scale = max(1, best.magnitude)
            #expect(
                (found.objective - best).magnitude <= 1e-7 * scale,
                "problem \(block * 100 + index): \(found.objective) for \(best), \(found.nodes) nodes")
            #expect(
                found.lowerBound <= best + 1e-7 * scale,
                "problem \(block * 100 + index): bound \(found.lowerBound) above \(best)")
            worst = max(worst, found.gap)
        }
        #expect(worst <= 1e-6)
    }

    @Test("the method for many names: its bound is below every plan, and its plan one of them", arguments: 0..<4)
    func columns(block: Int) throws {
        var (found, split) = (0, 0)
        for index in 0..<75 {
            var random = RandomTrades(seed: UInt64(5_000 + block * 75 + index))
            let problem = try random.small()
            guard let best = try Enumeration(problem).best() else { continue }
            var effort = TradeSolver.Effort()
            effort.mostExact = 0
            guard let solution = try TradeSolver.solve(problem, effort: effort) else { continue }
            found += 1
            if solution.nodes > 0 { split += 1 }
            let tolerance = 1e-7 * max(1, best.magnitude)
            #expect(
                solution.lowerBound <= best + tolerance,
                "problem \(block * 75 + index): bound \(solution.lowerBound) above \(best)")
            #expect(
                solution.objective >= best - tolerance,
                "problem \(block * 75 + index): \(solution.objective) below \(best)")
        }
        // Bounds of parts as well as of the whole.
        #expect(found >= 50 && split >= 10, "\(found) found, \(split) of them split")
    }

    @Test("a part's bound is below every plan in it, as it begins and after rounds of its own", arguments: 0..<4)
    func parts(block: Int) throws {
        var compared = 0
        for index in 0..<40 {
            var random = RandomTrades(seed: UInt64(9_000 + block * 40 + index))
            let problem = try random.small()
            let model = try TradeModel(problem)
            guard model.assets.allSatisfy({ $0.lowest <= $0.highest }) else { continue }
            let setting = CellBound.Setting(model)
            let cells = BranchAndBound(model, effort: .init()).relaxations.map { relaxation in
                var bound = CellBound(setting, relaxation.cell, multipliers: [])
                for _ in 0..<3 where !bound.isDone { bound.improve() }
                return bound
            }
            let enumeration = try Enumeration(problem)
            for (asset, one) in model.assets.enumerated() where one.highest > one.lowest {
                let cut = (0.4 * one.lowest + 0.6 * one.highest).rounded(.down)
                for (low, high) in [(one.lowest, cut), (cut + 1, one.highest), (one.lowest, -1), (0, 0)] {
                    guard low <= high, low >= one.lowest, high <= one.highest,
                        let best = try enumeration.best(part: (asset, low...high))
                    else { continue }
                    var parts = cells.compactMap { $0.limited(asset, low, high) }
                    for round in 0..<3 {
                        let bound = parts.map { $0.value }.min() ?? .infinity
                        #expect(
                            bound <= best + 1e-7 * max(1, best.magnitude),
                            "problem \(block * 40 + index), asset \(asset) in \(low)...\(high), round \(round)")
                        for at in parts.indices { parts[at].improve() }
                    }
                    compared += 1
                }
            }
        }
        #expect(compared >= 100, "\(compared)")
    }

    @Test("a hundred names with four lots each: near the bound, and better than doing nothing", arguments: 0..<4)
    func manyNames(seed: Int) throws {
        var random = RandomTrades(seed: UInt64(seed))
        var problem = try random.large(100)
        if seed % 2 == 1 { problem.limits.turnover = dec("0.03") }
        if seed == 2 { problem.limits.maximumTrades = 25 }
        let solution = try #require(try TradeSolver.solve(problem))
        #expect(solution.lowerBound <= solution.objective)
        #expect(solution.gap <= 0.01)
        #expect(solution.objective < (try #require(solution.idleObjective)))
        #expect(solution.shares.filter { $0 != 0 }.count <= problem.limits.maximumTrades ?? 100)
    }

    @Test("risks that no few factors explain leave no gap either", arguments: 0..<4, [(40, 0.06), (100, 0.02)])
    func manyFactors(seed: Int, risk: (factors: Int, loading: Double)) throws {
        var random = RandomTrades(seed: UInt64(40 + seed))
        var problem = try random.large(100)
        problem.covariance = random.covariance(100, factors: risk.factors, loading: risk.loading)
        if seed % 2 == 1 { problem.limits.turnover = dec("0.03") }
        let solution = try #require(try TradeSolver.solve(problem))
        // Tangents alone left most of the gain.
        let gain = try #require(solution.idleObjective) - solution.objective
        #expect(solution.objective - solution.lowerBound <= 0.002 * gain)
    }

    @Test("a covariance split stays whole, and its rest semidefinite, as moves become factors")
    func splitStaysWhole() throws {
        var random = RandomTrades(seed: 7)
        let n = 40
        let sigma = random.covariance(n, factors: n, loading: 0.03)
        var split = RiskSplit(sigma, factor: try? Cholesky(factorising: sigma))
        func rest(_ split: RiskSplit) -> Matrix {
            var rest = Matrix(rows: n, columns: n)
            for j in 0..<n {
                let column = split.rest(sigma, (0..<n).map { $0 == j ? 1 : 0 })
                for i in 0..<n { rest[i, j] = column[i] }
            }
            return rest
        }
        for _ in 0..<20 {
            let moved = (0..<n).map { _ in random.generator.normal() }
            let bent = split.rest(sigma, moved)
            let bend = Vector.dot(moved, bent)
            guard bend > 1e-9 else { break }
            split.add(bent.map { $0 / bend.squareRoot() })
            // Nothing is left along the move, and nowhere less than nothing.
            #expect(Vector.dot(moved, split.rest(sigma, moved)).magnitude <= 1e-12 * max(1, bend))
            let least = try #require(try SymmetricEigen(rest(split)).values.min())
            #expect(least >= -1e-9)
        }
        #expect(split.loadings.count == n * split.factors)
    }

    @Test(
        "the bound of many names is below what branch and bound finds for a part of them",
        arguments: [(5, 0.06), (60, 0.02)])
    func boundHolds(risk: (factors: Int, loading: Double)) throws {
        // Seventy names of which all but ten may not trade: the large method's bound against the exact one's optimum.
        var random = RandomTrades(seed: 5)
        var problem = try random.large(70)
        problem.covariance = random.covariance(70, factors: risk.factors, loading: risk.loading)
        for i in 10..<70 { (problem.assets[i].canBuy, problem.assets[i].canSell) = (false, false) }
        let large = try #require(try TradeSolver.solve(problem))
        var fixed = problem
        // The same risk for the ten that trade: what cannot move enters through expected returns and cash.
        let sigma = problem.covariance
        let value = problem.value.double
        let kappa = problem.riskAversion * problem.horizonYears
        let deviations = problem.assets.map {
            ($0.quote.price * $0.held).double / value - $0.target.double
        }
        fixed.assets = Array(problem.assets.prefix(10))
        fixed.covariance = Matrix(rows: 10, columns: 10)
        for i in 0..<10 {
            for j in 0..<10 { fixed.covariance[i, j] = sigma[i, j] }
            let pull = (10..<70).reduce(0.0) { $0 + sigma[i, $1] * deviations[$1] }
            fixed.assets[i].expectedReturn -= kappa * pull
        }
        // Cash stands for the names that stay, so that weights keep their meaning.
        let rest = problem.assets.dropFirst(10).map { $0.quote.price * $0.held }.reduce(0, +)
        fixed.cash = problem.cash + rest
        fixed.limits.cashFloor = problem.limits.cashFloor + rest
        let exact = try #require(try TradeSolver.solve(fixed))
        let improvement = try #require(exact.idleObjective) - exact.objective
        let idle = try #require(large.idleObjective)
        #expect(large.lowerBound <= idle - improvement + 1e-6 * idle.magnitude)
        #expect(
            large.objective >= idle - (try #require(exact.idleObjective) - exact.lowerBound) - 1e-6 * idle.magnitude)
    }
}
