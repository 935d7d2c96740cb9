#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Bool: PostgresEncodable, PostgresDecodable {
    /// bool
    public static var postgresType: PostgresType { .bool }
    /// One byte, 0 or 1.
    public func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
    /// Reads a bool.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Bool {
        guard type == .bool else { throw .mismatch(Bool.self, type) }
        return try bytes.wholeInteger(UInt8.self) != 0
    }
}

/// Reads any integer type of the server whose value fits.
private func decodeInteger<T: FixedWidthInteger>(
    _: T.Type, _ bytes: RawSpan, _ type: PostgresType
) throws(PostgresError) -> T {
    let value: Int64
    switch type {
    case .int8: value = try bytes.wholeInteger(Int64.self)
    case .int4: value = Int64(try bytes.wholeInteger(Int32.self))
    case .int2: value = Int64(try bytes.wholeInteger(Int16.self))
    case .oid, .xid, .regclass, .regproc: value = Int64(try bytes.wholeInteger(UInt32.self))
    case .xid8:
        guard let exact = Int64(exactly: try bytes.wholeInteger(UInt64.self)) else {
            throw .malformed(T.self, "above the largest Int64")
        }
        value = exact
    default: throw .mismatch(T.self, type)
    }
    guard let exact = T(exactly: value) else { throw .malformed(T.self, "out of range") }
    return exact
}

extension Int: PostgresEncodable, PostgresDecodable {
    /// int8
    public static var postgresType: PostgresType { .int8 }
    /// Eight bytes.
    public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: Int64(self)) }
    /// Reads int2, int4, int8, oid, xid, xid8, regclass.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Int {
        try decodeInteger(Int.self, bytes, type)
    }
}

extension Int64: PostgresEncodable, PostgresDecodable {
    /// int8
    public static var postgresType: PostgresType { .int8 }
    /// Eight bytes.
    public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
    /// Reads int2, int4, int8, oid, xid, xid8, regclass.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Int64 {
        try decodeInteger(Int64.self, bytes, type)
    }
}

extension Int32: PostgresEncodable, PostgresDecodable {
    /// int4
    public static var postgresType: PostgresType { .int4 }
    /// Four bytes.
    public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
    /// Reads any integer type whose value fits.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Int32 {
        try decodeInteger(Int32.self, bytes, type)
    }
}

extension Int16: PostgresEncodable, PostgresDecodable {
    /// int2
    public static var postgresType: PostgresType { .int2 }
    /// Two bytes.
    public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
    /// Reads any integer type whose value fits.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Int16 {
        try decodeInteger(Int16.self, bytes, type)
    }
}

extension Double: PostgresEncodable, PostgresDecodable {
    /// float8
    public static var postgresType: PostgresType { .float8 }
    /// Eight bytes, IEEE 754; NaN and infinities pass.
    public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: bitPattern) }
    /// Reads float8, float4, and numeric as the nearest double. NaN and infinities of numeric are refused.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Double {
        switch type {
        case .float8: return Double(bitPattern: try bytes.wholeInteger(UInt64.self))
        case .float4: return Double(Float(bitPattern: try bytes.wholeInteger(UInt32.self)))
        case .numeric: return try PostgresNumeric.nearestDouble(bytes)
        default: throw .mismatch(Double.self, type)
        }
    }
}

extension Float: PostgresEncodable, PostgresDecodable {
    /// float4
    public static var postgresType: PostgresType { .float4 }
    /// Four bytes, IEEE 754.
    public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: bitPattern) }
    /// Reads float4 only: float8 would lose digits.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Float {
        guard type == .float4 else { throw .mismatch(Float.self, type) }
        return Float(bitPattern: try bytes.wholeInteger(UInt32.self))
    }
}

extension String: PostgresEncodable, PostgresDecodable {
    /// text
    public static var postgresType: PostgresType { .text }
    /// UTF-8. A NUL character is refused by the server (22021).
    public func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }
    /// Reads text, varchar, char, name, "char", json, jsonb, numeric (exact digits), uuid and enum labels.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> String {
        switch type {
        case .text, .varchar, .bpchar, .name, .char, .unknown, .json: return bytes.text
        case .jsonb: return try PostgresJSON.decode(bytes, as: type).text
        case .numeric: return try PostgresNumeric.decode(bytes, as: type).text
        case .uuid: return try UUID.decode(bytes, as: type).uuidString.lowercased()
        case _ where type.rawValue >= PostgresType.firstUserDefined: return bytes.text
        default: throw .mismatch(String.self, type)
        }
    }
}

extension UUID: PostgresEncodable, PostgresDecodable {
    /// uuid
    public static var postgresType: PostgresType { .uuid }
    /// Sixteen bytes.
    public func encode(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) }
    }
    /// Reads a uuid.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> UUID {
        guard type == .uuid else { throw .mismatch(UUID.self, type) }
        guard bytes.byteCount == 16 else { throw .malformed(UUID.self, "\(bytes.byteCount) bytes") }
        return UUID(uuid: bytes.unsafeLoadUnaligned(as: uuid_t.self))
    }
}
