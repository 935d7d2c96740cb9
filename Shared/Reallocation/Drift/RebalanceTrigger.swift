public import LinearAlgebra
import RealModule
public import WireFormat

/// When to rebalance: bands, a calendar, cash flows, a changed target, a cooldown.
///
/// A rule fires when its measure is strictly greater than its threshold. The cooldown silences everything but a changed target.
public struct RebalanceTrigger: Sendable, Equatable {
    /// A reason to rebalance; raw values are the wire's words.
    public enum Rule: String, Sendable, CaseIterable {
        case halfL1 = "half_l1"
        case maxAbsolute = "max_absolute"
        case maxRelative = "max_relative"
        case trackingError = "tracking_error"
        case calendar, cashFlow = "cash_flow", targetChanged = "target_changed"
        case noTradeRegion = "no_trade_region"
    }

    public var thresholds: RebalanceSettings.Thresholds

    public init(_ thresholds: RebalanceSettings.Thresholds = .init()) { self.thresholds = thresholds }

    /// Whether no measure is set: then any difference is a reason to look for a better portfolio.
    public var isEmpty: Bool {
        let set = thresholds
        return set.halfL1 == nil && set.maxAbsolute == nil && set.maxRelative == nil && set.trackingError == nil
            && set.calendarDays == nil && set.cashFlow == nil && !set.noTradeRegion
    }

    /// The state of each rule that is set. `trackingError` may be unknown; a rule about it then doesn't fire.
    public func evaluate(
        _ drift: WeightDrift, trackingError measured: Double?, cash: String, daysSinceLast: Int?, isTargetChanged: Bool,
        leavesRegion: Bool = false
    ) -> [(rule: Rule, fired: Bool)] {
        var rules: [(rule: Rule, fired: Bool)] = []
        if let halfL1 = thresholds.halfL1 { rules.append((.halfL1, drift.exceeds(halfL1: halfL1))) }
        if let maxAbsolute = thresholds.maxAbsolute {
            rules.append((.maxAbsolute, drift.exceeds(largest: maxAbsolute)))
        }
        if let maxRelative = thresholds.maxRelative {
            rules.append((.maxRelative, drift.exceeds(largestRelative: maxRelative)))
        }
        if let trackingError = thresholds.trackingError {
            rules.append((.trackingError, measured.map { $0 > trackingError } ?? false))
        }
        if let calendarDays = thresholds.calendarDays {
            rules.append((.calendar, daysSinceLast.map { $0 >= calendarDays } ?? true))
        }
        if let cashFlow = thresholds.cashFlow {
            let gap = drift.gaps.first { $0.asset == cash }.map { ($0.held - $0.wanted).magnitude } ?? 0
            rules.append((.cashFlow, gap > cashFlow * drift.total))
        }
        if thresholds.noTradeRegion { rules.append((.noTradeRegion, leavesRegion)) }
        if isTargetChanged { rules.append((.targetChanged, true)) }
        if let cooldownDays = thresholds.cooldownDays, let daysSinceLast, daysSinceLast < cooldownDays {
            rules = rules.map { ($0.rule, $0.fired && $0.rule == .targetChanged) }
        }
        return rules
    }
}

/// The band within which a deviation of one asset is not worth its cost.
public enum NoTradeRegion {
    /// Half width of the band around the target weight for proportional costs.
    ///
    ///     D = (3 c nu^2 / (2 lambda sigma^2))^(1/3)
    ///
    /// c is the one-way cost as a fraction, nu^2 the variance rate of the deviation, lambda the risk aversion, sigma^2 the
    /// variance of the asset; trade to the nearer edge. Nil where the risk or its price is not positive.
    /// Source: Gerhold, Guasoni, Muhle-Karbe and Schachermayer (2014), Transaction costs, trading volume, and the liquidity
    /// premium, with nu^2 = pi^2 (1-pi)^2 sigma^2; Leland (1996) for the edge rule.
    public static func halfWidth(
        cost: Double, deviationVariance: Double, riskAversion: Double, variance: Double
    ) -> Double? {
        guard cost >= 0, deviationVariance >= 0, riskAversion > 0, variance > 0 else { return nil }
        return Double.root(3 * cost * deviationVariance / (2 * riskAversion * variance), 3)
    }

    /// Whether any asset is so far out that a first step of its trade pays its proportional cost at once.
    ///
    ///     |lambda H (Sigma d)_i - H alpha_i| > c_i
    ///
    /// is the subgradient of the trade problem at no trade: where it holds for none, doing nothing is best as long as costs are
    /// proportional and tax plays no part. Source: Moallemi and Saglam (2017), Dynamic portfolio choice with linear rebalancing rules.
    public static func isLeft(
        deviations: [Double], covariance: Matrix, riskAversion: Double, horizonYears: Double, expectedReturns: [Double],
        costs: [Double]
    ) -> Bool {
        let pull = covariance.symmetricMultiplied(by: deviations)
        return pull.indices.contains { i in
            (riskAversion * horizonYears * pull[i] - horizonYears * expectedReturns[i]).magnitude > costs[i]
        }
    }
}
