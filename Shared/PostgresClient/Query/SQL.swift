/// A statement whose interpolated values travel as binary parameters: `"SELECT * FROM t WHERE id = \(id)"` sends `$1`.
///
/// No interpolation puts text of the caller into the statement. Fragments compose: interpolating an `SQL` into an `SQL` inserts its text and renumbers
/// its parameters. For `IN` write `= ANY(\(array))`. An `Int` is int8, a `String` text: write `$1`'s cast where another type is meant,
/// as in `"\(text)::uuid"`.
public struct SQL: ExpressibleByStringInterpolation, Sendable {
    /// A bound value: its type and its binary form, nil for NULL.
    struct Parameter: Sendable {
        let type: PostgresType
        let bytes: [UInt8]?

        init(_ value: some PostgresEncodable) {
            type = Swift.type(of: value).postgresType
            if value.isNull {
                bytes = nil
            } else {
                var buffer: [UInt8] = []
                value.encode(into: &buffer)
                bytes = buffer
            }
        }
    }

    /// Literal text around the parameters: always one more than there are parameters.
    private(set) var literals: [String]
    private(set) var parameters: [Parameter]

    /// A statement without parameters, from a literal in the source.
    public init(stringLiteral value: String) {
        literals = [value]
        parameters = []
    }

    /// A statement with parameters.
    public init(stringInterpolation: StringInterpolation) {
        literals = stringInterpolation.sql.literals
        parameters = stringInterpolation.sql.parameters
    }

    init(literal: String) {
        literals = [literal]
        parameters = []
    }

    /// Text as it is, for migrations and for names that the program itself makes.
    package static func raw(_ text: String) -> SQL { SQL(literal: text) }

    /// An identifier in double quotes, as `quote_ident` writes it.
    public static func identifier(_ name: String) -> SQL {
        SQL(
            literal: "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
                + "\"")
    }

    /// The statement with `$1`, `$2`, ... for its values.
    public var text: String {
        var result = literals[0]
        for index in parameters.indices {
            result += "$\(index + 1)"
            result += literals[index + 1]
        }
        return result
    }

    /// Appends a fragment.
    public static func += (left: inout SQL, right: SQL) {
        left.literals[left.literals.count - 1] += right.literals[0]
        left.literals += right.literals.dropFirst()
        left.parameters += right.parameters
    }

    /// Two fragments, one after the other.
    public static func + (left: SQL, right: SQL) -> SQL {
        var result = left
        result += right
        return result
    }

    mutating func append(literal: String) {
        literals[literals.count - 1] += literal
    }

    mutating func append(_ parameter: Parameter) {
        parameters.append(parameter)
        literals.append("")
    }
}

extension SQL {
    /// Collects the pieces of an interpolated statement.
    public struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var sql = SQL(literal: "")

        /// Starts empty.
        public init(literalCapacity: Int, interpolationCount: Int) {}

        /// The compiler passes the literal parts of the source here.
        public mutating func appendLiteral(_ literal: String) { sql.append(literal: literal) }

        /// Binds a value.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
            sql.append(Parameter(value))
        }

        /// Inserts a fragment with its parameters.
        public mutating func appendInterpolation(_ fragment: SQL) { sql += fragment }

        /// Inserts a quoted identifier.
        public mutating func appendInterpolation(identifier name: String) { sql += .identifier(name) }

        /// Inserts text as it is; for migrations and for names that the program itself makes.
        package mutating func appendInterpolation(raw text: String) { sql.append(literal: text) }
    }
}
