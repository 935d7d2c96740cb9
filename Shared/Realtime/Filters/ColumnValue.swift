public import WireFormat

/// How a column's values compare, by its type.
public enum ColumnFamily: Sendable, Equatable {
    case integer(bits: Int)
    case numeric
    case double
    case real
    case boolean
    case timestamp
    case date
    case uuid
    case text
    /// Arrays, json, bytea and the rest: equality of their text only.
    case opaque

    /// The family of a `pg_type.typname`.
    public init(type: String) {
        switch type {
        case "int2": self = .integer(bits: 16)
        case "int4": self = .integer(bits: 32)
        case "int8", "oid": self = .integer(bits: 64)
        case "numeric": self = .numeric
        case "float8": self = .double
        case "float4": self = .real
        case "bool": self = .boolean
        case "timestamptz", "timestamp": self = .timestamp
        case "date": self = .date
        case "uuid": self = .uuid
        case "text", "varchar", "bpchar", "name", "citext": self = .text
        default: self = .opaque
        }
    }
}

/// A value in the form in which PostgreSQL would compare it. Equal values are equal here, so it serves as a key.
public enum ColumnValue: Sendable, Hashable {
    case decimal(DecimalValue)
    case double(Double)
    case boolean(Bool)
    /// Microseconds since 1970; the ends stand for the infinities.
    case instant(Int64)
    /// By bytes, as in collation C. Swift's `==` of strings would make "é" equal "e\u{301}".
    case text([UInt8])

    /// By ``compare(_:)``, so that NaN equals NaN as in PostgreSQL.
    public static func == (a: ColumnValue, b: ColumnValue) -> Bool { a.compare(b) == 0 }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .decimal(let value): hasher.combine(value)
        case .double(let value): hasher.combine(value.isNaN ? .infinity : value)
        case .boolean(let value): hasher.combine(value)
        case .instant(let value): hasher.combine(value)
        case .text(let value): hasher.combine(value)
        }
    }

    /// -1, 0 or 1; nil for values of different families, which a checked filter does not compare.
    func compare(_ other: ColumnValue) -> Int? {
        switch (self, other) {
        case (.decimal(let a), .decimal(let b)): a.compare(b)
        case (.double(let a), .double(let b)): Self.compare(a, b)
        case (.boolean(let a), .boolean(let b)): a == b ? 0 : a ? 1 : -1
        case (.instant(let a), .instant(let b)): a == b ? 0 : a < b ? -1 : 1
        case (.text(let a), .text(let b)): a == b ? 0 : a.lexicographicallyPrecedes(b) ? -1 : 1
        default: nil
        }
    }

    /// NaN equals itself and is above everything, as in PostgreSQL.
    private static func compare(_ a: Double, _ b: Double) -> Int {
        if a.isNaN || b.isNaN { return a.isNaN == b.isNaN ? 0 : a.isNaN ? 1 : -1 }
        return a == b ? 0 : a < b ? -1 : 1
    }
}

extension ColumnFamily {
    /// Reads the text of a filter as PostgreSQL would cast it; nil where the cast would fail.
    public func value(ofFilter text: String) -> ColumnValue? {
        let trimmed = text.drop { $0.isWhitespace }.reversedTrim()
        switch self {
        case .integer(let bits):
            guard let number = Int64(trimmed),
                bits == 64 || number.magnitude < 1 << (bits - 1) || number == -(1 << (bits - 1))
            else { return nil }
            return DecimalValue(String(number)).map { .decimal($0) }
        case .numeric: return DecimalValue(trimmed).map { .decimal($0) }
        case .double: return Self.double(trimmed).map { .double($0) }
        case .real: return Self.double(trimmed).map { .double(Double(Float($0))) }
        case .boolean: return Self.boolean(trimmed).map { .boolean($0) }
        case .timestamp: return InstantText.parse(trimmed).map { .instant($0) }
        case .date: return InstantText.parse(trimmed).map { .instant(InstantText.startOfDay($0)) }
        case .uuid: return Self.uuid(trimmed).map { .text($0) }
        case .text, .opaque: return .text(Array(text.utf8))
        }
    }

    /// Reads a value of a row as `to_jsonb` wrote it; nil for null.
    public func value(ofRow value: JSONValue) -> ColumnValue? {
        switch (self, value) {
        case (_, .null): nil
        case (.boolean, .bool(let truth)): .boolean(truth)
        case (.double, .number(let number)), (.real, .number(let number)):
            Double(number.text).map { .double(self == .real ? Double(Float($0)) : $0) }
        case (.integer, .number(let number)), (.numeric, .number(let number)):
            DecimalValue(number.text).map { .decimal($0) }
        case (.text, .string(let text)), (.opaque, .string(let text)): .text(Array(text.utf8))
        case (_, .string(let text)): self.value(ofFilter: text)
        default: .text(value.bytes())
        }
    }

    /// Whether `<` and its kin mean something.
    var isOrdered: Bool { self != .opaque }

    private static func double(_ text: String) -> Double? {
        switch text.lowercased() {
        case "nan": return .nan
        case "infinity", "inf", "+infinity", "+inf": return .infinity
        case "-infinity", "-inf": return -.infinity
        default:
            guard DecimalValue(text) != nil, let value = Double(text), value.isFinite else { return nil }
            return value == 0 ? 0 : value
        }
    }

    /// Any unique prefix of the words, as PostgreSQL's boolin.
    private static func boolean(_ text: String) -> Bool? {
        let word = text.lowercased()
        guard !word.isEmpty else { return nil }
        if word == "1" || "true".hasPrefix(word) || "yes".hasPrefix(word) || word == "on" { return true }
        if word == "0" || "false".hasPrefix(word) || "no".hasPrefix(word) || word == "off" || word == "of" {
            return false
        }
        return nil
    }

    private static func uuid(_ text: String) -> [UInt8]? {
        let digits = text.lowercased().utf8.filter {
            $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "{") && $0 != UInt8(ascii: "}")
        }
        let isHex = digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return digits.count == 32 && isHex ? Array(digits) : nil
    }
}

extension Substring {
    fileprivate func reversedTrim() -> String {
        var rest = self
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
