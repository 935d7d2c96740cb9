/// Benchmarks, ceilings on risk, diversification and contributions.
extension ConstraintRequest {
    mutating func readBenchmark(_ reader: MemberReader, _ assets: [String]) {
        benchmark = reader.weights("benchmark", among: assets) ?? []
        benchmarkReturns = Self.benchmarkReturns(reader)
        trackingError = reader.double("tracking_error", in: .nonnegative)
        let given = ["benchmark", "benchmark_returns"].filter { reader.has($0) }
        if given.count > 1 {
            reader.fault("benchmark_returns", .contradiction, "A benchmark is weights or a series, not both.")
        }
        if reader.has("tracking_error"), given.isEmpty {
            reader.fault("benchmark", .missing, "tracking_error needs benchmark or benchmark_returns.")
        }
    }

    static func benchmarkReturns(_ reader: MemberReader) -> BenchmarkReturns? {
        let range = Interval(lower: -1e6, upper: 1e6)
        guard let value = reader.value("benchmark_returns") else { return nil }
        if value.arrayValue != nil {
            return reader.doubles("benchmark_returns", in: range).map { BenchmarkReturns(dates: nil, values: $0) }
        }
        guard value.objectValue != nil else {
            let detail = "Expected an array of returns, or an object of dates and values, found \(value.kindInWords)."
            reader.fault("benchmark_returns", .wrongType, detail)
            return nil
        }
        guard let inner = reader.object("benchmark_returns") else { return nil }
        defer { inner.finish() }
        var dates: [CalendarDate] = []
        for (place, element) in inner.elements("dates", required: true) ?? [] {
            guard let date = inner.date(element, at: place) else { continue }
            if let last = dates.last, date <= last {
                let detail = "\(date) follows \(last): dates ascend and none occurs twice."
                inner.faults.record(Violation(place, date == last ? .duplicate : .outOfRange, detail))
            }
            dates.append(date)
        }
        guard let values = inner.doubles("values", required: true, in: range) else { return nil }
        if values.count != dates.count, inner.isValid {
            inner.fault("values", .other("length_mismatch"), "\(values.count) figures for \(dates.count) dates.")
        }
        return BenchmarkReturns(dates: dates, values: values)
    }

    mutating func readRisk(_ reader: MemberReader, _ assets: [String]) {
        if let inner = reader.object("max_risk") {
            let known = RiskMeasureCode.optimisable.map { $0.rawValue }
            for member in inner.object.members {
                guard let code = RiskMeasureCode(rawValue: member.key) else {
                    inner.fault(member.key, .unknownValue, MemberReader.unknownValue(member.key, known: known))
                    continue
                }
                guard code.isOptimisable else {
                    let detail = "\(code.rawValue) serves for evaluation: a ceiling on it is not convex."
                    inner.fault(member.key, .other("evaluation_only"), detail)
                    continue
                }
                if let level = inner.double(member.key, required: true, in: .nonnegative) {
                    maxRisk.append(RiskLimit(measure: code, level: level))
                }
            }
        }
        effectiveAssets = reader.double("effective_assets", in: .positive)
        factorExposure = reader.limits("factor_exposure", in: Interval(lower: -1e6, upper: 1e6))
        riskContribution = reader.limits("risk_contribution", in: Interval(lower: -1000, upper: 1000))
        checkNames(riskContribution.map { $0.name }, reader, "risk_contribution", assets)
    }

    /// Refuses names that are neither assets nor groups.
    func checkNames(_ names: [String], _ reader: MemberReader, _ member: String, _ assets: [String]) {
        reader.checkKnown(
            names, among: assets.isEmpty ? [] : assets + groups.map { $0.name },
            at: reader.pointer.appending(member), "is neither an asset nor a group")
    }
}
