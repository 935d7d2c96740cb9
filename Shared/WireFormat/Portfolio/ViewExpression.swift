/// A view written as text: `AAPL - MSFT >= 0.02`, `Tech == 0.1`, `AAPL >= MSFT >= JPM`, `std(AAPL) <= 0.01`,
/// `corr(AAPL, MSFT) == 0.5`.
enum ViewExpression {
    private static let functions: [String: ViewsRequest.Statistic] = [
        "mean": .mean, "std": .std, "var": .variance, "variance": .variance, "skew": .skew, "kurt": .kurtosis,
        "kurtosis": .kurtosis, "corr": .correlation, "correlation": .correlation, "VaR": .valueAtRisk,
        "CVaR": .conditionalValueAtRisk,
    ]

    /// Reads the text. A chain of comparisons is as many views.
    static func parse(_ text: String, names: [String]) throws(LinearExpression.Failure) -> [ViewsRequest.View] {
        guard text.utf8.count <= 4096 else {
            throw LinearExpression.Failure(description: "The text is longer than 4096 bytes.")
        }
        let (sides, signs) = split(text)
        guard !signs.isEmpty else {
            throw LinearExpression.Failure(
                description: "A view has ==, >= or <=, as in \"AAPL - MSFT == 0.0001\".")
        }
        if let (statistic, inner) = call(sides[0], names) {
            guard signs.count == 1, let sense = sense(signs[0]), let level = number(sides[1]) else {
                throw LinearExpression.Failure(
                    description: "A view of a statistic compares it with one number, as in \"std(AAPL) <= 0.01\".")
            }
            var view = ViewsRequest.View(weights: try weights(of: inner, statistic, names), level: level)
            (view.statistic, view.sense) = (statistic, sense)
            try check(view)
            return [view]
        }
        var views: [ViewsRequest.View] = []
        for (index, sign) in signs.enumerated() {
            let row = try LinearExpression.parse(
                sides[index] + sign + sides[index + 1], assets: names, groups: [])
            guard let level = row.min ?? row.max else { continue }
            var view = ViewsRequest.View(weights: row.coefficients, level: level)
            view.sense = row.min == row.max ? .equal : row.min != nil ? .atLeast : .atMost
            views.append(view)
        }
        return views
    }

    private static func check(_ view: ViewsRequest.View) throws(LinearExpression.Failure) {
        switch view.statistic {
        case .std, .variance, .kurtosis:
            if view.level < 0 {
                throw LinearExpression.Failure(description: "\(view.statistic.rawValue) is never below zero.")
            }
        case .correlation:
            if abs(view.level) > 1 {
                throw LinearExpression.Failure(description: "A correlation lies between -1 and 1.")
            }
        default: break
        }
    }

    /// The text around its comparison signs, which quoted names may contain.
    private static func split(_ text: String) -> (sides: [String], signs: [String]) {
        var sides = [""]
        var signs: [String] = []
        var isQuoted = false
        var rest = Substring(text)
        while let character = rest.first {
            if character == "\"" { isQuoted.toggle() }
            if !isQuoted, let sign = ["<=", ">=", "==", "="].first(where: { rest.hasPrefix($0) }) {
                signs.append(sign)
                sides.append("")
                rest = rest.dropFirst(sign.count)
                continue
            }
            sides[sides.count - 1].append(character)
            rest = rest.dropFirst()
        }
        return (sides, signs)
    }

    /// `name(inner)` of a known function, unless the whole is a known name.
    private static func call(_ side: String, _ names: [String]) -> (ViewsRequest.Statistic, String)? {
        let text = trimmed(side)
        guard !names.contains(text), text.last == ")", let open = text.firstIndex(of: "("),
            let statistic = functions[trimmed(String(text[..<open]))]
        else { return nil }
        return (statistic, String(text[text.index(after: open)...].dropLast()))
    }

    private static func weights(
        of inner: String, _ statistic: ViewsRequest.Statistic, _ names: [String]
    ) throws(LinearExpression.Failure) -> [ConstraintRequest.AssetValue] {
        guard statistic == .correlation else {
            return try LinearExpression.parse(inner + " == 0", assets: names, groups: []).coefficients
        }
        let pair = inner.split(separator: ",", omittingEmptySubsequences: false).map { trimmed(String($0)) }
        guard pair.count == 2, pair[0] != pair[1] else {
            throw LinearExpression.Failure(description: "A correlation is between two names: corr(AAPL, MSFT).")
        }
        for name in pair where !names.contains(name) {
            let nearest = NearestName.of(name, among: names).map { " Did you mean \($0)?" } ?? ""
            throw LinearExpression.Failure(
                description: "\"\(Problem.echo(name))\" is neither an asset nor a group of this request.\(nearest)")
        }
        return pair.map { .init($0, 1) }
    }

    private static func sense(_ sign: String) -> ViewsRequest.Sense? {
        ViewsRequest.Sense(rawValue: sign == "=" ? "==" : sign)
    }

    private static func number(_ side: String) -> Double? {
        guard let value = Double(trimmed(side)), value.isFinite else { return nil }
        return value
    }

    private static func trimmed(_ text: String) -> String {
        var rest = Substring(text)
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
