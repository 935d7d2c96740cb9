import ConvexSolver
import LinearAlgebra
import WireFormat

/// A measure whose formulation counts ranks, and so is another where periods are not equally likely.
protocol RankedFormulation: ConvexRiskMeasure {
    /// The measure under the program's probabilities.
    func formulateWeighted(in program: inout RiskProgram) -> RiskFormulation
}

extension TailGini: RankedFormulation {
    func formulateWeighted(in program: inout RiskProgram) -> RiskFormulation { weightedSide(-1, in: &program) }

    /// The mixture of CVaR levels of `sign x returns`, each with a quantile and a hinge of its own.
    ///
    /// A tail no larger than the least probability is the largest loss alone: all such levels are one.
    func weightedSide(_ sign: Double, in program: inout RiskProgram) -> RiskFormulation {
        let least = program.model.probabilities.filter { $0 > 0 }.min() ?? 1
        var merged: [(alpha: Double, weight: Double)] = []
        for level in mixture {
            if level.alpha <= least, !merged.isEmpty {
                merged[0].weight += level.weight
            } else {
                merged.append(level.alpha <= least ? (least, level.weight) : level)
            }
        }
        var result = RiskFormulation(pieces: [])
        let argument = program.start.map { sign * $0 }
        for level in merged {
            let cost = program.probabilities(times: level.weight / level.alpha)
            let quantile = program.program.addVariable(start: program.upperQuantile(argument, level.alpha))
            result.linear.append(.init(quantile, level.weight))
            result.pieces.append(
                .init(
                    part: .scenarios(
                        .linear(cost: cost, reflection: 0), .rows(program.rows(sign: sign, quantile: quantile))),
                    basis: .returns(sign: sign), envelope: .capped(cost, total: level.weight)))
        }
        return result
    }
}

extension TailGiniRange: RankedFormulation {
    func formulateWeighted(in program: inout RiskProgram) -> RiskFormulation {
        let (low, high) = (losses.weightedSide(-1, in: &program), gains.weightedSide(1, in: &program))
        return RiskFormulation(linear: low.linear + high.linear, pieces: low.pieces + high.pieces)
    }
}

extension GiniMeanDifference: RankedFormulation {
    /// The most numbers of the differences of all pairs: 320 MB.
    static let mostDifferences = 40_000_000

    /// Whether the differences of all pairs of so many periods are not too many.
    static func canBeWeighted(periods: Int, assets: Int) -> Bool {
        Double(periods) * Double(periods - 1) / 2 * Double(assets) <= Double(mostDifferences)
    }

    /// A hinge for each pair of possible periods: `|d| = 2 max(d, 0) - d`. Series, by pair: 0 <= q <= 4 p_s p_t T / (T - 1).
    func formulateWeighted(in program: inout RiskProgram) -> RiskFormulation {
        let (model, n) = (program.model, program.weights.count)
        let pairs = PeriodPairs(probabilities: model.probabilities)
        var differences = Matrix(rows: pairs.count, columns: n)
        for column in 0..<n {
            let returns = model.column(column)
            for (k, pair) in pairs.places.enumerated() {
                differences.storage[k + column * pairs.count] = returns[pair.first] - returns[pair.second]
            }
        }
        let half = pairs.weights
        let slope = differences.transposedMultiplied(by: half)
        let cost = half.map { 2 * $0 }
        return RiskFormulation(
            linear: program.weights.map { .init($0, -slope[$0]) },
            pieces: [
                .init(
                    part: .scenarios(
                        .linear(cost: cost, reflection: 0), .rows(RowMap(differences, columns: program.weights))),
                    basis: .pairs(pairs), envelope: .capped(cost, total: nil))
            ])
    }
}

/// All pairs of possible periods.
struct PeriodPairs: Sendable {
    private(set) var places: [(first: Int, second: Int)] = []
    /// 2 p_s p_t T / (T - 1): what a difference counts in the mean difference.
    private(set) var weights: [Double] = []

    var count: Int { places.count }

    init(probabilities: [Double]) {
        let factor = 2 * Double(probabilities.count) / Double(max(probabilities.count - 1, 1))
        let possible = probabilities.indices.filter { probabilities[$0] > 0 }
        places.reserveCapacity(possible.count * possible.count / 2)
        weights.reserveCapacity(possible.count * possible.count / 2)
        for (rank, s) in possible.enumerated() {
            for t in possible[..<rank] {
                places.append((s, t))
                weights.append(factor * probabilities[s] * probabilities[t])
            }
        }
    }

    /// The series by period of a series by pair, less the half that is linear.
    func spread(_ q: [Double], over count: Int) -> [Double] {
        var series = [Double](repeating: 0, count: count)
        for (k, pair) in places.enumerated() {
            let share = q[k] - weights[k]
            series[pair.first] += share
            series[pair.second] -= share
        }
        return series
    }
}
