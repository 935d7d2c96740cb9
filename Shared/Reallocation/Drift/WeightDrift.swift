public import WireFormat

/// How far the weights held are from the weights wanted, cash counted as an asset like any other.
///
/// ```
/// halfL1           = 1/2 sum |w - w*|     one-way turnover to the target
/// largest          = max |w - w*|
/// largestRelative  = max |w - w*| / w*    over assets with w* > 0
/// ```
/// Everything is decimal. Rules are decided on values, |p q - w* V| against theta V, so that no quotient is rounded before it
/// is compared. Source: Daryanani (2008), Opportunistic Rebalancing (relative bands); one-way turnover as index funds report it.
public struct WeightDrift: Sendable, Equatable {
    /// One asset's place in a measure.
    public struct Extreme: Sendable, Equatable {
        public var asset: String
        public var value: FixedDecimal

        public init(asset: String, value: FixedDecimal) {
            self.asset = asset
            self.value = value
        }
    }

    /// Value of the portfolio, cash included.
    public let total: FixedDecimal
    /// Held less wanted, in currency, by asset in the order of their names.
    public let gaps: [(asset: String, held: FixedDecimal, wanted: FixedDecimal)]
    public let halfL1: FixedDecimal
    /// The asset that is furthest from its target; nil without assets.
    public let largest: Extreme?
    /// Nil where no asset has a target above zero.
    public let largestRelative: Extreme?

    /// Values held in currency, cash among them, against target weights; an asset missing on one side counts as zero there.
    /// A portfolio that is worth nothing has weights of zero.
    public init(values: [String: FixedDecimal], target: [String: FixedDecimal]) {
        let total = values.values.reduce(.zero, +)
        var gaps: [(asset: String, held: FixedDecimal, wanted: FixedDecimal)] = []
        var sum = FixedDecimal.zero
        var largest: Extreme?
        var relative: (asset: String, gap: FixedDecimal, wanted: FixedDecimal)?
        for asset in Set(values.keys).union(target.keys).sorted() {
            let held = values[asset] ?? 0
            let wanted = (target[asset] ?? 0) * total
            let gap = (held - wanted).magnitude
            gaps.append((asset, held, wanted))
            sum += gap
            if largest.map({ gap > $0.value }) ?? true { largest = Extreme(asset: asset, value: gap) }
            if wanted > 0, relative.map({ gap * $0.wanted > $0.gap * wanted }) ?? true {
                relative = (asset, gap, wanted)
            }
        }
        self.total = total
        self.gaps = gaps
        sumOfGaps = sum
        largestGap = largest?.value ?? 0
        func share(_ value: FixedDecimal) -> FixedDecimal { total > 0 ? value / total : 0 }
        halfL1 = share(sum) / 2
        self.largest = largest.map { Extreme(asset: $0.asset, value: share($0.value)) }
        largestRelative = relative.map { Extreme(asset: $0.asset, value: $0.gap / $0.wanted) }
    }

    private let sumOfGaps: FixedDecimal
    private let largestGap: FixedDecimal

    public static func == (a: WeightDrift, b: WeightDrift) -> Bool {
        a.total == b.total && a.halfL1 == b.halfL1 && a.largest == b.largest && a.largestRelative == b.largestRelative
            && a.gaps.elementsEqual(b.gaps) { $0 == $1 }
    }

    /// The weight of an asset, and how far it is from its target; zero for one that is not there.
    public func weight(of asset: String) -> (held: FixedDecimal, deviation: FixedDecimal) {
        guard total > 0, let gap = gaps.first(where: { $0.asset == asset }) else { return (0, 0) }
        return (gap.held / total, (gap.held - gap.wanted) / total)
    }

    /// Whether half the sum of deviations is strictly greater than a threshold.
    public func exceeds(halfL1 threshold: FixedDecimal) -> Bool { sumOfGaps > 2 * (threshold * total) }

    /// Whether the largest deviation is strictly greater than a threshold.
    public func exceeds(largest threshold: FixedDecimal) -> Bool { largestGap > threshold * total }

    /// Whether any deviation is strictly greater than a threshold times its target.
    public func exceeds(largestRelative threshold: FixedDecimal) -> Bool {
        gaps.contains { $0.wanted > 0 && ($0.held - $0.wanted).magnitude > threshold * $0.wanted }
    }
}
