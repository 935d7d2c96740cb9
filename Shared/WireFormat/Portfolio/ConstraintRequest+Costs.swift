/// What enters the objective instead of forbidding: trading costs and softened constraints.
extension ConstraintRequest {
    /// Constraints that may be softened, by their first word.
    public static let softenable = [
        "group_constraints", "linear", "short", "gross", "turnover", "tracking_error", "min_return", "max_risk",
        "effective_assets", "factor_exposure",
    ]

    mutating func readCosts(_ reader: MemberReader, _ assets: [String]) {
        guard let inner = reader.object("costs") else { return }
        let from = inner.weights("from", among: assets, required: true) ?? []
        let linear = Self.bound("linear", inner, assets, in: .nonnegative)
        let impact = Self.bound("impact", inner, assets, in: .nonnegative)
        let horizon = inner.double("horizon", in: .positive) ?? 1
        if !inner.has("linear"), !inner.has("impact") {
            inner.fault("linear", .missing, "Costs need linear or impact.")
        }
        inner.finish()
        costs = Costs(from: from, linear: linear, impact: impact, horizon: horizon)
    }

    mutating func readSoft(_ reader: MemberReader) {
        guard let values = reader.numbers("soft", in: .positive) else { return }
        let place = reader.pointer.appending("soft")
        for (name, weight) in values {
            let tokens = name.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
            let head = tokens.first ?? ""
            if !Self.softenable.contains(head) {
                let nearest = NearestName.of(head, among: Self.softenable).map { " Did you mean \($0)?" } ?? ""
                let detail = "\"\(Problem.echo(name))\" is no constraint that can be softened.\(nearest)"
                reader.faults.record(Violation(place.appending(name), .unknownValue, detail))
            } else if reader.object[head].map({ $0.isNull }) ?? true {
                let detail = "constraints.\(head) is not given, so it cannot be softened."
                reader.faults.record(Violation(place.appending(name), .contradiction, detail))
            }
            soft.append(Softened(constraint: name, weight: weight))
        }
    }
}
