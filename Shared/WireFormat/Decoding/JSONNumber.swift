/// A JSON number with the digits it was written with, so that decimal money is not bent by binary floating point.
public struct JSONNumber: Sendable, Equatable, Hashable {
    /// The number in JSON's grammar.
    public let text: String

    /// The shortest digits that read back as exactly this value.
    /// - Precondition: `value` is finite. Use `JSONValue.init(_: Double?)` for figures that may not be.
    public init(_ value: Double) {
        precondition(value.isFinite, "JSON has no NaN and no infinities")
        text = value.description
    }

    public init(_ value: Int) { text = String(value) }

    /// A decimal in JSON's grammar, digits kept; nil where the text is not a JSON number or is longer than 400 bytes.
    public init?(decimal text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 400, NumberGrammar.end(in: bytes, from: 0) == bytes.count else { return nil }
        self.text = String(text)
    }

    /// Text that the parser has already checked.
    init(checked text: String) { self.text = text }

    /// The nearest binary value; nil where it is beyond the range of `Double`.
    public var double: Double? {
        guard let value = Double(text), value.isFinite else { return nil }
        return value
    }

    /// The value where it is integral (`3`, `3.0` and `3e0` alike) and fits; nil otherwise.
    public var int: Int? {
        if let value = Int(text) { return value }
        guard let value = Double(text), value.magnitude <= 9_007_199_254_740_992 else { return nil }
        return Int(exactly: value)
    }
}

/// RFC 8259 section 6: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
enum NumberGrammar {
    /// The end of the number that starts at `start`; nil where there is none.
    static func end(in bytes: [UInt8], from start: Int) -> Int? {
        var i = start
        func digits() -> Bool {
            let first = i
            while i < bytes.count, isDigit(bytes[i]) { i += 1 }
            return i > first
        }
        if i < bytes.count, bytes[i] == UInt8(ascii: "-") { i += 1 }
        guard i < bytes.count, isDigit(bytes[i]) else { return nil }
        if bytes[i] == UInt8(ascii: "0") { i += 1 } else if !digits() { return nil }
        if i < bytes.count, bytes[i] == UInt8(ascii: ".") {
            i += 1
            guard digits() else { return nil }
        }
        if i < bytes.count, bytes[i] == UInt8(ascii: "e") || bytes[i] == UInt8(ascii: "E") {
            i += 1
            if i < bytes.count, bytes[i] == UInt8(ascii: "+") || bytes[i] == UInt8(ascii: "-") { i += 1 }
            guard digits() else { return nil }
        }
        return i
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}
