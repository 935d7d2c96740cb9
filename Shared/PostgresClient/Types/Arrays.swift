#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type whose Swift array is a PostgreSQL value: one-dimensional arrays, and `[UInt8]`, which is bytea.
public protocol PostgresArrayElement: Sendable {
    /// The type of the array.
    static var postgresArrayType: PostgresType { get }
    /// Appends the binary form of the array.
    static func encodeArray(_ array: [Self], into bytes: inout [UInt8])
    /// Reads the binary form of the array.
    static func decodeArray(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> [Self]
}

// Header: dimensions, has-null flag, element type; for each dimension length and lower bound; then the elements.
// Source: src/backend/utils/adt/arrayfuncs.c, array_send.
extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
    /// One dimension from index 1; an empty array has no dimension.
    public static func encodeArray(_ array: [Self], into bytes: inout [UInt8]) {
        bytes.append(bigEndian: Int32(array.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(array.contains { $0.isNull } ? 1 : 0))
        bytes.append(bigEndian: Self.postgresType.rawValue)
        guard !array.isEmpty else { return }
        bytes.append(bigEndian: Int32(array.count))
        bytes.append(bigEndian: Int32(1))
        for element in array { bytes.append(field: element) }
    }

    /// Refuses more than one dimension. The element type is read from the value itself.
    public static func decodeArray(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> [Self] {
        let dimensions = try bytes.integer(Int32.self, at: 0)
        let element = PostgresType(rawValue: try bytes.integer(UInt32.self, at: 8))
        if dimensions == 0 { return [] }
        guard dimensions == 1 else { throw .malformed([Self].self, "\(dimensions) dimensions") }
        let count = Int(try bytes.integer(Int32.self, at: 12))
        guard count >= 0, count <= bytes.byteCount / 4 else { throw .malformed([Self].self, "length \(count)") }
        var result: [Self] = []
        result.reserveCapacity(count)
        var offset = 20
        for _ in 0..<count {
            let length = Int(try bytes.integer(Int32.self, at: offset))
            offset += 4
            if length < 0 {
                result.append(try Self.decodeNull())
                continue
            }
            guard offset + length <= bytes.byteCount else { throw .malformed([Self].self, "truncated") }
            result.append(try Self.decode(bytes.extracting(offset..<offset + length), as: element))
            offset += length
        }
        return result
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    /// The element's array type.
    public static var postgresType: PostgresType { Element.postgresArrayType }
    /// Appends the array.
    public func encode(into bytes: inout [UInt8]) { Element.encodeArray(self, into: &bytes) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    /// Reads the array.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> [Element] {
        try Element.decodeArray(bytes, as: type)
    }
}

extension UInt8: PostgresArrayElement {
    /// bytea: an array of bytes is not an SQL array.
    public static var postgresArrayType: PostgresType { .bytea }
    /// The bytes as they are.
    public static func encodeArray(_ array: [UInt8], into bytes: inout [UInt8]) { bytes.append(contentsOf: array) }
    /// Reads bytea.
    public static func decodeArray(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> [UInt8] {
        guard type == .bytea else { throw .mismatch([UInt8].self, type) }
        return bytes.withUnsafeBytes { [UInt8]($0) }
    }
}

extension Array: PostgresArrayElement where Element == UInt8 {
    /// bytea[]
    public static var postgresArrayType: PostgresType { .byteaArray }
}

extension Bool: PostgresArrayElement {
    /// bool[]
    public static var postgresArrayType: PostgresType { .boolArray }
}
extension Int: PostgresArrayElement {
    /// int8[]
    public static var postgresArrayType: PostgresType { .int8Array }
}
extension Int64: PostgresArrayElement {
    /// int8[]
    public static var postgresArrayType: PostgresType { .int8Array }
}
extension Int32: PostgresArrayElement {
    /// int4[]
    public static var postgresArrayType: PostgresType { .int4Array }
}
extension Int16: PostgresArrayElement {
    /// int2[]
    public static var postgresArrayType: PostgresType { .int2Array }
}
extension Double: PostgresArrayElement {
    /// float8[]
    public static var postgresArrayType: PostgresType { .float8Array }
}
extension Float: PostgresArrayElement {
    /// float4[]
    public static var postgresArrayType: PostgresType { .float4Array }
}
extension String: PostgresArrayElement {
    /// text[]
    public static var postgresArrayType: PostgresType { .textArray }
}
extension UUID: PostgresArrayElement {
    /// uuid[]
    public static var postgresArrayType: PostgresType { .uuidArray }
}
extension Date: PostgresArrayElement {
    /// timestamptz[]
    public static var postgresArrayType: PostgresType { .timestamptzArray }
}
extension PostgresNumeric: PostgresArrayElement {
    /// numeric[]
    public static var postgresArrayType: PostgresType { .numericArray }
}
extension PostgresTimestamp: PostgresArrayElement {
    /// timestamptz[]
    public static var postgresArrayType: PostgresType { .timestamptzArray }
}
extension PostgresDate: PostgresArrayElement {
    /// date[]
    public static var postgresArrayType: PostgresType { .dateArray }
}
extension PostgresJSON: PostgresArrayElement {
    /// jsonb[]
    public static var postgresArrayType: PostgresType { .jsonbArray }
}
extension Optional: PostgresArrayElement
where Wrapped: PostgresArrayElement & PostgresEncodable & PostgresDecodable {
    /// The same array type: elements may be NULL.
    public static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }
}
