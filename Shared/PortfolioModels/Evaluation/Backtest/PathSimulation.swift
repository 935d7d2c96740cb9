import LinearAlgebra
import WireFormat

/// A portfolio on its way through the periods: what it holds, what trading costs, what it earns.
///
/// ```
/// trade    c = sum_i k_i |w_i - h_i|,   V <- V (1 - c)
/// period   r = sum_i w_i x_i,           V <- V (1 + r),   w_i <- w_i (1 + x_i) / (1 + r)
/// ```
/// h are the weights held before. What the weights leave of one is cash, which earns nothing. The return of the period in which a trade
/// falls is after its cost. Without drift the weights stay what they were made, at no cost.
struct PathSimulation {
    private let panel: ReturnPanel
    /// N: cost a unit of absolute change.
    private let rates: [Double]
    private let drifts: Bool
    /// N weights of the moment.
    private(set) var held: [Double]
    private(set) var returns: [Double] = []
    /// The value is gone: nothing moves any more.
    private(set) var isLost = false

    init(panel: ReturnPanel, rates: [Double], drifts: Bool, initial: [Double]) {
        self.panel = panel
        self.rates = rates
        self.drifts = drifts
        held = initial
    }

    /// Trades to `weights` (nil holds on) before the first period and holds over all of them.
    /// - Returns: the sum of absolute changes, and the share of the value that they cost.
    mutating func hold(_ weights: [Double]?, over periods: Range<Int>) -> (turnover: Double, cost: Double) {
        var turnover = 0.0
        var cost = 0.0
        if let weights, !isLost {
            for i in weights.indices {
                let change = abs(weights[i] - held[i])
                turnover += change
                cost += rates[i] * change
            }
            held = weights
        }
        cost = min(cost, 1)
        for (n, t) in periods.enumerated() {
            returns.append(step(t, kept: n == 0 ? 1 - cost : 1))
        }
        return (turnover, cost)
    }

    private mutating func step(_ t: Int, kept: Double) -> Double {
        guard !isLost else { return 0 }
        var earned = 0.0
        for i in held.indices where held[i] != 0 { earned += held[i] * panel.returns[t, i] }
        let result = kept * (1 + earned) - 1
        guard result > -1 else {
            isLost = true
            held = held.map { _ in 0 }
            return -1
        }
        if drifts {
            let scale = 1 / (1 + earned)
            for i in held.indices where held[i] != 0 { held[i] *= (1 + panel.returns[t, i]) * scale }
        }
        return result
    }
}
