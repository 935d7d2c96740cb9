/// An exact decimal number, kept as its digits. It cannot hold NaN or an infinity.
///
/// Two values are equal when value and scale are: `1.0` and `1.00` differ, as they do in the text that PostgreSQL prints.
public struct PostgresNumeric: Sendable, Hashable, CustomStringConvertible {
    /// Plain decimal notation: no exponent, no superfluous zeros before the point, scale kept, no negative zero.
    public let text: String

    /// PostgreSQL's limits: 131,072 digits before the point, 16,383 after.
    static let maximumIntegerDigits = 131_072
    static let maximumScale = 16_383

    /// Reads decimal text, with an optional exponent; nil when it is not a number or beyond PostgreSQL's limits.
    public init?(_ text: some StringProtocol) {
        guard let canonical = Self.canonical(text) else { return nil }
        self.text = canonical
    }

    /// A whole number.
    public init(_ value: some BinaryInteger) {
        text = String(value)
    }

    /// The shortest decimal that reads back as the same double; nil for NaN and infinities.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        self.init("\(value)")
    }

    init(canonical: String) {
        text = canonical
    }

    /// The text.
    public var description: String { text }

    /// The nearest double; an infinity above its range.
    public var double: Double { Double(text) ?? .nan }

    private static func canonical(_ source: some StringProtocol) -> String? {
        var rest = Array(source.utf8)[...]
        var negative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            negative = sign == UInt8(ascii: "-")
            rest.removeFirst()
        }
        let integer = rest.prefix(while: isDigit)
        rest = rest.dropFirst(integer.count)
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = rest.prefix(while: isDigit)
            rest = rest.dropFirst(fraction.count)
        }
        guard integer.count + fraction.count > 0 else { return nil }
        var exponent = 0
        if let mark = rest.first, mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") {
            guard let value = Int(String(decoding: rest.dropFirst(), as: UTF8.self)), abs(value) <= 200_000 else {
                return nil
            }
            exponent = value
            rest = []
        }
        guard rest.isEmpty else { return nil }
        var digits = Array(integer + fraction)
        var point = integer.count + exponent
        if point < 0 {
            digits.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: -point), at: 0)
            point = 0
        }
        if point > digits.count {
            digits.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: point - digits.count))
        }
        let whole = digits[..<point].drop { $0 == UInt8(ascii: "0") }
        let scale = digits[point...]
        guard whole.count <= maximumIntegerDigits, scale.count <= maximumScale else { return nil }
        let isZero = whole.isEmpty && scale.allSatisfy { $0 == UInt8(ascii: "0") }
        var text = negative && !isZero ? "-" : ""
        text += whole.isEmpty ? "0" : String(decoding: whole, as: UTF8.self)
        if !scale.isEmpty { text += "." + String(decoding: scale, as: UTF8.self) }
        return text
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
}

// The binary form: number of base-10,000 digits, weight of the first (a power of 10,000), sign, decimal scale, digits.
// Source: src/backend/utils/adt/numeric.c, numeric_send.
extension PostgresNumeric: PostgresEncodable, PostgresDecodable {
    /// numeric
    public static var postgresType: PostgresType { .numeric }

    /// Groups of four digits around the point; zero groups at both ends are left out.
    public func encode(into bytes: inout [UInt8]) {
        var digits = Array(text.utf8)[...]
        let negative = digits.first == UInt8(ascii: "-")
        if negative { digits.removeFirst() }
        let whole = digits.prefix { $0 != UInt8(ascii: ".") }
        let fraction = digits.dropFirst(whole.count + 1)
        let padded =
            [UInt8](repeating: 48, count: (4 - whole.count % 4) % 4) + whole + fraction
            + [UInt8](repeating: 48, count: (4 - fraction.count % 4) % 4)
        var weight = (whole.count + 3) / 4 - 1
        var groups = stride(from: 0, to: padded.count, by: 4).map { start in
            padded[start..<start + 4].reduce(UInt16(0)) { $0 * 10 + UInt16($1 - 48) }
        }[...]
        while groups.first == 0 {
            groups.removeFirst()
            weight -= 1
        }
        while groups.last == 0 { groups.removeLast() }
        bytes.append(bigEndian: UInt16(groups.count))
        bytes.append(bigEndian: Int16(groups.isEmpty ? 0 : weight))
        bytes.append(bigEndian: UInt16(negative ? 0x4000 : 0))
        bytes.append(bigEndian: UInt16(fraction.count))
        for group in groups { bytes.append(bigEndian: group) }
    }

    /// The nearest double to the binary form of a numeric; an infinity above its range. NaN and infinities are refused.
    ///
    /// Where the digits make a whole number below 2^53 and the power of ten is at most 10^22, both are doubles, and one division or product rounds as
    /// the exact value would: no text is needed for a price. Source: Clinger, How to read floating point numbers accurately, 1990.
    static func nearestDouble(_ bytes: RawSpan) throws(PostgresError) -> Double {
        let count = Int(try bytes.integer(UInt16.self, at: 0))
        let sign = try bytes.integer(UInt16.self, at: 4)
        let exponent = 4 * (Int(try bytes.integer(Int16.self, at: 2)) - count + 1)
        guard count <= 4, sign == 0 || sign == 0x4000, bytes.byteCount == 8 + 2 * count,
            exponent.magnitude < exactPowersOfTen.count
        else { return try decode(bytes, as: .numeric).double }
        var whole: UInt64 = 0
        for index in 0..<count {
            let digit = try bytes.integer(UInt16.self, at: 8 + 2 * index)
            guard digit < 10_000 else { throw .malformed(PostgresNumeric.self, "digit \(digit)") }
            whole = whole * 10_000 + UInt64(digit)
        }
        guard whole <= 1 << 53 else { return try decode(bytes, as: .numeric).double }
        let power = exactPowersOfTen[Int(exponent.magnitude)]
        let magnitude = exponent < 0 ? Double(whole) / power : Double(whole) * power
        return sign == 0 ? magnitude : -magnitude
    }

    /// The powers of ten that are doubles.
    private static let exactPowersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// Reads numeric, and whole numbers of int2, int4, int8. NaN and infinities are refused.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> PostgresNumeric {
        guard type == .numeric else {
            guard type == .int8 || type == .int4 || type == .int2 else { throw .mismatch(PostgresNumeric.self, type) }
            return PostgresNumeric(try Int64.decode(bytes, as: type))
        }
        let count = Int(try bytes.integer(UInt16.self, at: 0))
        let weight = Int(try bytes.integer(Int16.self, at: 2))
        let sign = try bytes.integer(UInt16.self, at: 4)
        let scale = Int(try bytes.integer(UInt16.self, at: 6))
        switch sign {
        case 0, 0x4000: break
        case 0xC000: throw .malformed(PostgresNumeric.self, "NaN")
        case 0xD000, 0xF000: throw .malformed(PostgresNumeric.self, "infinity")
        default: throw .malformed(PostgresNumeric.self, "unknown sign \(sign)")
        }
        guard bytes.byteCount == 8 + 2 * count else { throw .malformed(PostgresNumeric.self, "length") }
        var text: [UInt8] = sign == 0x4000 ? [UInt8(ascii: "-")] : []
        func group(_ index: Int) throws(PostgresError) -> [UInt8] {
            guard index >= 0, index < count else { return [48, 48, 48, 48] }
            let value = try bytes.integer(UInt16.self, at: 8 + 2 * index)
            guard value < 10_000 else { throw .malformed(PostgresNumeric.self, "digit \(value)") }
            return [value / 1000, value / 100 % 10, value / 10 % 10, value % 10].map { UInt8($0) + 48 }
        }
        var whole: [UInt8] = []
        if weight >= 0 {
            for index in 0...weight { whole += try group(index) }
        }
        let significant = whole.drop { $0 == 48 }
        text += significant.isEmpty ? [48] : Array(significant)
        if scale > 0 {
            var fraction: [UInt8] = []
            var index = weight + 1
            while fraction.count < scale {
                fraction += try group(index)
                index += 1
            }
            text.append(UInt8(ascii: "."))
            text += fraction.prefix(scale)
        }
        return PostgresNumeric(canonical: String(decoding: text, as: UTF8.self))
    }
}
