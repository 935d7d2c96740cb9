/// One row of a result. Values are decoded when asked for; the row keeps the whole result alive.
public struct PostgresRow: Sendable {
    let result: QueryResult
    let index: Int

    /// The number of columns.
    public var count: Int { result.columns.count }

    /// The columns' names, in order.
    public var columnNames: [String] { result.columns.map(\.name) }

    /// The value of a column by position, from 0.
    ///
    /// - Throws: `.decoding` where the column is missing, NULL for a type without null, or of another type.
    public func decode<T: PostgresDecodable>(_ type: T.Type, at column: Int) throws(PostgresError) -> T {
        try result.decode(type, row: index, column: column)
    }

    /// The value of the first column of that name.
    ///
    /// - Throws: `.decoding`, as by position.
    public func decode<T: PostgresDecodable>(_ type: T.Type, named name: String) throws(PostgresError) -> T {
        guard let column = result.columnIndex(named: name) else {
            throw PostgresError(.decoding, "no column named \(name)")
        }
        return try result.decode(type, row: index, column: column)
    }

    /// All columns as a tuple: `row.decode((String, Int64?).self)`.
    ///
    /// - Throws: `.decoding`, also when the number of columns differs.
    public func decode<each T: PostgresDecodable>(
        _ types: (repeat each T).Type
    ) throws(PostgresError) -> (repeat each T) {
        var expected = 0
        for _ in repeat (each T).self { expected += 1 }
        guard expected == count else { throw PostgresError(.decoding, "\(count) columns, \(expected) expected") }
        var column = 0
        func next<U: PostgresDecodable>(_ type: U.Type) throws(PostgresError) -> U {
            defer { column += 1 }
            return try decode(type, at: column)
        }
        return (repeat try next((each T).self))
    }
}
