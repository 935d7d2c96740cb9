import Foundation
import LinearAlgebra
import Reallocation
import WireFormat

/// Time and gap of trade problems, one after the other in one process.
enum TradeMeasurement {
    static func run(assets n: Int, problems: Int, factors: Int, market: DirectIndex.Market, file: String?) throws {
        var lines: [String] = []
        for index in 0..<problems {
            for isWhole in [true, false] {
                var maker = DirectIndex(seed: index)
                let problem = try maker.problem(
                    assets: n, variant: index, isWhole: isWhole, factors: factors, market: market)
                let clock = ContinuousClock()
                let (start, before) = (clock.now, processorSeconds())
                let solution = try TradeSolver.solve(problem)
                let seconds = (clock.now - start) / .seconds(1)
                let spent = processorSeconds() - before
                ReallocationBench.say([
                    "problem": JSONValue(index), "assets": JSONValue(n), "factors": JSONValue(factors),
                    "whole": .bool(isWhole),
                    "ms": JSONValue((seconds * 10_000).rounded() / 10),
                    "cpu_ms": JSONValue((spent * 10_000).rounded() / 10),
                    "objective": JSONValue(solution?.objective),
                    "bound": JSONValue(solution?.lowerBound), "gap": JSONValue(solution?.gap),
                    "trades": JSONValue(solution?.shares.filter { $0 != 0 }.count),
                    "idle": JSONValue(solution?.idleObjective),
                ])
                if file != nil, !isWhole { lines.append(description(of: problem, index: index).serialized()) }
            }
        }
        if let file {
            try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        }
    }

    /// Processor time of this process, all its threads together: what a loaded machine does not distort.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// The problem for another solver, in binary figures.
    private static func description(of problem: TradeProblem, index: Int) -> JSONValue {
        let n = problem.assets.count
        return [
            "problem": JSONValue(index), "value": JSONValue(problem.value.double),
            "kappa": JSONValue(problem.riskAversion * problem.horizonYears * problem.value.double),
            "cash": JSONValue(problem.cash.double), "floor": JSONValue(problem.limits.cashFloor.double),
            "turnover": JSONValue(problem.limits.turnover?.double),
            "max_trades": JSONValue(problem.limits.maximumTrades),
            "per_share": JSONValue(problem.costs.commission.perShare.double),
            "impact": JSONValue(problem.costs.impactCoefficient),
            "rates": .array([problem.tax.rates.short, problem.tax.rates.long].map { JSONValue($0.double) }),
            "realised": .array([problem.tax.realisedShort, problem.tax.realisedLong].map { JSONValue($0.double) }),
            "cap": JSONValue(problem.tax.rates.ordinaryCap.double),
            "covariance": .array(
                (0..<n).map { i in .array((0..<n).map { JSONValue(problem.covariance[i, $0]) }) }),
            "assets": .array(
                problem.assets.map { asset in
                    [
                        "price": JSONValue(asset.quote.price.double),
                        "spread": JSONValue(asset.quote.halfSpread.double),
                        "volume": JSONValue(asset.quote.dailyVolume?.double),
                        "volatility": JSONValue(asset.quote.dailyVolatility), "target": JSONValue(asset.target.double),
                        "lots": .array(
                            asset.lots.map { lot in
                                [
                                    "quantity": JSONValue(lot.quantity.double),
                                    "basis": JSONValue(lot.basisPerShare.double),
                                    "long": .bool(
                                        problem.tax.holdingPeriod.term(acquired: lot.acquired, sold: problem.date)
                                            == .long),
                                ]
                            }),
                    ]
                }),
        ]
    }
}
