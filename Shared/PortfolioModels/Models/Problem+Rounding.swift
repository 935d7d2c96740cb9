import WireFormat

extension Problem {
    /// Whether rounding or the budget of iterations ended a solve: another path to the same solution may still get there.
    var isOfRounding: Bool {
        code == ProblemCode.unstable.rawValue || code == ProblemCode.notConverged.rawValue
    }

    /// Whether a ratio was refused because nothing beats the rate.
    var isWithoutExcess: Bool { extensions["best_excess_return"] != nil }

    /// Whether a ratio was refused because a portfolio without risk beats the rate.
    var isUnlimitedRatio: Bool {
        code == ProblemCode.ratioUndefined.rawValue && detail == MeanVariance.unlimitedRatio.detail
    }
}
