import WireFormat

extension Problem {
    /// Whether rounding or the budget of iterations ended a solve: another path to the same solution may still get there.
    var isOfRounding: Bool {
        code == ProblemCode.unstable.rawValue || code == ProblemCode.notConverged.rawValue
    }
}
