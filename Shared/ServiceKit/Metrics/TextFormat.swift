/// Names and values of labels, sorted by name.
struct Labels: Hashable, Comparable {
    private let pairs: [Pair]
    private struct Pair: Hashable {
        let name: String
        let value: String
    }

    init(_ dimensions: [(String, String)]) {
        pairs = dimensions.map { Pair(name: Self.labelName($0.0), value: $0.1) }.sorted { $0.name < $1.name }
    }

    private init(pairs: [Pair]) { self.pairs = pairs }

    /// The same with one more at the end.
    func adding(_ name: String, _ value: String) -> Labels { Labels(pairs: pairs + [Pair(name: name, value: value)]) }

    /// `{a="1",b="2"}`; empty where there is none.
    var text: String {
        guard !pairs.isEmpty else { return "" }
        return "{" + pairs.map { "\($0.name)=\"\(TextFormat.escapedValue($0.value))\"" }.joined(separator: ",") + "}"
    }

    static func < (a: Labels, b: Labels) -> Bool { a.text < b.text }

    private static func labelName(_ text: String) -> String {
        PrometheusRegistry.metricName(text).replacing(":", with: "_")
    }
}

/// Prometheus' exposition format, version 0.0.4.
enum TextFormat {
    static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    static func line(_ name: String, _ labels: Labels, _ value: Double) -> String {
        "\(name)\(labels.text) \(number(value))\n"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), value.magnitude < 1e15 { return String(Int64(value)) }
        return value.description
    }

    static func escapedValue(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    static func escapedHelp(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }
}
