/// A decimal number as it was written: `coefficient * 10^exponent`, exact, up to 38 digits.
///
/// Prices never pass through binary floating point. Two numbers of the same value are equal, however many zeros they
/// were written with; `description` keeps them.
public struct DecimalNumber: Sendable {
    private let isNegative: Bool
    private let coefficient: UInt128
    private let exponent: Int

    /// Exponents beyond this are refused: no price or volume is that small or large.
    private static let exponentLimit = 64

    /// An integer shifted: `integer * 10^exponent`, as oracles store prices.
    ///
    /// - Returns: nil when the exponent is beyond 64 either way.
    public init?(_ integer: Int64, exponent: Int) {
        self.init(isNegative: integer < 0, coefficient: UInt128(integer.magnitude), exponent: exponent)
    }

    /// The unsigned form, for confidences.
    public init?(_ integer: UInt64, exponent: Int) {
        self.init(isNegative: false, coefficient: UInt128(integer), exponent: exponent)
    }

    private init?(isNegative: Bool, coefficient: UInt128, exponent: Int) {
        guard abs(exponent) <= Self.exponentLimit else { return nil }
        self.isNegative = isNegative && coefficient != 0
        self.coefficient = coefficient
        self.exponent = exponent
    }

    /// Reads `12`, `-0.5`, `.5`, `12.`, `1e-8`: ASCII digits only, no separators, no NaN or infinity.
    ///
    /// - Returns: nil for anything else, for more than 38 significant digits, and for exponents beyond 64.
    public init?(_ text: some StringProtocol) {
        var coefficient: UInt128 = 0
        var exponent = 0
        var digits = 0
        var isFraction = false
        var bytes = text.utf8.makeIterator()
        var byte = bytes.next()
        let isNegative = byte == UInt8(ascii: "-")
        if isNegative || byte == UInt8(ascii: "+") { byte = bytes.next() }
        while let here = byte, here != UInt8(ascii: "e"), here != UInt8(ascii: "E") {
            if here == UInt8(ascii: ".") {
                guard !isFraction else { return nil }
                isFraction = true
            } else {
                guard here >= 0x30, here <= 0x39 else { return nil }
                let (shifted, overflow) = coefficient.multipliedReportingOverflow(by: 10)
                let (sum, carry) = shifted.addingReportingOverflow(UInt128(here - 0x30))
                guard !overflow, !carry else { return nil }
                coefficient = sum
                digits += 1
                if isFraction { exponent -= 1 }
            }
            byte = bytes.next()
        }
        guard digits > 0 else { return nil }
        if byte != nil {
            var power = 0
            var powerDigits = 0
            byte = bytes.next()
            let isBelow = byte == UInt8(ascii: "-")
            if isBelow || byte == UInt8(ascii: "+") { byte = bytes.next() }
            while let here = byte {
                guard here >= 0x30, here <= 0x39, powerDigits < 4 else { return nil }
                power = power * 10 + Int(here - 0x30)
                powerDigits += 1
                byte = bytes.next()
            }
            guard powerDigits > 0 else { return nil }
            exponent += isBelow ? -power : power
        }
        self.init(isNegative: isNegative, coefficient: coefficient, exponent: exponent)
    }

    /// Whether the value is above zero.
    public var isPositive: Bool { !isNegative && coefficient != 0 }

    /// The nearest binary value, for ratios and tolerances only.
    public var double: Double { Double(description) ?? .nan }

    /// Coefficient without trailing zeros, and the exponent that goes with it.
    private var reduced: (coefficient: UInt128, exponent: Int) {
        guard coefficient != 0 else { return (0, 0) }
        var (coefficient, exponent) = (coefficient, exponent)
        while coefficient % 10 == 0 {
            coefficient /= 10
            exponent += 1
        }
        return (coefficient, exponent)
    }
}

extension DecimalNumber: CustomStringConvertible {
    /// Plain notation, as PostgreSQL's `numeric` reads it: `0.0000345526`, `80550.0`.
    public var description: String {
        var digits = String(coefficient)
        if exponent > 0, coefficient != 0 { digits += String(repeating: "0", count: exponent) }
        if exponent < 0 {
            let places = -exponent
            if digits.utf8.count <= places {
                digits = String(repeating: "0", count: places + 1 - digits.utf8.count) + digits
            }
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -places))
        }
        return isNegative ? "-" + digits : digits
    }
}

extension DecimalNumber: Hashable {
    public static func == (a: DecimalNumber, b: DecimalNumber) -> Bool {
        if a.exponent == b.exponent { return a.coefficient == b.coefficient && a.isNegative == b.isNegative }
        return a.isNegative == b.isNegative && a.reduced == b.reduced
    }

    public func hash(into hasher: inout Hasher) {
        let reduced = reduced
        hasher.combine(isNegative)
        hasher.combine(reduced.coefficient)
        hasher.combine(reduced.exponent)
    }
}
