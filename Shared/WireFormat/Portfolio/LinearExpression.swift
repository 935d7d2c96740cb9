/// A linear constraint written as text: `AAPL + MSFT <= 0.4`, `2 AAPL - 0.5*Tech >= 0.1`, `AAPL == MSFT`, `0.1 <= Tech <= 0.4`.
///
/// Names are those of assets and groups, matched longest first, so that `BTC-USD` is one name where there is such an asset.
/// Names with other characters may stand in double quotes.
enum LinearExpression {
    /// Why a text is no linear constraint.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads the text.
    static func parse(_ text: String, assets: [String], groups: [String]) throws(Failure) -> ConstraintRequest.Linear {
        guard text.utf8.count <= 4096 else { throw Failure(description: "The text is longer than 4096 bytes.") }
        var scanner = Scanner(text, names: assets + groups)
        var sides: [Side] = [try scanner.side()]
        var signs: [Comparison] = []
        while let sign = scanner.comparison() {
            signs.append(sign)
            sides.append(try scanner.side())
        }
        guard scanner.isAtEnd else { throw Failure(description: "Unexpected text at \"\(scanner.excerpt)\".") }
        switch (signs.count, sides.count) {
        case (1, 2):
            let difference = sides[0].minus(sides[1])
            guard !difference.terms.isEmpty else { throw Failure(description: "The constraint names no asset.") }
            let level = difference.constant == 0 ? 0 : -difference.constant
            return ConstraintRequest.Linear(
                name: nil, coefficients: difference.terms, min: signs[0] == .atMost ? nil : level,
                max: signs[0] == .atLeast ? nil : level)
        case (2, 3):
            guard signs[0] == signs[1], signs[0] != .equal, sides[0].terms.isEmpty, sides[2].terms.isEmpty else {
                throw Failure(description: "A double inequality is written low <= expression <= high.")
            }
            let bounds = [sides[0].constant - sides[1].constant, sides[2].constant - sides[1].constant]
            let low = signs[0] == .atMost ? bounds[0] : bounds[1]
            let high = signs[0] == .atMost ? bounds[1] : bounds[0]
            guard low <= high else {
                throw Failure(description: "The lower end \(low) is above the upper end \(high).")
            }
            guard !sides[1].terms.isEmpty else { throw Failure(description: "The constraint names no asset.") }
            return ConstraintRequest.Linear(name: nil, coefficients: sides[1].terms, min: low, max: high)
        default:
            throw Failure(description: "A linear constraint has one <=, >= or ==, as in \"AAPL + MSFT <= 0.4\".")
        }
    }

    private enum Comparison { case atMost, atLeast, equal }

    /// A sum of terms and a constant.
    private struct Side {
        var terms: [ConstraintRequest.AssetValue] = []
        var constant = 0.0

        mutating func add(_ coefficient: Double, _ name: String) {
            if let at = terms.firstIndex(where: { $0.asset == name }) {
                terms[at].value += coefficient
            } else {
                terms.append(ConstraintRequest.AssetValue(name, coefficient))
            }
        }

        func minus(_ other: Side) -> Side {
            var result = self
            result.constant -= other.constant
            for term in other.terms { result.add(-term.value, term.asset) }
            result.terms.removeAll { $0.value == 0 }
            return result
        }
    }

    private struct Scanner {
        private let characters: [Character]
        private let names: [[Character]]
        private var at = 0

        init(_ text: String, names: [String]) {
            characters = Array(text)
            self.names = names.map { Array($0) }.sorted { $0.count > $1.count }
        }

        var isAtEnd: Bool {
            mutating get {
                skipSpaces()
                return at == characters.count
            }
        }
        var excerpt: String { String(characters[at...].prefix(24)) }

        mutating func comparison() -> Comparison? {
            skipSpaces()
            for (text, sign) in [("<=", Comparison.atMost), (">=", .atLeast), ("==", .equal), ("=", .equal)]
            where starts(with: Array(text)) {
                at += text.count
                return sign
            }
            return nil
        }

        mutating func side() throws(Failure) -> Side {
            var side = Side()
            var isFirst = true
            while true {
                skipSpaces()
                var sign = 1.0
                if take("+") {
                    sign = 1
                } else if take("-") {
                    sign = -1
                } else if !isFirst {
                    return side
                }
                isFirst = false
                try term(sign, into: &side)
            }
        }

        private mutating func term(_ sign: Double, into side: inout Side) throws(Failure) {
            skipSpaces()
            if let name = try name() { return side.add(sign, name) }
            guard let number = try number() else {
                throw Failure(description: at == characters.count ? "A term is missing at the end." : unknown())
            }
            skipSpaces()
            let hasStar = take("*")
            skipSpaces()
            if let name = try name() { return side.add(sign * number, name) }
            if hasStar {
                throw Failure(description: at == characters.count ? "A name is missing at the end." : unknown())
            }
            side.constant += sign * number
        }

        private func unknown() -> String {
            let word = characters[at...].prefix { !" +*<>=".contains($0) }
            return "\"\(Problem.echo(String(word)))\" is neither an asset nor a group of this request."
        }

        /// A known name, longest first, or a quoted one.
        private mutating func name() throws(Failure) -> String? {
            if at < characters.count, characters[at] == "\"" {
                guard let end = characters[(at + 1)...].firstIndex(of: "\"") else {
                    throw Failure(description: "A quotation mark is not closed.")
                }
                let quoted = Array(characters[(at + 1)..<end])
                guard names.contains(quoted) else {
                    throw Failure(
                        description:
                            "\"\(Problem.echo(String(quoted)))\" is neither an asset nor a group of this request.")
                }
                at = end + 1
                return String(quoted)
            }
            for name in names where !name.isEmpty && starts(with: name) {
                let end = at + name.count
                if end < characters.count,
                    characters[end].isLetter || characters[end].isNumber || characters[end] == "_"
                {
                    continue
                }
                at = end
                return String(name)
            }
            return nil
        }

        private mutating func number() throws(Failure) -> Double? {
            let start = at
            while at < characters.count {
                let c = characters[at]
                let isExponentSign = (c == "+" || c == "-") && at > start && "eE".contains(characters[at - 1])
                guard c.isASCII,
                    c.isNumber || c == "." || isExponentSign || (at > start && "eE".contains(c) && exponent(at))
                else { break }
                at += 1
            }
            guard at > start else { return nil }
            guard let value = Double(String(characters[start..<at])), value.isFinite else {
                throw Failure(description: "\"\(Problem.echo(String(characters[start..<at])))\" is not a number.")
            }
            return value
        }

        /// Whether the `e` at `index` starts an exponent, and not a name.
        private func exponent(_ index: Int) -> Bool {
            var next = index + 1
            if next < characters.count, characters[next] == "+" || characters[next] == "-" { next += 1 }
            return next < characters.count && characters[next].isASCII && characters[next].isNumber
        }

        private mutating func take(_ character: Character) -> Bool {
            guard at < characters.count, characters[at] == character else { return false }
            at += 1
            return true
        }

        private func starts(with text: [Character]) -> Bool {
            at + text.count <= characters.count && characters[at..<(at + text.count)].elementsEqual(text)
        }

        private mutating func skipSpaces() {
            while at < characters.count, characters[at].isWhitespace { at += 1 }
        }
    }
}
