/// An exact decimal with eighteen digits after the point, for money, prices, shares, rates and weights.
///
/// Sums are exact; a product is exact while the factors' digits after the point add up to at most eighteen, and is otherwise
/// rounded at the eighteenth; a quotient is rounded there. Rounding is half away from zero. The range is +-1.7e20. What leaves
/// it becomes `overflow`, which every further operation keeps, so that a wrong sum can neither trap nor pass for a right one.
///
/// Why not `Foundation.Decimal`: it rounds at 38 significant digits and turns into NaN without a word, its parser accepts
/// "12abc", rounding it needs raw pointers, and the local search evaluates some hundred thousand of these figures.
public struct FixedDecimal: Sendable, Hashable {
    /// The value times 10^18; `Int128.min` is overflow.
    let raw: Int128

    static let one128: Int128 = 1_000_000_000_000_000_000
    private static let unit = UInt128(one128)

    init(raw: Int128) { self.raw = raw }

    public static let zero = FixedDecimal(raw: 0)
    public static let one = FixedDecimal(raw: one128)
    /// A result outside the range, or a quotient by zero.
    public static let overflow = FixedDecimal(raw: Int128.min)

    /// Whether an operation on the way here left the range.
    public var isOverflow: Bool { raw == Int128.min }

    public init(_ value: Int) {
        raw = Int128(value) * Self.one128
    }

    /// A binary figure, rounded to so many digits after the point (at most 18); overflow where it is not finite or too large.
    public init(_ value: Double, places: Int) {
        let places = min(max(places, 0), 18)
        let scaled = (value * Double(Self.power(places))).rounded(.toNearestOrAwayFromZero)
        guard scaled.isFinite, scaled.magnitude < 1.7e38 / Double(Self.power(18 - places)) else {
            raw = Int128.min
            return
        }
        raw = Int128(scaled) * Self.power(18 - places)
    }

    /// `-12.50` in ASCII: a sign or none, 1 to 20 digits, and at most 18 after a point. Nil for anything else.
    public init?(_ text: some StringProtocol) {
        self.init(text, exponents: false)
    }

    /// A JSON number by its digits, exponent allowed; nil where it needs more than 18 digits after the point or is too large.
    public init?(_ number: JSONNumber) {
        self.init(number.text, exponents: true)
    }

    private init?(_ text: some StringProtocol, exponents: Bool) {
        var mantissa: UInt128 = 0
        var digits = 0
        var decimals = 0
        var afterPoint = false
        var isNegative = false
        var exponent = 0
        var bytes = text.utf8.makeIterator()
        var next = bytes.next()
        if next == UInt8(ascii: "-") {
            isNegative = true
            next = bytes.next()
        }
        scan: while let byte = next {
            switch byte {
            case 0x30...0x39:
                let (product, isLarge) = mantissa.multipliedReportingOverflow(by: 10)
                let (sum, isLarger) = product.addingReportingOverflow(UInt128(byte - 0x30))
                guard !isLarge, !isLarger else { return nil }
                mantissa = sum
                digits += 1
                if afterPoint { decimals += 1 }
            case UInt8(ascii: ".") where !afterPoint && digits > 0: afterPoint = true
            case UInt8(ascii: "e") where exponents && digits > 0, UInt8(ascii: "E") where exponents && digits > 0:
                var rest = ""
                while let byte = bytes.next() { rest.unicodeScalars.append(Unicode.Scalar(byte)) }
                guard let read = Int(rest), read.magnitude <= 400 else { return nil }
                exponent = read
                break scan
            default: return nil
            }
            next = bytes.next()
        }
        guard digits > 0, !afterPoint || decimals > 0 else { return nil }
        var shift = 18 - decimals + exponent
        while shift < 0 {
            guard mantissa.isMultiple(of: 10) else { return nil }
            if mantissa == 0 { shift = 0 } else { (mantissa, shift) = (mantissa / 10, shift + 1) }
        }
        guard mantissa > 0 else {
            raw = 0
            return
        }
        guard shift <= 38 else { return nil }
        for _ in 0..<shift {
            let (product, isLarge) = mantissa.multipliedReportingOverflow(by: 10)
            guard !isLarge else { return nil }
            mantissa = product
        }
        guard let value = Int128(exactly: mantissa) else { return nil }
        raw = isNegative ? -value : value
    }

    private static func power(_ exponent: Int) -> Int128 {
        var result: Int128 = 1
        for _ in 0..<exponent { result *= 10 }
        return result
    }

    // MARK: Rounding and text

    /// Rounded to so many digits after the point, halves away from zero.
    public func rounded(places: Int) -> FixedDecimal {
        guard !isOverflow, places < 18 else { return self }
        let step = Self.power(18 - max(places, 0))
        let (quotient, remainder) = raw.magnitude.quotientAndRemainder(dividingBy: UInt128(step))
        let whole = remainder >= UInt128(step) - remainder ? quotient + 1 : quotient
        return Self.signed(whole.multipliedReportingOverflow(by: UInt128(step)), negative: raw < 0)
    }

    /// Money as it is shown and booked: to the cent, halves away from zero.
    public var cents: FixedDecimal { rounded(places: 2) }

    /// The largest multiple of `step` that is at most this; `step` is above zero.
    public func roundedDown(to step: FixedDecimal) -> FixedDecimal {
        guard !isOverflow, step.raw > 0 else { return .overflow }
        let remainder = raw % step.raw
        return FixedDecimal(raw: raw - (remainder < 0 ? remainder + step.raw : remainder))
    }

    /// Whether it is a whole number of steps.
    public func isMultiple(of step: FixedDecimal) -> Bool { !isOverflow && step.raw > 0 && raw % step.raw == 0 }

    /// Exactly so many digits after the point, rounded: `12.50`.
    public func text(places: Int) -> String {
        guard !isOverflow else { return "overflow" }
        let magnitude = rounded(places: places).raw.magnitude
        let sign = raw < 0 && magnitude > 0 ? "-" : ""
        let fraction = magnitude % Self.unit
        let whole = sign + String(magnitude / Self.unit)
        guard places > 0 else { return whole }
        let digits = String(fraction)
        let padded = String(repeating: "0", count: 18 - digits.utf8.count) + digits
        return whole + "." + padded.prefix(min(places, 18))
    }

    /// The nearest binary value.
    public var double: Double { isOverflow ? .nan : Double(raw) / 1e18 }

    /// The value as an integer where it is one.
    public var int: Int? { !isOverflow && raw % Self.one128 == 0 ? Int(exactly: raw / Self.one128) : nil }

    public var isNegative: Bool { raw < 0 }
    public var magnitude: FixedDecimal { isOverflow ? self : FixedDecimal(raw: raw < 0 ? -raw : raw) }

    // MARK: Arithmetic

    private static func signed(_ result: (partialValue: UInt128, overflow: Bool), negative: Bool) -> FixedDecimal {
        guard !result.overflow, let value = Int128(exactly: result.partialValue) else { return .overflow }
        return FixedDecimal(raw: negative ? -value : value)
    }

    public static func + (a: FixedDecimal, b: FixedDecimal) -> FixedDecimal {
        guard !a.isOverflow, !b.isOverflow else { return .overflow }
        let (sum, overflow) = a.raw.addingReportingOverflow(b.raw)
        return overflow ? .overflow : FixedDecimal(raw: sum)
    }

    public static func - (a: FixedDecimal, b: FixedDecimal) -> FixedDecimal {
        guard !a.isOverflow, !b.isOverflow else { return .overflow }
        let (sum, overflow) = a.raw.subtractingReportingOverflow(b.raw)
        return overflow ? .overflow : FixedDecimal(raw: sum)
    }

    public static prefix func - (a: FixedDecimal) -> FixedDecimal { .zero - a }

    public static func * (a: FixedDecimal, b: FixedDecimal) -> FixedDecimal {
        guard !a.isOverflow, !b.isOverflow else { return .overflow }
        return quotient(a.raw.magnitude, b.raw.magnitude, by: unit, negative: (a.raw < 0) != (b.raw < 0))
    }

    public static func / (a: FixedDecimal, b: FixedDecimal) -> FixedDecimal {
        guard !a.isOverflow, !b.isOverflow, b.raw != 0 else { return .overflow }
        return quotient(a.raw.magnitude, unit, by: b.raw.magnitude, negative: (a.raw < 0) != (b.raw < 0))
    }

    /// x y / divisor, rounded half away from zero.
    private static func quotient(_ x: UInt128, _ y: UInt128, by divisor: UInt128, negative: Bool) -> FixedDecimal {
        let (high, low) = x.multipliedFullWidth(by: y)
        guard high < divisor else { return .overflow }
        let (quotient, remainder) =
            high == 0 ? low.quotientAndRemainder(dividingBy: divisor) : divisor.dividingFullWidth((high, low))
        let rounded = remainder >= divisor - remainder ? quotient.addingReportingOverflow(1) : (quotient, false)
        return signed(rounded, negative: negative)
    }

    public static func += (a: inout FixedDecimal, b: FixedDecimal) { a = a + b }
    public static func -= (a: inout FixedDecimal, b: FixedDecimal) { a = a - b }
}

extension FixedDecimal: Comparable {
    public static func < (a: FixedDecimal, b: FixedDecimal) -> Bool { a.raw < b.raw }
}

extension FixedDecimal: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int) { self.init(value) }
}

extension FixedDecimal: CustomStringConvertible {
    /// The digits without trailing zeros: `12.5`, `-3`, `0`.
    public var description: String {
        var text = Substring(text(places: 18))
        guard text.contains(".") else { return String(text) }
        while text.last == "0" { text = text.dropLast() }
        if text.last == "." { text = text.dropLast() }
        return String(text)
    }
}

extension MemberReader {
    /// A decimal as a string or a number with at most fifteen digits, within a range.
    public func fixed(
        _ name: String, required: Bool = false, in range: ClosedRange<FixedDecimal>? = nil, isAbove: FixedDecimal? = nil
    ) -> FixedDecimal? {
        guard let value = value(name, required: required) else { return nil }
        return fixed(value, at: pointer.appending(name), in: range, isAbove: isAbove)
    }

    /// The same for an element of an array or a member of a table.
    public func fixed(
        _ value: JSONValue, at place: JSONPointer, in range: ClosedRange<FixedDecimal>? = nil,
        isAbove: FixedDecimal? = nil
    ) -> FixedDecimal? {
        let read: FixedDecimal?
        switch value {
        case .string(let text): read = FixedDecimal(text)
        case .number(let number):
            let digits = number.text.utf8.prefix { $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }
                .filter { (0x30...0x39).contains($0) }.drop { $0 == 0x30 }.count
            if digits > 15 {
                faults.record(
                    Violation(
                        place, .badFormat,
                        "A number with more than 15 digits loses some on the way: write it as a string."))
                return nil
            }
            read = FixedDecimal(number)
        default:
            faults.record(Violation(place, .wrongType, "Expected a decimal, found \(value.kindInWords)."))
            return nil
        }
        guard let decimal = read else {
            faults.record(
                Violation(
                    place, .badFormat, "Expected a decimal like \"12.50\" with at most 18 digits after the point."))
            return nil
        }
        if let range, !range.contains(decimal) {
            let detail = "\(decimal) is not between \(range.lowerBound) and \(range.upperBound)."
            faults.record(Violation(place, .outOfRange, detail, value: decimal.double))
            return nil
        }
        if let isAbove, decimal <= isAbove {
            faults.record(Violation(place, .outOfRange, "\(decimal) is not above \(isAbove).", value: decimal.double))
            return nil
        }
        return decimal
    }
}

extension JSONValue {
    /// A decimal as a string, digits kept.
    public init(_ value: FixedDecimal) { self = value.isOverflow ? .null : .string(value.description) }
    /// A decimal as a string with so many digits after the point.
    public init(_ value: FixedDecimal, places: Int) {
        self = value.isOverflow ? .null : .string(value.text(places: places))
    }
    /// Money to the cent.
    public init(money value: FixedDecimal) { self.init(value, places: 2) }
}
