/// Reads the stream of `COPY ... TO STDOUT (FORMAT binary)`, cut anywhere.
public struct CopyBinaryReader: Sendable {
    private var buffer: [UInt8] = []
    private var offset = 0
    private var isPastHeader = false
    /// True once the trailer has been read.
    public private(set) var isFinished = false

    /// Starts before the header.
    public init() {}

    /// Adds bytes of the stream.
    public mutating func append(_ bytes: [UInt8]) {
        if offset > 1 << 16 {
            buffer.removeFirst(offset)
            offset = 0
        }
        buffer += bytes
    }

    /// The next row as its fields, nil until more bytes are there or at the end.
    ///
    /// - Throws: `.decoding` for what is not such a stream.
    public mutating func next() throws(PostgresError) -> CopyBinaryRow? {
        if !isPastHeader {
            guard buffer.count >= 19 else { return nil }
            guard buffer.starts(with: CopyBinaryWriter.signature) else {
                throw PostgresError(.decoding, "not a binary COPY stream")
            }
            let extra = Int(try buffer.span.bytes.integer(UInt32.self, at: 15))
            guard buffer.count >= 19 + extra else { return nil }
            offset = 19 + extra
            isPastHeader = true
        }
        guard !isFinished, buffer.count - offset >= 2 else { return nil }
        let count = try buffer.span.bytes.integer(Int16.self, at: offset)
        if count == -1 {
            isFinished = true
            return nil
        }
        var fields: [[UInt8]?] = []
        var cursor = offset + 2
        for _ in 0..<max(0, count) {
            guard buffer.count - cursor >= 4 else { return nil }
            let length = Int(try buffer.span.bytes.integer(Int32.self, at: cursor))
            cursor += 4
            guard length >= 0 else {
                fields.append(nil)
                continue
            }
            guard buffer.count - cursor >= length else { return nil }
            fields.append(Array(buffer[cursor..<cursor + length]))
            cursor += length
        }
        offset = cursor
        return CopyBinaryRow(fields: fields)
    }
}

/// One row of a binary COPY stream. The stream carries no types: the caller knows the columns' types.
public struct CopyBinaryRow: Sendable {
    /// The binary form of each column, nil for NULL.
    public let fields: [[UInt8]?]

    /// Decodes a column as the type that `T` is bound as.
    ///
    /// - Throws: `.decoding`.
    public func decode<T: PostgresEncodable & PostgresDecodable>(_: T.Type, at column: Int) throws(PostgresError) -> T {
        guard fields.indices.contains(column) else {
            throw PostgresError(.decoding, "column \(column) of \(fields.count)")
        }
        guard let bytes = fields[column] else { return try T.decodeNull() }
        return try T.decode(bytes.span.bytes, as: T.postgresType)
    }
}
