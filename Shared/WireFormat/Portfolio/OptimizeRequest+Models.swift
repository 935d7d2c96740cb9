/// Parameters of single models, and which model reads which.
extension OptimizeRequest {
    mutating func readModelParameters(_ reader: MemberReader) {
        meanEstimator = MeanEstimatorRequest.read(reader, assets: assets) ?? meanEstimator
        covarianceEstimator = CovarianceEstimatorRequest.read(reader, assets: assets) ?? covarianceEstimator
        factors = FactorRequest.read(reader, assets: assets)
        let named = assets + constraints.groups.map { $0.name } + (factors?.names ?? [])
        views = ViewsRequest.read(reader, assets: assets, names: named)
        readBudget(reader)
        if let inner = reader.object("relaxation") {
            var read = Relaxation()
            read.version = inner.choice("version", of: Relaxation.Version.self) ?? read.version
            read.lambda = inner.double("lambda", in: .nonnegative) ?? read.lambda
            inner.finish()
            relaxation = read
        }
        if let inner = reader.object("moment_aversion") {
            var read = MomentAversion()
            read.variance = inner.double("variance", in: .nonnegative) ?? read.variance
            read.skewness = inner.double("skewness", in: .nonnegative) ?? read.skewness
            read.kurtosis = inner.double("kurtosis", in: .nonnegative) ?? read.kurtosis
            inner.finish()
            momentAversion = read
        }
        uncertainty = UncertaintyRequest.read(reader)
        if model == .worstCase, uncertainty?.wassersteinRadius != nil, !reader.has("risk_measure") {
            riskMeasure = .cvar
        }
        if model == .orderedWeightedAverage {
            if reader.has("risk_measure") {
                reader.fault(
                    "risk_measure", .contradiction, "The risk of OWA is that of owa_weights; it reads no risk_measure.")
            }
            riskMeasure = .gmd
        }
        clustering = ClusteringRequest.read(reader, assets: assets)
        owaWeights = OWAWeightsRequest.read(reader)
        scenarioWeights = ScenarioWeightsRequest.read(reader)
        nearOptimal = NearOptimalRequest.read(reader)
        resampling = ResamplingRequest.read(reader, assets: assets.count)
    }

    private mutating func readBudget(_ reader: MemberReader) {
        let isOfFactors = model == .factorRiskParity
        let names = isOfFactors ? factors?.names ?? [] : assets
        guard reader.has("risk_budget") else { return }
        guard let shares = reader.numbers("risk_budget", in: .positive) else { return }
        reader.checkKnown(
            shares.map { $0.key }, among: names, at: reader.pointer.appending("risk_budget"),
            isOfFactors ? "is not among the factors" : "is not among the assets")
        let read = shares.map { ConstraintRequest.AssetValue($0.key, $0.value) }
        reader.requireAll(names, in: read, of: "risk_budget")
        let total = read.reduce(0) { $0 + $1.value }
        if abs(total - 1) > 1e-9, !read.isEmpty {
            let place = reader.pointer.appending("risk_budget")
            let detail = "The budgets add up to \(total), not to one."
            reader.faults.record(Violation(place, .contradiction, detail, limit: 1, value: total))
        }
        riskBudget = read
    }

    /// What no single member can tell: whether the model reads what is given, and has what it needs.
    func checkConsistency(_ reader: MemberReader) {
        checkMeasure(reader)
        let convex: Set<ModelName> = [
            .classic, .blackLitterman, .factorModel, .blackLittermanFactors, .entropyPooling,
        ]
        let readers: [(member: String, models: Set<ModelName>)] = [
            ("views", [.blackLitterman, .blackLittermanFactors, .entropyPooling]),
            ("risk_budget", [.riskParity, .relaxedRiskParity, .factorRiskParity]),
            ("relaxation", [.relaxedRiskParity]), ("uncertainty", [.worstCase]),
            (
                "clustering",
                [
                    .hierarchicalRiskParity, .hierarchicalEqualRisk, .hierarchicalEqualRisk2, .nestedClusters,
                    .schurComplement,
                ]
            ),
            ("owa_weights", [.orderedWeightedAverage]), ("moment_aversion", [.fourMoments]),
            ("near_optimal", [.nearOptimal]), ("resampling", [.resampled]),
            ("kelly", convex.union([.orderedWeightedAverage])),
            ("efficient_frontier", convex.union([.orderedWeightedAverage, .worstCase, .fourMoments])),
        ]
        for (member, models) in readers where isAsked(member, reader) && !models.contains(model) {
            let names = ModelName.allCases.filter { models.contains($0) }.map { $0.rawValue }
            let detail = "\(model.rawValue) does not read \(member); it belongs to \(names.joined(separator: ", "))."
            reader.fault(member, .contradiction, detail)
        }
        checkFactors(reader)
        checkViews(reader)
        checkBenchmark(reader)
    }

    /// A benchmark that nothing reads is a mistake; the model that tracks one cannot do without.
    private func checkBenchmark(_ reader: MemberReader) {
        let limits = reader.object["constraints"]?.objectValue ?? JSONObject()
        let given = ["benchmark", "benchmark_returns"].first { !(limits[$0]?.isNull ?? true) }
        let place = reader.pointer.appending("constraints")
        if model == .benchmarkTracking, given == nil {
            let detail = "\(model.rawValue) needs constraints.benchmark or constraints.benchmark_returns."
            reader.faults.record(Violation(place.appending("benchmark"), .missing, detail))
        }
        if let given, model != .benchmarkTracking, limits["tracking_error"]?.isNull ?? true {
            let detail = "\(given) is read by constraints.tracking_error and by the model Tracking only."
            reader.faults.record(Violation(place.appending(given), .contradiction, detail))
        }
    }

    /// Whether a member is there and asks for something: `"kelly": "none"` and `"efficient_frontier": false` do not.
    private func isAsked(_ member: String, _ reader: MemberReader) -> Bool {
        switch member {
        case "kelly": kelly != .none
        case "efficient_frontier": frontier != nil
        default: reader.has(member)
        }
    }

    private func checkMeasure(_ reader: MemberReader) {
        let place = reader.has("risk_measure") ? "risk_measure" : "model"
        let splitsByAnyRisk = model.isHierarchical && model != .nestedClusters
        if !riskMeasure.isOptimisable, !splitsByAnyRisk {
            let codes = RiskMeasureCode.optimisable.map { $0.rawValue }.joined(separator: ", ")
            let detail =
                "\(riskMeasure.rawValue) is not convex and serves for evaluation and for HRP, HERC and HERC2 only. Optimisable: \(codes)."
            return reader.fault(place, .other("evaluation_only"), detail)
        }
        let own: Set<RiskMeasureCode>? =
            switch model {
            case .relaxedRiskParity, .fourMoments, .schurComplement, .maximumDiversification, .maximumDecorrelation,
                .inverseVolatility, .inverseVariance:
                [.mv]
            case .worstCase: uncertainty?.wassersteinRadius == nil ? [.mv] : [.cvar]
            default: nil
            }
        if let own, !own.contains(riskMeasure), reader.has("risk_measure") {
            let names = own.map { $0.rawValue }.joined(separator: ", ")
            reader.fault(
                place, .contradiction, "\(model.rawValue) has the measure \(names), not \(riskMeasure.rawValue).")
        }
    }

    private func checkFactors(_ reader: MemberReader) {
        let needs: Set<ModelName> = [.factorModel, .blackLittermanFactors, .factorRiskParity]
        let hasExposure = !constraints.factorExposure.isEmpty
        if needs.contains(model), !reader.has("factors") {
            reader.fault("factors", .missing, "\(model.rawValue) needs factors.")
        }
        if reader.has("factors"), !needs.contains(model), !hasExposure {
            let detail =
                "\(model.rawValue) does not read factors; they belong to FM, BL_FM, FactorRiskParity and constraints.factor_exposure."
            reader.fault("factors", .contradiction, detail)
        }
        guard hasExposure else { return }
        let place = reader.pointer.appending("constraints").appending("factor_exposure")
        if !reader.has("factors") {
            reader.fault("factors", .missing, "constraints.factor_exposure needs factors.")
        } else if let factors {
            reader.checkKnown(
                constraints.factorExposure.map { $0.name }, among: factors.names, at: place,
                "is not among the factors")
        }
    }

    private func checkViews(_ reader: MemberReader) {
        let isBayesian = model == .blackLitterman || model == .blackLittermanFactors
        if isBayesian || model == .entropyPooling, !reader.has("views") {
            reader.fault("views", .missing, "\(model.rawValue) needs views.")
        }
        guard isBayesian, let views else { return }
        let place = reader.pointer.appending("views").appending("items")
        for (index, view) in views.items.enumerated() {
            if view.statistic != .mean {
                let detail = "\(model.rawValue) has views of means; those of \(view.statistic.rawValue) belong to EP."
                reader.faults.record(Violation(place.appending(index), .contradiction, detail))
            } else if view.sense != .equal {
                let detail = "\(model.rawValue) has equalities only; inequalities belong to EP."
                reader.faults.record(Violation(place.appending(index), .contradiction, detail))
            }
        }
        if !views.opinions.isEmpty {
            reader.faults.record(
                Violation(
                    reader.pointer.appending("views").appending("opinions"), .contradiction,
                    "Opinions are pooled by EP only."))
        }
    }
}

extension OptimizeRequest {
    /// The member whose T numbers do not fit a panel of `observations` periods, or nil: only the panel knows T.
    public func lengthViolation(dates: [CalendarDate]) -> Violation? {
        let root = JSONPointer.root
        func wrong(_ place: JSONPointer, _ count: Int) -> Violation {
            Violation(
                place, .other("length_mismatch"), "\(count) numbers for \(dates.count) periods of the panel.",
                limit: Double(dates.count), value: Double(count))
        }
        if case .given(let weights)? = owaWeights, weights.count != dates.count {
            return wrong(root.appending("owa_weights"), weights.count)
        }
        if case .given(let weights)? = scenarioWeights, weights.count != dates.count {
            return wrong(root.appending("scenario_weights"), weights.count)
        }
        if let series = constraints.benchmarkReturns, series.aligned(to: dates) == nil {
            let place = root.appending("constraints").appending("benchmark_returns")
            guard let own = series.dates else { return wrong(place, series.values.count) }
            let known = Set(own)
            let gap = dates.first { !known.contains($0) }.map { "\($0)" } ?? "a date"
            return Violation(place, .other("length_mismatch"), "The benchmark has no return on \(gap).")
        }
        return nil
    }
}
