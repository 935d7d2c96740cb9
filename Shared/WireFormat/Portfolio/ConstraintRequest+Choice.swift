/// Constraints on which assets are held: those that make the problem one of choice.
extension ConstraintRequest {
    mutating func readInteger(_ reader: MemberReader, _ assets: [String]) {
        readCardinality(reader)
        minPosition = reader.double("min_position", in: Interval(lower: 0, upper: 1000, lowerOpen: true))
        mutuallyExclusive = pairs("mutually_exclusive", reader, assets)
        join = pairs("join", reader, assets)
        network = NeighbourhoodRequest.read(reader)
        clusters = ClusterLimitRequest.read(reader, assets: assets)
    }

    /// Whether the set of assets held is constrained.
    public var hasChoice: Bool {
        cardinality != nil || minPosition != nil || !mutuallyExclusive.isEmpty || !join.isEmpty || network != nil
            || clusters != nil
    }

    private mutating func readCardinality(_ reader: MemberReader) {
        let range = 1...OptimizeRequest.mostAssets
        guard let value = reader.value("cardinality") else { return }
        if value.numberValue != nil {
            cardinality = reader.int("cardinality", in: range).map { Cardinality(max: $0) }
            return
        }
        guard value.objectValue != nil else {
            let detail = "Expected a whole number or an object with max and groups, found \(value.kindInWords)."
            reader.fault("cardinality", .wrongType, detail)
            return
        }
        guard let inner = reader.object("cardinality") else { return }
        defer { inner.finish() }
        var read = Cardinality(max: inner.int("max", in: range))
        if let counts = inner.object("groups") {
            if !groups.isEmpty || !counts.object.isEmpty {
                let known = groups.map { $0.name }
                for name in counts.object.keys where !known.contains(name) {
                    let nearest = NearestName.of(name, among: known).map { " Did you mean \($0)?" } ?? ""
                    let detail = "There is no group \"\(Problem.echo(name))\" in constraints.groups.\(nearest)"
                    counts.fault(name, .unknownMember, detail)
                }
            }
            for member in counts.object.members {
                guard let most = counts.int(member.key, required: true, in: 0...OptimizeRequest.mostAssets) else {
                    continue
                }
                read.groups.append(.init(group: member.key, max: most))
            }
        }
        if !inner.has("max"), !inner.has("groups") {
            inner.fault("max", .missing, "cardinality needs max or groups.")
        }
        cardinality = read
    }

    private func pairs(_ name: String, _ reader: MemberReader, _ assets: [String]) -> [Pair] {
        let known = assets.isEmpty ? [] : assets + groups.map { $0.name }
        var read: [Pair] = []
        for (place, value) in reader.elements(name, count: 0...100_000) ?? [] {
            guard let elements = value.arrayValue else {
                reader.faults.record(
                    Violation(place, .wrongType, "Expected a pair of names, found \(value.kindInWords)."))
                continue
            }
            let names = elements.enumerated().compactMap {
                reader.string($0.element, at: place.appending($0.offset), maximumLength: 256)
            }
            guard names.count == elements.count else { continue }
            guard names.count == 2, names[0] != names[1] else {
                reader.faults.record(Violation(place, .badFormat, "A pair has two different names."))
                continue
            }
            for (index, text) in names.enumerated() where !known.isEmpty && !known.contains(text) {
                let nearest = NearestName.of(text, among: known).map { " Did you mean \($0)?" } ?? ""
                let detail = "\"\(Problem.echo(text))\" is neither an asset nor a group.\(nearest)"
                reader.faults.record(Violation(place.appending(index), .unknownValue, detail))
            }
            read.append(Pair(names[0], names[1]))
        }
        return read
    }
}
