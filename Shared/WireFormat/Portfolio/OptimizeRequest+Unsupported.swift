extension OptimizeRequest {
    /// The first thing the request asks for that no code applies yet, or nil. Nothing is ever ignored in silence.
    ///
    /// A line disappears when the engine learns what it names.
    public func unsupported() -> Violation? {
        let wanted = constraints
        let missing: [(isAsked: Bool, place: [String], detail: String)] = [
            (
                !wanted.riskContribution.isEmpty, ["constraints", "risk_contribution"],
                "constraints.risk_contribution"
            ),
            (!wanted.soft.isEmpty, ["constraints", "soft"], "constraints.soft"),
        ]
        guard let first = missing.first(where: { $0.isAsked }) else { return nil }
        return Violation(
            JSONPointer(first.place), .other("not_supported_yet"), "\(first.detail) is not supported yet.")
    }
}
