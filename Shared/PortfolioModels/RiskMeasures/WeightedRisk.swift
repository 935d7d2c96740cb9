import RealModule
import WireFormat

/// The value of a risk measure where periods are not equally likely.
///
/// Each definition of the registry with probabilities p in place of 1/T: means are sums of p, the tail of size alpha is a tail of
/// mass alpha, a mean difference is that of all pairs, and T / (T - 1) stays where the divisor was T - 1. With equal probabilities it is
/// the registry's own value. The relativistic measures, whose entropy depends on how many periods there are, count a period T p times.
///
/// Source: R. T. Rockafellar, S. Uryasev (2002), Conditional Value-at-Risk for General Loss Distributions, Journal of Banking and
/// Finance 26; the definitions are those of the measures' own files.
struct WeightedRisk: Sendable {
    let code: RiskMeasureCode
    let parameters: RiskParameters
    /// T, adding up to one.
    let probabilities: [Double]

    /// The measures that are defined here.
    static let codes: Set<RiskMeasureCode> = [
        .mad, .msv, .flpm, .slpm, .kt, .skt, .em, .esm, .cvar, .evar, .worstRealisation, .range, .cvarRange, .evarRange,
        .maximumDrawdown, .averageDrawdown, .ulcerIndex, .cdar, .edar, .gmd, .tailGini, .tailGiniRange, .rlvar,
        .rlvarRange, .rldar,
    ]

    /// Nil for a measure that is not defined under probabilities.
    init?(_ code: RiskMeasureCode, _ parameters: RiskParameters, probabilities: [Double]) {
        guard Self.codes.contains(code) else { return nil }
        self.code = code
        self.parameters = parameters
        self.probabilities = probabilities
    }

    func value(of x: [Double]) -> Double { solve(x).value }

    /// A (sub)gradient by each period's return.
    func sensitivity(at x: [Double]) -> [Double] { solve(x).slope }

    private func solve(_ x: [Double]) -> (value: Double, slope: [Double]) {
        let unbiased = Double(x.count) / Double(max(x.count - 1, 1))
        switch code {
        case .mad: return deviation(x, power: 1, factor: 1, root: 1, isOneSided: false)
        case .msv: return deviation(x, power: 2, factor: unbiased, root: 2, isOneSided: true)
        case .kt: return deviation(x, power: 4, factor: 1, root: 2, isOneSided: false)
        case .skt: return deviation(x, power: 4, factor: 1, root: 2, isOneSided: true)
        case .em: return moment(x, isOneSided: false)
        case .esm: return moment(x, isOneSided: true)
        case .flpm: return shortfall(x, power: 1, factor: 1)
        case .slpm: return shortfall(x, power: 2, factor: unbiased)
        case .cvar: return lossSide(x, .conditional(parameters.alpha))
        case .evar: return lossSide(x, .entropic(parameters.alpha))
        case .worstRealisation: return lossSide(x, .worst)
        case .range: return bothSides(x, .worst, .worst)
        case .cvarRange:
            return bothSides(x, .conditional(parameters.alpha), .conditional(parameters.beta ?? parameters.alpha))
        case .evarRange:
            return bothSides(x, .entropic(parameters.alpha), .entropic(parameters.beta ?? parameters.alpha))
        case .maximumDrawdown: return drawdown(x, .worst)
        case .cdar: return drawdown(x, .conditional(parameters.alpha))
        case .edar: return drawdown(x, .entropic(parameters.alpha))
        case .averageDrawdown, .ulcerIndex: return drawdownMean(x)
        case .gmd: return meanDifference(x)
        case .tailGini: return lossSide(x, .mixture(TailGini(parameters).mixture))
        case .tailGiniRange:
            return bothSides(
                x, .mixture(TailGini(parameters).mixture), .mixture(TailGini(parameters.gainSide).mixture))
        case .rlvar: return lossSide(x, .relativistic(RelativisticValueAtRisk(parameters)))
        case .rlvarRange:
            return bothSides(
                x, .relativistic(RelativisticValueAtRisk(parameters)),
                .relativistic(RelativisticValueAtRisk(parameters.gainSide)))
        case .rldar: return drawdown(x, .relativistic(RelativisticValueAtRisk(parameters)))
        default: return (.nan, x)
        }
    }

    // MARK: Deviations

    private func moment(_ x: [Double], isOneSided: Bool) -> (value: Double, slope: [Double]) {
        deviation(x, power: 2 * parameters.power, factor: 1, root: parameters.power, isOneSided: isOneSided)
    }

    /// (factor sum p |d|^power)^(1/root) of deviations d from the weighted mean, or of those below it.
    private func deviation(
        _ x: [Double], power: Double, factor: Double, root: Double, isOneSided: Bool
    ) -> (value: Double, slope: [Double]) {
        var mean = 0.0
        for t in x.indices { mean += probabilities[t] * x[t] }
        var found = powerMean(x.map { $0 - mean }, power, factor, root, isOneSided)
        let total = found.slope.reduce(0, +)
        for t in x.indices { found.slope[t] -= probabilities[t] * total }
        return found
    }

    private func shortfall(_ x: [Double], power: Double, factor: Double) -> (value: Double, slope: [Double]) {
        powerMean(x.map { $0 - parameters.target }, power, factor, power, true)
    }

    private func powerMean(
        _ d: [Double], _ power: Double, _ factor: Double, _ root: Double, _ isOneSided: Bool
    ) -> (value: Double, slope: [Double]) {
        let scale = d.reduce(0) { max($0, abs($1)) }
        var slope = [Double](repeating: 0, count: d.count)
        guard scale > 0 else { return (0, slope) }
        var sum = 0.0
        for t in d.indices where d[t] < 0 || (!isOneSided && d[t] > 0) {
            let size = abs(d[t]) / scale
            sum += factor * probabilities[t] * Double.pow(size, power)
            slope[t] = (d[t] < 0 ? -1 : 1) * factor * probabilities[t] * power * Double.pow(size, power - 1)
        }
        guard sum > 0 else { return (0, [Double](repeating: 0, count: d.count)) }
        let degree = power / root
        let value = Double.pow(scale, degree) * Double.pow(sum, 1 / root)
        let outer = Double.pow(scale, degree - 1) * Double.pow(sum, 1 / root - 1) / root
        return (value, slope.map { $0 * outer })
    }

    /// T / (T - 1) sum over s, t of p_s p_t |x_s - x_t|, by the mass on either side of each period.
    private func meanDifference(_ x: [Double]) -> (value: Double, slope: [Double]) {
        var slope = [Double](repeating: 0, count: x.count)
        let mean = zip(x, probabilities).reduce(0) { $0 + $1.0 * $1.1 }
        let factor = 2 * Double(x.count) / Double(max(x.count - 1, 1))
        var (below, value) = (0.0, 0.0)
        for t in x.indices.sorted(by: { x[$0] != x[$1] ? x[$0] < x[$1] : $0 < $1 }) {
            let p = probabilities[t]
            slope[t] = factor * p * (2 * below + p - 1)
            value += slope[t] * (x[t] - mean)
            below += p
        }
        return (value, slope)
    }

    // MARK: Tails

    private enum Tail {
        case worst, conditional(Double), entropic(Double), mixture([(alpha: Double, weight: Double)])
        case relativistic(RelativisticValueAtRisk)
    }

    private func lossSide(_ x: [Double], _ tail: Tail) -> (value: Double, slope: [Double]) {
        let found = measure(x.map { -$0 }, tail)
        return (found.value, found.tilt.map { -$0 })
    }

    private func bothSides(_ x: [Double], _ loss: Tail, _ gain: Tail) -> (value: Double, slope: [Double]) {
        let below = lossSide(x, loss)
        let above = measure(x, gain)
        return (below.value + above.value, zip(below.slope, above.tilt).map { $0 + $1 })
    }

    private func drawdown(_ x: [Double], _ tail: Tail) -> (value: Double, slope: [Double]) {
        let series = DrawdownSeries(x, compounded: false)
        let found = measure(series.depth, tail)
        return (found.value, series.throughReturns(found.tilt))
    }

    private func drawdownMean(_ x: [Double]) -> (value: Double, slope: [Double]) {
        let series = DrawdownSeries(x, compounded: false)
        let isSquare = code == .ulcerIndex
        var sum = 0.0
        for t in x.indices { sum += probabilities[t] * series.depth[t] * (isSquare ? series.depth[t] : 1) }
        guard isSquare else { return (sum, series.throughReturns(probabilities)) }
        let root = sum.squareRoot()
        guard root > 0 else { return (0, x.map { _ in 0 }) }
        return (root, series.throughReturns(x.indices.map { probabilities[$0] * series.depth[$0] / root }))
    }

    /// The measure of losses, and the probabilities under which it is their mean.
    private func measure(_ losses: [Double], _ tail: Tail) -> (value: Double, tilt: [Double]) {
        guard let most = losses.indices.filter({ probabilities[$0] > 0 }).map({ losses[$0] }).max() else {
            return (0, losses)
        }
        var tilt = [Double](repeating: 0, count: losses.count)
        switch tail {
        case .worst:
            if let worst = losses.indices.first(where: { losses[$0] == most && probabilities[$0] > 0 }) {
                tilt[worst] = 1
            }
            return (most, tilt)
        case .conditional(let alpha):
            add([(alpha, 1)], losses, to: &tilt)
        case .mixture(let levels):
            add(levels, losses, to: &tilt)
        case .relativistic(let measure):
            // Impossible periods have no part.
            let possible = losses.indices.filter { probabilities[$0] > 0 }
            let count = Double(losses.count)
            let found = measure.solve(
                possible.map { -losses[$0] }, multiplicity: possible.map { probabilities[$0] * count })
            for (place, t) in possible.enumerated() { tilt[t] = found.tilt[place] }
            return (found.value, tilt)
        case .entropic(let alpha):
            tilt = entropicTilt(losses, most, alpha)
        }
        return (zip(tilt, losses).reduce(0) { $0 + $1.0 * $1.1 }, tilt)
    }

    /// Adds the tails of so many masses, the largest losses first.
    private func add(_ levels: [(alpha: Double, weight: Double)], _ losses: [Double], to tilt: inout [Double]) {
        let order = losses.indices.sorted { losses[$0] > losses[$1] }
        for level in levels {
            var left = 1.0
            for t in order {
                let share = min(probabilities[t] / level.alpha, left)
                tilt[t] += level.weight * share
                left -= share
                if left <= 0 { break }
            }
        }
    }

    /// q ~ p exp(loss / z) with KL(q || p) = ln(1 / alpha); where no z reaches it, all mass is on the worst loss.
    private func entropicTilt(_ losses: [Double], _ most: Double, _ alpha: Double) -> [Double] {
        let budget = -Double.log(alpha)
        func tilted(_ z: Double) -> (tilt: [Double], divergence: Double) {
            var tilt = losses.indices.map { t -> Double in
                // An impossible loss may be above the worst possible one, and its exponential infinite.
                probabilities[t] > 0 ? probabilities[t] * Double.exp((losses[t] - most) / z) : 0
            }
            let total = tilt.reduce(0, +)
            var divergence = -Double.log(total)
            for t in tilt.indices {
                tilt[t] /= total
                if tilt[t] > 0 { divergence += tilt[t] * (losses[t] - most) / z }
            }
            return (tilt, divergence)
        }
        let spread = losses.indices.reduce(0.0) { probabilities[$1] > 0 ? max($0, most - losses[$1]) : $0 }
        guard spread > 0 else { return probabilities }
        var (low, high) = (1e-10 * spread, spread)
        if tilted(low).divergence < budget { return tilted(low).tilt }
        while tilted(high).divergence > budget, high < 1e12 * spread { high *= 4 }
        while high / low > 1 + 1e-13 {
            let middle = (low * high).squareRoot()
            guard middle > low, middle < high else { break }
            if tilted(middle).divergence > budget { low = middle } else { high = middle }
        }
        return tilted((low * high).squareRoot()).tilt
    }
}

/// A convex measure of scenarios with probabilities: its own formulation, the weighted value.
struct WeightedMeasure<Base: ConvexRiskMeasure>: ConvexRiskMeasure {
    static var code: RiskMeasureCode { Base.code }
    static var title: String { Base.title }
    static var degree: Int? { Base.degree }
    static var canBeNegative: Bool { Base.canBeNegative }

    private let base: Base
    private let weighted: WeightedRisk?

    /// Without probabilities: the measure itself.
    init(_ parameters: RiskParameters) {
        base = Base(parameters)
        weighted = nil
    }

    init(_ base: Base, _ weighted: WeightedRisk) {
        self.base = base
        self.weighted = weighted
    }

    func value(of series: ReturnSeries) -> Double { weighted?.value(of: series.values) ?? base.value(of: series) }

    func sensitivity(at x: [Double]) -> [Double] { weighted?.sensitivity(at: x) ?? base.sensitivity(at: x) }

    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        guard weighted != nil, let ranked = base as? any RankedFormulation else {
            return base.formulate(in: &program)
        }
        return ranked.formulateWeighted(in: &program)
    }

    func targetShare(at x: [Double]) -> Double {
        guard let weighted else { return base.targetShare(at: x) }
        guard Base.code == .flpm || Base.code == .slpm else { return 0 }
        return -weighted.parameters.target * weighted.sensitivity(at: x).reduce(0, +)
    }
}

extension ConvexRiskMeasure {
    /// The measure under probabilities.
    func weighted(_ risk: WeightedRisk) -> any ConvexRiskMeasure { WeightedMeasure(self, risk) }
}
