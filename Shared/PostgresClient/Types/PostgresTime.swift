#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A moment: microseconds since 1970-01-01T00:00:00Z, the resolution of timestamptz.
public struct PostgresTimestamp: Sendable, Hashable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z; the two extremes of Int64 are the infinities.
    public let microsecondsSinceEpoch: Int64

    /// Wraps microseconds since 1970-01-01T00:00:00Z.
    public init(microsecondsSinceEpoch: Int64) {
        self.microsecondsSinceEpoch = microsecondsSinceEpoch
    }

    /// PostgreSQL's `infinity`, after every moment.
    public static let infinity = PostgresTimestamp(microsecondsSinceEpoch: .max)
    /// PostgreSQL's `-infinity`, before every moment.
    public static let negativeInfinity = PostgresTimestamp(microsecondsSinceEpoch: .min)

    /// Neither `infinity` nor `-infinity`.
    public var isFinite: Bool { self != .infinity && self != .negativeInfinity }

    /// Earlier before later.
    public static func < (a: PostgresTimestamp, b: PostgresTimestamp) -> Bool {
        a.microsecondsSinceEpoch < b.microsecondsSinceEpoch
    }

    /// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
    private static let epochShift: Int64 = 946_684_800_000_000
}

extension PostgresTimestamp: PostgresEncodable, PostgresDecodable {
    /// timestamptz
    public static var postgresType: PostgresType { .timestamptz }

    /// Microseconds since 2000-01-01; a moment too early for eight bytes becomes `-infinity`.
    public func encode(into bytes: inout [UInt8]) {
        if self == .infinity {
            bytes.append(bigEndian: Int64.max)
            return
        }
        let (shifted, overflow) = microsecondsSinceEpoch.subtractingReportingOverflow(Self.epochShift)
        bytes.append(bigEndian: overflow ? Int64.min : shifted)
    }

    /// Reads timestamptz, and timestamp as UTC.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> PostgresTimestamp {
        guard type == .timestamptz || type == .timestamp else { throw .mismatch(PostgresTimestamp.self, type) }
        let value = try bytes.wholeInteger(Int64.self)
        if value == .max { return .infinity }
        if value == .min { return .negativeInfinity }
        let (shifted, overflow) = value.addingReportingOverflow(Self.epochShift)
        guard !overflow else { throw .malformed(PostgresTimestamp.self, "beyond the year 294247") }
        return PostgresTimestamp(microsecondsSinceEpoch: shifted)
    }
}

/// A calendar date: days since 1970-01-01.
public struct PostgresDate: Sendable, Hashable, Comparable {
    /// Days since 1970-01-01; the two extremes of Int are the infinities.
    public let daysSinceEpoch: Int

    /// Wraps days since 1970-01-01.
    public init(daysSinceEpoch: Int) {
        self.daysSinceEpoch = daysSinceEpoch
    }

    /// PostgreSQL's `infinity`.
    public static let infinity = PostgresDate(daysSinceEpoch: .max)
    /// PostgreSQL's `-infinity`.
    public static let negativeInfinity = PostgresDate(daysSinceEpoch: .min)

    /// Neither `infinity` nor `-infinity`.
    public var isFinite: Bool { self != .infinity && self != .negativeInfinity }

    /// Earlier before later.
    public static func < (a: PostgresDate, b: PostgresDate) -> Bool { a.daysSinceEpoch < b.daysSinceEpoch }

    /// Days from 1970-01-01 to 2000-01-01.
    private static let epochShift = 10957
}

extension PostgresDate: PostgresEncodable, PostgresDecodable {
    /// date
    public static var postgresType: PostgresType { .date }

    /// Days since 2000-01-01; what four bytes can't hold becomes an infinity.
    public func encode(into bytes: inout [UInt8]) {
        let (shifted, overflow) = daysSinceEpoch.subtractingReportingOverflow(Self.epochShift)
        let limit: Int32 = daysSinceEpoch > 0 ? .max : .min
        if self == .infinity || overflow {
            bytes.append(bigEndian: limit)
        } else {
            bytes.append(bigEndian: Int32(exactly: shifted) ?? limit)
        }
    }

    /// Reads a date.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> PostgresDate {
        guard type == .date else { throw .mismatch(PostgresDate.self, type) }
        let value = try bytes.wholeInteger(Int32.self)
        if value == .max { return .infinity }
        if value == .min { return .negativeInfinity }
        return PostgresDate(daysSinceEpoch: Int(value) + Self.epochShift)
    }
}

extension Date: PostgresEncodable, PostgresDecodable {
    /// timestamptz
    public static var postgresType: PostgresType { .timestamptz }

    /// Rounded to the microsecond; what is not finite or too far becomes an infinity.
    public func encode(into bytes: inout [UInt8]) {
        let microseconds = (timeIntervalSince1970 * 1e6).rounded()
        let timestamp: PostgresTimestamp =
            if let exact = Int64(exactly: microseconds) {
                PostgresTimestamp(microsecondsSinceEpoch: exact)
            } else if microseconds < 0 {
                .negativeInfinity
            } else {
                .infinity
            }
        timestamp.encode(into: &bytes)
    }

    /// Reads timestamptz; an infinity is refused.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Date {
        let timestamp = try PostgresTimestamp.decode(bytes, as: type)
        guard timestamp.isFinite else { throw .malformed(Date.self, "infinity") }
        return Date(timeIntervalSince1970: Double(timestamp.microsecondsSinceEpoch) / 1e6)
    }
}
