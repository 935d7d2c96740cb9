import WireFormat

/// The answer of `optimize` for people: weights, metrics, how good the solution is, warnings.
struct OptimizeReport {
    let answer: JSONValue

    var text: String {
        var blocks = [heading, weights, metrics]
        if let quality { blocks.append(quality) }
        blocks += warnings
        return blocks.joined(separator: "\n\n")
    }

    private var heading: String {
        let id = answer["portfolio_id"]?.stringValue ?? "not stored"
        var parts = ["Portfolio \(id)"]
        if let data = answer["data"], let start = data["start"]?.stringValue, let end = data["end"]?.stringValue {
            parts.append(
                "\(start) to \(end), \(data["observations"]?.intValue.map { Figures.grouped($0) } ?? "-") returns")
        } else if let timestamp = answer["timestamp"]?.stringValue {
            parts.append(timestamp)
        }
        return parts.joined(separator: "  ·  ")
    }

    private var weights: String {
        var table = TextTable([("Asset", .left), ("Weight", .right), ("", .left)])
        for member in answer["weights"]?.objectValue?.members ?? [] {
            let weight = member.value.doubleValue
            let bar = String(repeating: "█", count: min(40, Int(((weight ?? 0).magnitude * 40).rounded())))
            table.add(member.key, Figures.percent(weight), bar)
        }
        return table.text
    }

    private var metrics: String {
        var table = TextTable([("Metric (annual)", .left), ("Value", .right)])
        for member in answer["metrics"]?.objectValue?.members ?? [] {
            let value = member.value.doubleValue
            table.add(
                member.key.replacing("_", with: " "),
                Self.fractions.contains(member.key) ? Figures.percent(value) : Figures.fixed(value, digits: 4))
        }
        return table.text
    }

    private static let fractions: Set<String> = ["expected_return", "volatility", "max_drawdown"]

    private var quality: String? {
        guard let solution = answer["solution"], let status = solution["status"]?.stringValue else { return nil }
        var parts = ["Solution \(status)"]
        if let gap = solution["duality_gap"]?.doubleValue { parts.append("gap \(Figures.magnitude(gap))") }
        let residuals = [solution["primal_residual"]?.doubleValue, solution["dual_residual"]?.doubleValue].compactMap {
            $0
        }
        if let largest = residuals.max() { parts.append("residuals \(Figures.magnitude(largest))") }
        if let iterations = solution["iterations"]?.intValue { parts.append("\(iterations) iterations") }
        if let time = answer["meta"]?["solve_ms"]?.doubleValue { parts.append("\(Figures.fixed(time, digits: 1)) ms") }
        if answer["meta"]?["cached"]?.boolValue == true { parts.append("cached") }
        var text = parts.joined(separator: "  ·  ")
        if let points = answer["efficient_frontier"]?.arrayValue, let first = points.first, let last = points.last {
            text += "\nFrontier \(points.count) points, risk \(Figures.percent(first["risk"]?.doubleValue))"
            text += " to \(Figures.percent(last["risk"]?.doubleValue))"
        }
        return text
    }

    private var warnings: [String] {
        (answer["warnings"]?.arrayValue ?? []).map { warning in
            let place = warning["pointer"]?.stringValue.map { " at \($0)" } ?? ""
            return "Warning \(warning["code"]?.stringValue ?? "")\(place): \(warning["detail"]?.stringValue ?? "")"
        }
    }
}

/// A problem of the service for people: what, where, and what would help.
struct ProblemReport {
    let status: Int
    let body: [UInt8]

    var text: String {
        guard let problem = try? StrictJSON.parse(body, limits: .stored), let title = problem["title"]?.stringValue
        else {
            return "The service answered \(status): \(Problem.echo(String(decoding: body, as: UTF8.self), limit: 300))"
        }
        var lines = ["\(title) (\(problem["code"]?.stringValue ?? "-"), status \(status))"]
        if let detail = problem["detail"]?.stringValue { lines.append("  \(detail)") }
        for violation in problem["errors"]?.arrayValue ?? [] {
            lines.append("  \(violation["pointer"]?.stringValue ?? "#"): \(violation["detail"]?.stringValue ?? "")")
        }
        if let conflict = problem["conflict"]?.arrayValue {
            lines.append(
                "  These cannot hold together: \(conflict.compactMap { $0.stringValue }.joined(separator: ", "))")
        }
        for relaxation in problem["relaxation"]?.arrayValue ?? [] {
            let from = relaxation["from"]?.numberValue?.text ?? "?"
            let to = relaxation["to"]?.numberValue?.text ?? "?"
            lines.append("  It would work with \(relaxation["constraint"]?.stringValue ?? "") \(to) instead of \(from)")
        }
        if let seconds = problem["retry_after_s"]?.intValue { lines.append("  Try again in \(seconds) s.") }
        if let id = problem["request_id"]?.stringValue { lines.append("  Request \(id)") }
        return lines.joined(separator: "\n")
    }
}
