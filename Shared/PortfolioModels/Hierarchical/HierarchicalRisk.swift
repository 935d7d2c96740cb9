import LinearAlgebra
public import WireFormat

/// What a hierarchical model measures the risk of assets and clusters by.
public enum HierarchicalRisk: Sendable, Equatable {
    /// Every asset and every branch counts the same.
    case equal
    /// The standard deviation of the covariance model.
    case volatility
    /// A risk measure of the return series; `MV` is the variance of the covariance model.
    case measure(RiskMeasureCode)

    /// A measure by Riskfolio-Lib's code: `equal`, `vol`, or one of the registry.
    public init?(code: String) {
        switch code {
        case "equal": self = .equal
        case "vol": self = .volatility
        default:
            guard let code = RiskMeasureCode(rawValue: code) else { return nil }
            self = .measure(code)
        }
    }
}

/// The risk of sets of assets, and their naive weights: inverse to each asset's own risk.
struct NaiveRisk {
    private let risk: HierarchicalRisk
    private let measure: (any RiskMeasure)?
    private let panel: ReturnPanel
    private let covariance: Matrix
    /// Of each asset alone; one where the risk is `equal`.
    let ofAssets: [Double]

    /// - Throws: `OPT-203` where an asset's risk is not positive, so that it has no inverse.
    init(
        _ risk: HierarchicalRisk, _ panel: ReturnPanel, _ covariance: Matrix, _ parameters: RiskParameters
    ) throws(Problem) {
        self.risk = risk
        self.panel = panel
        self.covariance = covariance
        switch risk {
        case .equal:
            measure = nil
            ofAssets = panel.assets.map { _ in 1 }
        case .volatility:
            measure = nil
            ofAssets = covariance.diagonal.map { max($0, 0).squareRoot() }
        case .measure(.mv):
            measure = nil
            ofAssets = covariance.diagonal
        case .measure(let code):
            guard let found = RiskMeasures.measure(code, parameters) else {
                throw Problem(.internalError, "The risk measure \(code.rawValue) is not registered.")
            }
            measure = found
            ofAssets = panel.assets.indices.map { found.value(of: panel.column($0)) }
        }
        guard panel.assets.count > 1 else { return }
        for (asset, value) in ofAssets.enumerated() {
            guard value > 0, value < .infinity, 1 / value < .infinity else {
                let name = Problem.echo(panel.assets[asset])
                throw Problem(
                    .ratioUndefined,
                    "The risk of \(name) alone is \(value): weights inverse to risk need one above zero. Leave it out or choose another measure.",
                    errors: [
                        Violation(
                            JSONPointer(["assets", String(asset)]), .other("no_positive_risk"),
                            "The risk of \(name) alone is \(value).", limit: 0, value: value)
                    ])
            }
        }
    }

    /// Weights of a set that are inverse to the assets' risks, adding up to one.
    func weights(of assets: [Int]) -> [Double] {
        guard assets.count > 1 else { return assets.map { _ in 1 } }
        // Relative to the least risk, so that inverses neither vanish nor overflow.
        let least = assets.reduce(Double.infinity) { min($0, ofAssets[$1]) }
        let inverse = assets.map { least / ofAssets[$0] }
        let total = inverse.reduce(0, +)
        return inverse.map { $0 / total }
    }

    /// The risk of a set at given weights.
    func value(of assets: [Int], _ weights: [Double]) -> Double {
        switch risk {
        case .equal: return 1
        case .volatility: return max(variance(assets, weights), 0).squareRoot()
        case .measure(.mv): return variance(assets, weights)
        case .measure:
            return measure?.value(of: series(assets, weights)) ?? .nan
        }
    }

    /// The risk of a set at its naive weights.
    func value(of assets: [Int]) -> Double {
        assets.count == 1 ? ofAssets[assets[0]] : value(of: assets, weights(of: assets))
    }

    private func variance(_ assets: [Int], _ weights: [Double]) -> Double {
        let n = covariance.rows
        let values = covariance.storage.span
        var total = 0.0
        for (position, j) in assets.enumerated() {
            var sum = 0.0
            let column = j * n
            for (other, i) in assets.enumerated() { sum += values[column + i] * weights[other] }
            total += weights[position] * sum
        }
        return total
    }

    private func series(_ assets: [Int], _ weights: [Double]) -> [Double] {
        let count = panel.observations
        var x = [Double](repeating: 0, count: count)
        let values = panel.returns.storage.span
        var target = x.mutableSpan
        for (position, asset) in assets.enumerated() {
            let (weight, column) = (weights[position], asset * count)
            for t in 0..<count { target[t] += weight * values[column + t] }
        }
        return x
    }
}

/// The share of the first of two branches: the other's risk over the sum of both.
enum BranchShare {
    /// - Throws: `OPT-203` where the risks do not add up to something positive, or one is negative.
    static func first(_ left: Double, _ right: Double) throws(Problem) -> Double {
        guard left >= 0, right >= 0, left + right > 0, left + right < .infinity else {
            throw Problem(
                .ratioUndefined,
                "Two branches of the tree have the risks \(left) and \(right): shares inverse to risk are not defined. Choose another risk measure."
            )
        }
        return 1 - left / (left + right)
    }
}
