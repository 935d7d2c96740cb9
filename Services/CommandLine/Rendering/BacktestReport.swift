import WireFormat

/// The answer of `backtest` for people: what the strategy made, how far that can be believed, what it traded, what failed.
struct BacktestReport {
    let answer: JSONValue

    var text: String {
        var blocks = [heading]
        if answer["distribution"] == nil {
            blocks += [metrics, sharpe]
            if let falls { blocks.append(falls) }
        } else {
            blocks.append(distribution)
        }
        if let failures { blocks.append(failures) }
        blocks += (answer["warnings"]?.arrayValue ?? []).map { warning in
            "Warning \(warning["code"]?.stringValue ?? ""): \(warning["detail"]?.stringValue ?? "")"
        }
        return blocks.joined(separator: "\n\n")
    }

    private var heading: String {
        var parts = [answer["method"]?.stringValue == "combinatorial_purged" ? "Combinatorial purged" : "Walk-forward"]
        parts.append("\(answer["fits"]?.arrayValue?.count ?? 0) fits")
        if let paths = answer["paths"]?.arrayValue { parts.append("\(paths.count) paths") }
        if let start = answer["data"]?["start"]?.stringValue, let end = answer["data"]?["end"]?.stringValue {
            parts.append("data \(start) to \(end)")
        }
        if let time = answer["meta"]?["solve_ms"]?.doubleValue { parts.append("\(Figures.fixed(time, digits: 0)) ms") }
        return parts.joined(separator: "  ·  ")
    }

    private static let fractions: Set<String> = [
        "expected_return", "volatility", "max_drawdown", "compound_return", "active_return", "tracking_error",
        "benchmark_return", "benchmark_volatility", "cost_total", "cost_annual",
    ]

    private static func text(_ name: String, _ value: Double?) -> String {
        fractions.contains(name) ? Figures.percent(value) : Figures.fixed(value, digits: 4)
    }

    private var metrics: String {
        var table = TextTable([("Metric (annual)", .left), ("Value", .right)])
        for member in answer["metrics"]?.objectValue?.members ?? [] {
            table.add(member.key.replacing("_", with: " "), Self.text(member.key, member.value.doubleValue))
        }
        return table.text
    }

    private var sharpe: String {
        let figures = answer["sharpe"]
        func percent(_ name: String) -> String { Figures.percent(figures?[name]?.doubleValue) }
        var text = "Sharpe ratio \(Figures.fixed(figures?["annual"]?.doubleValue, digits: 2)) a year"
        text += ": above zero with probability \(percent("probabilistic"))"
        if let trials = figures?["trials"]?.intValue, trials > 1 {
            text += ", more than the luck of \(trials) trials with \(percent("deflated"))"
        }
        return text
    }

    private var falls: String? {
        guard let drawdowns = answer["drawdowns"]?.arrayValue, !drawdowns.isEmpty else { return nil }
        var table = TextTable([("Drawdown", .right), ("Peak", .left), ("Trough", .left), ("Recovery", .left)])
        for fall in drawdowns.prefix(5) {
            table.add(
                Figures.percent(fall["depth"]?.doubleValue), fall["peak"]?.stringValue ?? "start",
                fall["trough"]?.stringValue ?? "", fall["recovery"]?.stringValue ?? "-")
        }
        return table.text
    }

    private var distribution: String {
        var table = TextTable([
            ("Over the paths", .left), ("Mean", .right), ("5 %", .right), ("Median", .right), ("95 %", .right),
        ])
        for member in answer["distribution"]?.objectValue?.members ?? [] {
            func cell(_ name: String) -> String { Self.text(member.key, member.value[name]?.doubleValue) }
            table.add(member.key.replacing("_", with: " "), cell("mean"), cell("p05"), cell("median"), cell("p95"))
        }
        return table.text
    }

    private var failures: String? {
        guard let failures = answer["failures"]?.arrayValue, !failures.isEmpty else { return nil }
        var table = TextTable([("No answer at", .left), ("Code", .left), ("Why", .left)])
        for failure in failures.prefix(10) {
            table.add(
                failure["date"]?.stringValue ?? "", failure["code"]?.stringValue ?? "",
                Problem.echo(failure["detail"]?.stringValue ?? "", limit: 120))
        }
        return table.text
    }
}
