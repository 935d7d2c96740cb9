public import Foundation

/// How far the weights held are from the weights wanted, cash counted as an asset like any other.
///
/// ```
/// halfL1           = 1/2 sum |w - w*|     one-way turnover to the target
/// largest          = max |w - w*|
/// largestRelative  = max |w - w*| / w*    over assets with w* > 0
/// ```
/// Weights are exact decimals and fractions of one. Source: Daryanani (2008), Opportunistic
/// Rebalancing (relative bands); one-way turnover as index funds report it.
public struct WeightDrift: Sendable, Equatable {
    public let halfL1: Decimal
    public let largest: Decimal
    /// Nil where no asset has a target above zero.
    public let largestRelative: Decimal?

    /// An asset missing on one side counts as zero there.
    public init(held: [String: Decimal], target: [String: Decimal]) {
        var sum = Decimal.zero
        var largest = Decimal.zero
        var largestRelative: Decimal?
        for asset in Set(held.keys).union(target.keys) {
            let wanted = target[asset] ?? 0
            let distance = ((held[asset] ?? 0) - wanted).magnitude
            sum += distance
            largest = max(largest, distance)
            if wanted > 0 { largestRelative = max(largestRelative ?? 0, distance / wanted) }
        }
        halfL1 = sum / 2
        self.largest = largest
        self.largestRelative = largestRelative
    }

    /// Whether a threshold is passed. A measure fires when it is strictly greater than its threshold; nil never fires.
    public func exceeds(halfL1: Decimal? = nil, largest: Decimal? = nil, largestRelative: Decimal? = nil) -> Bool {
        if let halfL1, self.halfL1 > halfL1 { return true }
        if let largest, self.largest > largest { return true }
        if let largestRelative, let own = self.largestRelative, own > largestRelative { return true }
        return false
    }
}
