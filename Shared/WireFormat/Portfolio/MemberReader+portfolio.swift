extension MemberReader {
    /// An object of numbers by asset, refusing names that are not among `assets`.
    func weights(
        _ name: String, among assets: [String], required: Bool = false,
        in range: Interval = Interval(lower: -1000, upper: 1000)
    ) -> [ConstraintRequest.AssetValue]? {
        guard let read = numbers(name, required: required, in: range) else { return nil }
        checkKnown(read.map { $0.key }, among: assets, at: pointer.appending(name), "is not among the assets")
        return read.map { ConstraintRequest.AssetValue($0.key, $0.value) }
    }

    /// Refuses names that are not among the known ones, with the nearest. An empty list of known names knows nothing yet.
    func checkKnown(_ names: [String], among known: [String], at place: JSONPointer, _ words: String) {
        guard !known.isEmpty else { return }
        let all = Set(known)
        for name in names where !all.contains(name) {
            let nearest = NearestName.of(name, among: known).map { " Did you mean \($0)?" } ?? ""
            let detail = "\"\(Problem.echo(name))\" \(words).\(nearest)"
            faults.record(Violation(place.appending(name), .unknownValue, detail))
        }
    }

    /// Refuses parameters that the chosen method does not read: nothing is ignored.
    func refuseOthers(than used: Set<String>, of method: String, among all: [String]) {
        for name in all where has(name) && !used.contains(name) {
            let list = used.isEmpty ? "no parameters" : "only " + used.sorted().joined(separator: ", ")
            fault(name, .contradiction, "\(method) does not read \(name); it has \(list).")
        }
    }

    /// Records each asset that has no figure.
    func requireAll(_ assets: [String], in values: [ConstraintRequest.AssetValue], of name: String) {
        let given = Set(values.map { $0.asset })
        for asset in assets where !given.contains(asset) {
            let place = pointer.appending(name).appending(asset)
            faults.record(Violation(place, .missing, "\(Problem.echo(asset)) has no figure in \(name)."))
        }
    }

    /// `{"name":{"min":..,"max":..}}`; a name without both is a fault.
    func limits(_ name: String, in range: Interval) -> [ConstraintRequest.Limit] {
        guard let outer = object(name) else { return [] }
        var read: [ConstraintRequest.Limit] = []
        for member in outer.object.members {
            guard let inner = outer.object(member.key, required: true) else { continue }
            let low = inner.double("min", in: range)
            let high = inner.double("max", in: range)
            if let low, let high, low > high {
                inner.fault("min", .contradiction, "The minimum \(low) is above the maximum \(high).")
            }
            if !inner.has("min"), !inner.has("max") { inner.fault("max", .missing, "A limit needs min or max.") }
            inner.finish()
            read.append(ConstraintRequest.Limit(name: member.key, min: low, max: high))
        }
        return read
    }
}
