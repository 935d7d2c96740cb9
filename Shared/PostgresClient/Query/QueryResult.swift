import CLibPQ

/// A result received from libpq, with its rows still in libpq's memory until they are decoded.
///
/// Sendable because a `PGresult` is immutable once received and is freed exactly once, here.
final class QueryResult: @unchecked Sendable {
    struct Column: Sendable {
        let name: String
        let type: PostgresType
    }

    let rowCount: Int
    let columns: [Column]
    private let pointer: OpaquePointer

    /// Takes ownership of the result.
    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        rowCount = Int(PQntuples(pointer))
        columns = (0..<PQnfields(pointer)).map { index in
            Column(name: text(PQfname(pointer, index)) ?? "", type: PostgresType(rawValue: PQftype(pointer, index)))
        }
    }

    deinit {
        PQclear(pointer)
    }

    /// Rows affected by INSERT, UPDATE, DELETE, MERGE, SELECT or COPY; 0 for other commands.
    var affectedRows: Int {
        text(PQcmdTuples(pointer)).flatMap { Int($0) } ?? 0
    }

    /// The command tag, such as `COMMIT`.
    var commandTag: String {
        text(PQcmdStatus(pointer)) ?? ""
    }

    func columnIndex(named name: String) -> Int? {
        columns.firstIndex { $0.name == name }
    }

    func decode<T: PostgresDecodable>(_: T.Type, row: Int, column: Int) throws(PostgresError) -> T {
        guard columns.indices.contains(column) else {
            throw PostgresError(.decoding, "column \(column) of \(columns.count)")
        }
        let (row, index) = (Int32(row), Int32(column))
        do throws(PostgresError) {
            if PQgetisnull(pointer, row, index) == 1 { return try T.decodeNull() }
            let bytes = UnsafeRawBufferPointer(
                start: PQgetvalue(pointer, row, index), count: Int(PQgetlength(pointer, row, index)))
            return try T.decode(bytes.bytes, as: columns[column].type)
        } catch {
            var located = error
            located.column = columns[column].name
            throw located
        }
    }

    var rows: [PostgresRow] {
        (0..<rowCount).map { PostgresRow(result: self, index: $0) }
    }
}

/// A C string of libpq, nil for a null pointer.
func text(_ pointer: UnsafePointer<CChar>?) -> String? {
    pointer.map { String(cString: $0) }
}
