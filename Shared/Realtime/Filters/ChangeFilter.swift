/// The filter of a binding: `col=op.value[,col=op.value...]`, all of which have to hold.
///
/// Grammar: split at the first `=`, then at the first `.`; `not.` before any operator; commas at the top level only;
/// a value in double quotes may hold commas and uses `\` as escape.
public struct ChangeFilter: Sendable, Equatable {
    /// The comparisons PostgREST and Supabase Realtime know.
    public enum Operator: String, Sendable, CaseIterable {
        case equal = "eq"
        case notEqual = "neq"
        case less = "lt"
        case lessOrEqual = "lte"
        case greater = "gt"
        case greaterOrEqual = "gte"
        case isOneOf = "in"
        case like
        case likeIgnoringCase = "ilike"
        case `is`
        case matches = "match"
        case matchesIgnoringCase = "imatch"
        case isDistinct = "isdistinct"
    }

    /// What the column is compared with.
    public enum Operand: Sendable, Equatable {
        case value(String)
        case list([String])
    }

    /// One comparison.
    public struct Term: Sendable, Equatable {
        public let column: String
        public let isNegated: Bool
        public let `operator`: Operator
        public let operand: Operand
    }

    /// As it was written.
    public let text: String
    /// In the order written; empty: everything passes.
    public let terms: [Term]

    /// Longest list of `in`.
    public static let listLimit = 100

    /// Reads a filter; an empty or blank text is none.
    public init(parsing text: String) throws(ChangeFilterError) {
        self.text = text
        var terms: [Term] = []
        if !text.allSatisfy({ $0.isWhitespace }) {
            for part in try Self.split(text[...], at: ",") { terms.append(try Self.term(part)) }
        }
        self.terms = terms
    }

    private static func term(_ part: Substring) throws(ChangeFilterError) -> Term {
        guard let equals = part.firstIndex(of: "=") else { throw .unparsable([String(part)]) }
        let column = part[..<equals].drop { $0.isWhitespace }
        var rest = part[part.index(after: equals)...]
        guard !column.isEmpty else { throw .unparsable(["", String(rest)]) }
        var isNegated = false
        if rest.hasPrefix("not.") {
            isNegated = true
            rest = rest.dropFirst(4)
        }
        guard let dot = rest.firstIndex(of: ".") else { throw .unparsable([String(rest)]) }
        let value = rest[rest.index(after: dot)...]
        guard let `operator` = Operator(rawValue: String(rest[..<dot])) else {
            throw .unparsable([String(rest[..<dot]), String(value)])
        }
        return Term(
            column: String(column), isNegated: isNegated, operator: `operator`,
            operand: `operator` == .isOneOf ? .list(try list(value)) : .value(unquoted(value)))
    }

    private static func list(_ value: Substring) throws(ChangeFilterError) -> [String] {
        guard value.first == "(", value.last == ")", value.count >= 2 else { throw .listWithoutParentheses }
        let inner = value.dropFirst().dropLast()
        guard !inner.isEmpty else { return [] }
        var values: [String] = []
        for part in try split(inner, at: ",") { values.append(unquoted(part)) }
        guard values.count <= listLimit else { throw .listTooLong }
        return values
    }

    /// Splits at commas that are outside double quotes and parentheses.
    private static func split(_ text: Substring, at separator: Character) throws(ChangeFilterError) -> [Substring] {
        var parts: [Substring] = []
        var (start, depth, isQuoted, isEscaped) = (text.startIndex, 0, false, false)
        for index in text.indices {
            let character = text[index]
            if isEscaped {
                isEscaped = false
            } else if isQuoted {
                if character == "\\" { isEscaped = true } else if character == "\"" { isQuoted = false }
            } else if character == "\"" {
                // A quote opens a quoted value only where a value begins; elsewhere it is a character like any other.
                let before = index == text.startIndex ? "," : text[text.index(before: index)]
                isQuoted = before == "." || before == "," || before == "("
            } else if character == "(" {
                depth += 1
            } else if character == ")" {
                depth = max(0, depth - 1)
            } else if character == separator, depth == 0 {
                parts.append(text[start..<index])
                start = text.index(after: index)
            }
        }
        if isQuoted { throw .unparsable([String(text)]) }
        return parts + [text[start...]]
    }

    private static func unquoted(_ value: Substring) -> String {
        guard value.count >= 2, value.first == "\"", value.last == "\"" else { return String(value) }
        var (result, isEscaped) = ("", false)
        for character in value.dropFirst().dropLast() {
            if !isEscaped, character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
                isEscaped = false
            }
        }
        return result
    }
}

/// Why a filter cannot be used.
public enum ChangeFilterError: Error, Sendable, Equatable {
    case unparsable([String])
    case listWithoutParentheses
    case listTooLong
    case unknownColumn(String)
    case invalidValue(type: String, value: String)
    case unsupported(operator: String, type: String)
    case invalidPattern(String)

    /// In the words of the real server where it has some.
    public var text: String {
        switch self {
        case .unparsable(let parts):
            "Error parsing `filter` params: [\(parts.map { "\"\($0)\"" }.joined(separator: ", "))]"
        case .listWithoutParentheses:
            "Error parsing `filter` params: `in` filter value must be wrapped by parentheses"
        case .listTooLong: "too many values for `in` filter. Maximum \(ChangeFilter.listLimit)"
        case .unknownColumn(let column): "invalid column for filter \(column)"
        case .invalidValue(let type, let value): "invalid input syntax for type \(type): \"\(value)\""
        case .unsupported(let name, let type): "operator \(name) does not exist for type \(type)"
        case .invalidPattern(let pattern): "invalid regular expression: \(pattern)"
        }
    }
}
