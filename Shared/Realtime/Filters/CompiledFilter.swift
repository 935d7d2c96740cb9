public import WireFormat

/// A filter whose columns and values have been checked against a table. Evaluated with PostgreSQL's three-valued logic.
public struct CompiledFilter: Sendable {
    private enum Test: Sendable {
        case compare(ColumnValue, @Sendable (Int) -> Bool)
        case isOneOf(Set<ColumnValue>)
        case isNull
        case isTruth(Bool)
        case isUnknown
        case isDistinct(ColumnValue?)
        case like(LikePattern)
        case pattern(RegularPattern)
    }

    private struct Term: Sendable {
        let column: String
        let family: ColumnFamily
        let isNegated: Bool
        let test: Test
    }

    /// A term `column = constant`, by which bindings can be found in a hash table.
    public struct Key: Sendable, Hashable {
        public let column: String
        public let value: ColumnValue

        /// A key.
        public init(column: String, value: ColumnValue) {
            self.column = column
            self.value = value
        }
    }

    private let terms: [Term]
    /// The first equality, if there is one; nil: every row has to be looked at.
    public let key: Key?
    /// The family of the key's column.
    public let keyFamily: ColumnFamily?

    /// Checks a filter.
    /// - Parameter columns: of the table; an unknown column or a value that its type does not read is an error.
    public init(_ filter: ChangeFilter, columns: [ChangeColumn]) throws(ChangeFilterError) {
        var terms: [Term] = []
        for term in filter.terms {
            guard let column = columns.first(where: { $0.name == term.column }) else {
                throw .unknownColumn(term.column)
            }
            let family = ColumnFamily(type: column.type)
            terms.append(
                Term(
                    column: term.column, family: family, isNegated: term.isNegated,
                    test: try Self.test(term, family, type: column.type)))
        }
        self.terms = terms
        let equality = filter.terms.indices.first { filter.terms[$0].operator == .equal && !filter.terms[$0].isNegated }
        if let equality, case .compare(let value, _) = terms[equality].test {
            key = Key(column: terms[equality].column, value: value)
            keyFamily = terms[equality].family
        } else {
            key = nil
            keyFamily = nil
        }
    }

    /// Whether a row passes; null results do not.
    public func matches(_ row: JSONObject) -> Bool {
        terms.allSatisfy { term in
            let result = Self.evaluate(term.test, term.family, row[term.column] ?? .null)
            return result.map { $0 != term.isNegated } ?? false
        }
    }

    private static func test(
        _ term: ChangeFilter.Term, _ family: ColumnFamily, type: String
    ) throws(ChangeFilterError) -> Test {
        func value(_ text: String) throws(ChangeFilterError) -> ColumnValue {
            guard let value = family.value(ofFilter: text) else { throw .invalidValue(type: type, value: text) }
            return value
        }
        func ordered(_ holds: @escaping @Sendable (Int) -> Bool, _ text: String) throws(ChangeFilterError) -> Test {
            guard family.isOrdered else { throw .unsupported(operator: term.operator.rawValue, type: type) }
            return .compare(try value(text), holds)
        }
        switch (term.operator, term.operand) {
        case (.equal, .value(let text)): return .compare(try value(text)) { $0 == 0 }
        case (.notEqual, .value(let text)): return .compare(try value(text)) { $0 != 0 }
        case (.less, .value(let text)): return try ordered({ $0 < 0 }, text)
        case (.lessOrEqual, .value(let text)): return try ordered({ $0 <= 0 }, text)
        case (.greater, .value(let text)): return try ordered({ $0 > 0 }, text)
        case (.greaterOrEqual, .value(let text)): return try ordered({ $0 >= 0 }, text)
        case (.isOneOf, .list(let texts)):
            var values: Set<ColumnValue> = []
            for text in texts { values.insert(try value(text)) }
            return .isOneOf(values)
        case (.is, .value(let text)): return try truth(text, family, type)
        case (.isDistinct, .value(let text)): return .isDistinct(text.lowercased() == "null" ? nil : try value(text))
        case (.like, .value(let text)), (.likeIgnoringCase, .value(let text)):
            guard family == .text else { throw .unsupported(operator: term.operator.rawValue, type: type) }
            return .like(LikePattern(text, ignoringCase: term.operator == .likeIgnoringCase))
        case (.matches, .value(let text)), (.matchesIgnoringCase, .value(let text)):
            guard family == .text else { throw .unsupported(operator: term.operator.rawValue, type: type) }
            guard let pattern = RegularPattern(text, ignoringCase: term.operator == .matchesIgnoringCase) else {
                throw .invalidPattern(text)
            }
            return .pattern(pattern)
        default: throw .unparsable([term.operator.rawValue])
        }
    }

    private static func truth(_ text: String, _ family: ColumnFamily, _ type: String) throws(ChangeFilterError) -> Test
    {
        let word = text.lowercased()
        if word == "null" { return .isNull }
        guard family == .boolean else { throw .unsupported(operator: "is \(text)", type: type) }
        switch word {
        case "true": return .isTruth(true)
        case "false": return .isTruth(false)
        case "unknown": return .isUnknown
        default: throw .invalidValue(type: type, value: text)
        }
    }

    private static func evaluate(_ test: Test, _ family: ColumnFamily, _ json: JSONValue) -> Bool? {
        let value = family.value(ofRow: json)
        switch test {
        case .isNull, .isUnknown: return value == nil
        case .isTruth(let truth): return value == .boolean(truth)
        case .isDistinct(let other): return value != other
        case .compare(let constant, let holds): return value.flatMap { $0.compare(constant) }.map(holds)
        case .isOneOf(let values): return value.map { values.contains($0) }
        case .like(let pattern): return json.stringValue.map { pattern.matches($0) }
        case .pattern(let pattern): return json.stringValue.map { pattern.matches($0) }
        }
    }
}
