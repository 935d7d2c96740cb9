/// Builds the stream of `COPY ... FROM STDIN (FORMAT binary)`: header, rows, trailer.
///
/// Source: PostgreSQL documentation, COPY, "Binary Format".
public struct CopyBinaryWriter: Sendable {
    /// The bytes so far that have not been taken.
    public private(set) var bytes: [UInt8] = []
    /// Rows written since the start.
    public private(set) var rowCount = 0

    static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    /// Starts with the header: signature, no flags, no extension.
    public init() {
        bytes += Self.signature
        bytes += [UInt8](repeating: 0, count: 8)
    }

    /// Writes one row, a value for each column in the order of the COPY statement. Types must be the columns' own: COPY converts nothing.
    public mutating func row<each Value: PostgresEncodable>(_ values: repeat each Value) {
        var count: Int16 = 0
        for _ in repeat (each Value).self { count += 1 }
        bytes.append(bigEndian: count)
        repeat bytes.append(field: each values)
        rowCount += 1
    }

    /// Ends the stream.
    public mutating func finish() {
        bytes.append(bigEndian: Int16(-1))
    }

    /// Hands over the bytes so far and starts an empty buffer.
    public mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }
}
