import LinearAlgebra

/// What a point lacks of an optimum.
struct Merit {
    /// Relative to the objective.
    var gap: Double
    var primal: Double
    var dual: Double
}

/// The best point of a solve so far, kept in memory of its own: rounding may spoil those after it.
struct BestPoint {
    private(set) var merit = Merit(gap: 1, primal: 1, dual: 1)
    private var v: [Double]
    private var y: [Double]
    private var below: [Double]
    private var above: [Double]
    private var multipliers: [Double]
    private var values: [Double]
    private var series: [[[Double]]]

    init(_ program: CompositeProgram, _ terms: [LiveTerm]) {
        v = program.start
        y = [Double](repeating: 0, count: program.equalities.rows)
        below = [Double](repeating: 0, count: v.count)
        above = below
        multipliers = [Double](repeating: 0, count: terms.count)
        values = multipliers
        series = terms.map { $0.blocks.map { _ in [] } }
    }

    mutating func keep(_ v: [Double], _ y: [Double], _ terms: [LiveTerm], _ merit: Merit) {
        self.merit = merit
        Vector.copy(v, into: &self.v)
        Vector.copy(y, into: &self.y)
        for (k, term) in terms.enumerated() {
            (multipliers[k], values[k]) = (term.multiplier, term.value)
            for (part, block) in term.blocks.enumerated() { block.writeDualSeries(into: &series[k][part]) }
        }
    }

    /// The prices of the bounds.
    mutating func keep(_ lower: ComplementaryPairs, at low: [Int], _ upper: ComplementaryPairs, at high: [Int]) {
        for (i, index) in low.enumerated() { below[index] = lower.dual[i] }
        for (i, index) in high.enumerated() { above[index] = upper.dual[i] }
    }

    func solution(_ status: SolverStatus, _ iterations: Int) -> CompositeSolution {
        CompositeSolution(
            status: status, v: v, equalityDuals: y, lowerDuals: below, upperDuals: above, multipliers: multipliers,
            dualSeries: series, values: values, iterations: iterations, relativeGap: merit.gap,
            primalResidual: merit.primal, dualResidual: merit.dual)
    }
}
