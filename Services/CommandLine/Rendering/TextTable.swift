/// Columns of text, aligned. Widths are counted in characters.
struct TextTable {
    enum Alignment { case left, right }

    private let header: [String]
    private let alignment: [Alignment]
    private var rows: [[String]] = []

    init(_ columns: [(name: String, alignment: Alignment)]) {
        header = columns.map { $0.name }
        alignment = columns.map { $0.alignment }
    }

    mutating func add(_ cells: String...) { rows.append(cells) }

    /// Header, a rule, the rows; two spaces between columns and none at the ends of lines.
    var text: String {
        let lines = [header] + rows
        let widths = header.indices.map { column in lines.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            var text = ""
            for (column, width) in widths.enumerated() {
                let cell = column < cells.count ? cells[column] : ""
                let padding = String(repeating: " ", count: width - cell.count)
                text += (column == 0 ? "" : "  ") + (alignment[column] == .left ? cell + padding : padding + cell)
            }
            return text.trimmingTrailingSpaces()
        }
        let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ").trimmingTrailingSpaces()
        return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
    }
}

extension String {
    fileprivate func trimmingTrailingSpaces() -> String {
        var rest = self[...]
        while rest.last == " " { rest = rest.dropLast() }
        return String(rest)
    }
}

/// Figures for people.
enum Figures {
    /// A fraction as per cent with two digits: 0.1534 is `15.34 %`. An absent figure is a dash.
    static func percent(_ value: Double?) -> String {
        guard let value else { return "-" }
        return fixed(value * 100, digits: 2) + " %"
    }

    /// A number with a fixed count of digits after the point, rounded half away from zero.
    static func fixed(_ value: Double?, digits: Int) -> String {
        guard let value else { return "-" }
        let scale = (0..<digits).reduce(1.0) { product, _ in product * 10 }
        let rounded = (value * scale).rounded()
        guard rounded.magnitude < 1e15 else { return value.description }
        let whole = Int64(rounded.magnitude)
        let sign = rounded < 0 ? "-" : ""
        guard digits > 0 else { return sign + String(whole) }
        let unit = Int64(scale)
        let fraction = String(whole % unit)
        return "\(sign)\(whole / unit).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }

    /// One significant digit and an exponent, for residuals: 3e-12.
    static func magnitude(_ value: Double?) -> String {
        guard let value else { return "-" }
        guard value != 0 else { return "0" }
        var mantissa = value.magnitude
        var exponent = 0
        while mantissa >= 9.5 {
            mantissa /= 10
            exponent += 1
        }
        while mantissa < 0.95 {
            mantissa *= 10
            exponent -= 1
        }
        return "\(Int(mantissa.rounded()))e\(exponent)"
    }

    /// 1234567 is `1,234,567`.
    static func grouped(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (n, digit) in digits.enumerated() {
            if n > 0, (digits.count - n) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }
}
