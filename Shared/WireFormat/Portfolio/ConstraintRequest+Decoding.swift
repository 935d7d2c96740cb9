extension ConstraintRequest {
    /// Reads the members; everything wrong goes to the reader's list of faults.
    init(_ reader: MemberReader, assets: [String]) {
        self.init()
        lowerBound = Self.bound("lower_bound", reader, assets)
        upperBound = Self.bound("upper_bound", reader, assets)
        readGroups(reader)
        readLinear(reader, assets)
        readBudget(reader)
        short = reader.double("short", in: .nonnegative)
        gross = reader.double("gross", in: .nonnegative)
        readTurnover(reader, assets)
        minReturn = reader.double("min_return")
        if let units = reader.string("units") {
            if !["annual", "period"].contains(units) {
                reader.fault(
                    "units", .unknownValue, MemberReader.unknownValue(units, known: ["annual", "period"]))
            }
            isAnnual = units == "annual"
        }
        readBenchmark(reader, assets)
        readRisk(reader, assets)
        centrality = CentralityRequest.read(reader)
        readInteger(reader, assets)
        readCosts(reader, assets)
        readSoft(reader)
        checkBounds(reader, assets)
        reader.finish()
    }

    /// A number for every asset, or by asset.
    static func bound(
        _ name: String, _ reader: MemberReader, _ assets: [String],
        in range: Interval = Interval(lower: -1000, upper: 1000)
    ) -> Bound? {
        guard let value = reader.value(name) else { return nil }
        if value.numberValue != nil { return reader.double(name, in: range).map { .all($0) } }
        guard value.objectValue != nil else {
            reader.fault(name, .wrongType, "Expected a number or an object by asset, found \(value.kindInWords).")
            return nil
        }
        return reader.weights(name, among: assets, in: range).map { .byAsset($0) }
    }

    private mutating func readGroups(_ reader: MemberReader) {
        if let inner = reader.object("groups") {
            // The bytes differ, or it would be a duplicate member; what looks the same is one group for whoever looks it up.
            var known: Set<String> = []
            for member in inner.object.members {
                if !known.insert(member.key).inserted {
                    inner.fault(member.key, .duplicate, "Another group's name looks the same.")
                }
                if member.key.isEmpty || member.key.utf8.count > 256 {
                    inner.fault(member.key, .badFormat, "A group's name has 1 to 256 bytes.")
                }
                guard let names = inner.strings(member.key, required: true) else { continue }
                var seen: Set<String> = []
                for (index, name) in names.enumerated() where !seen.insert(name).inserted {
                    let place = inner.pointer.appending(member.key).appending(index)
                    inner.faults.record(Violation(place, .duplicate, "\"\(Problem.echo(name))\" occurs twice."))
                }
                groups.append(Group(member.key, names))
            }
        }
        guard let limits = reader.object("group_constraints") else { return }
        for member in limits.object.members {
            guard groups.contains(where: { $0.name == member.key }) else {
                if reader.object["groups"]?[member.key] == nil {
                    let nearest = NearestName.of(member.key, among: groups.map { $0.name })
                    let hint = nearest.map { " Did you mean \($0)?" } ?? ""
                    let detail = "There is no group \"\(Problem.echo(member.key))\" in constraints.groups.\(hint)"
                    limits.fault(member.key, .unknownMember, detail)
                }
                continue
            }
            guard let inner = limits.object(member.key, required: true) else { continue }
            let low = inner.double("min", in: Interval(lower: -1000, upper: 1000))
            let high = inner.double("max", in: Interval(lower: -1000, upper: 1000))
            if let low, let high, low > high {
                inner.fault("min", .contradiction, "The minimum \(low) is above the maximum \(high).")
            }
            inner.finish()
            groupLimits.append(GroupLimit(group: member.key, min: low, max: high))
        }
    }

    private mutating func readLinear(_ reader: MemberReader, _ assets: [String]) {
        var names: Set<String> = []
        for (place, value) in reader.elements("linear") ?? [] {
            if let text = value.stringValue {
                do {
                    linear.append(try LinearExpression.parse(text, assets: assets, groups: groups.map { $0.name }))
                } catch {
                    reader.faults.record(Violation(place, .badFormat, error.description))
                }
                continue
            }
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            let name = inner.string("name", maximumLength: 256)
            if let name, !names.insert(name).inserted {
                inner.fault("name", .duplicate, "Two linear constraints are named \"\(Problem.echo(name))\".")
            }
            let coefficients = inner.numbers("coefficients", required: true) ?? []
            let low = inner.double("min")
            let high = inner.double("max")
            if low == nil, high == nil, inner.object["min"] == nil, inner.object["max"] == nil {
                inner.fault("max", .missing, "A linear constraint needs min or max.")
            }
            if let low, let high, low > high {
                inner.fault("min", .contradiction, "The minimum \(low) is above the maximum \(high).")
            }
            inner.checkKnown(
                coefficients.map { $0.key }, among: assets.isEmpty ? [] : assets + groups.map { $0.name },
                at: place.appending("coefficients"), "is not among the assets")
            inner.finish()
            linear.append(
                Linear(name: name, coefficients: coefficients.map { AssetValue($0.key, $0.value) }, min: low, max: high)
            )
        }
    }

    private mutating func readBudget(_ reader: MemberReader) {
        let range = Interval(lower: -1000, upper: 1000)
        guard let value = reader.value("budget") else { return }
        if value.numberValue != nil {
            if let total = reader.double("budget", in: range) { budget = Budget(min: total, max: total) }
            return
        }
        guard let inner = reader.object("budget") else { return }
        let low = inner.double("min", required: true, in: range)
        let high = inner.double("max", required: true, in: range)
        inner.finish()
        guard let low, let high else { return }
        if low > high { inner.fault("min", .contradiction, "The minimum \(low) is above the maximum \(high).") }
        budget = Budget(min: low, max: high)
    }

    private mutating func readTurnover(_ reader: MemberReader, _ assets: [String]) {
        guard let inner = reader.object("turnover") else { return }
        let from = inner.weights("from", among: assets, required: true) ?? []
        let perAsset = inner.double("per_asset", in: .nonnegative)
        let total = inner.double("total", in: .nonnegative)
        if !inner.has("per_asset"), !inner.has("total") {
            inner.fault("total", .missing, "Turnover needs per_asset or total.")
        }
        inner.finish()
        turnover = Turnover(from: from, perAsset: perAsset, total: total)
    }

    private func checkBounds(_ reader: MemberReader, _ assets: [String]) {
        let isLongOnly = (short ?? 0) == 0
        for asset in assets {
            let low = lower(of: asset)
            let high = upper(of: asset)
            if low > high {
                let place: JSONPointer =
                    if case .byAsset(let values)? = lowerBound, values.contains(where: { $0.asset == asset }) {
                        reader.pointer.appending("lower_bound").appending(asset)
                    } else if lowerBound != nil {
                        reader.pointer.appending("lower_bound")
                    } else if case .byAsset? = upperBound {
                        reader.pointer.appending("upper_bound").appending(asset)
                    } else {
                        reader.pointer.appending("upper_bound")
                    }
                let detail = "The lower bound \(low) of \(Problem.echo(asset)) is above its upper bound \(high)."
                reader.faults.record(Violation(place, .contradiction, detail, limit: high, value: low))
                if case .byAsset? = lowerBound { continue }
                if case .byAsset? = upperBound { continue }
                return
            }
        }
        if isLongOnly, let negative = assets.first(where: { lower(of: $0) < 0 }) {
            let detail = "The lower bound of \(Problem.echo(negative)) is below zero, which needs constraints.short."
            reader.fault("lower_bound", .contradiction, detail)
        }
    }
}
