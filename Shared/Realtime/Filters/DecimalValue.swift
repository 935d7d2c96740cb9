/// A decimal number of any length, normalised, so that 1.50, 1.5 and 15e-1 are one value. NaN is above all, as in PostgreSQL.
public struct DecimalValue: Sendable, Hashable {
    private enum Kind: Hashable { case finite, infinite, nan }

    private let kind: Kind
    private let isNegative: Bool
    /// Significant digits without zeros at either end; empty for zero.
    private let digits: [UInt8]
    /// value = 0.digits x 10^exponent
    private let exponent: Int

    /// Reads what PostgreSQL's `numeric` reads, exponents up to six digits; nil for anything else.
    public init?(_ text: some StringProtocol) {
        var bytes = Array(text.utf8)[...]
        var isNegative = false
        if bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") {
            isNegative = bytes.removeFirst() == UInt8(ascii: "-")
        }
        switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "nan":
            guard text.utf8.count == 3 else { return nil }
            self.init(.nan, false, [], 0)
            return
        case "infinity", "inf":
            self.init(.infinite, isNegative, [], 0)
            return
        default: break
        }
        var (digits, pointAt, exponent) = ([UInt8](), Int?.none, 0)
        while let byte = bytes.first {
            if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                digits.append(byte)
            } else if byte == UInt8(ascii: "."), pointAt == nil {
                pointAt = digits.count
            } else {
                break
            }
            bytes.removeFirst()
        }
        guard !digits.isEmpty else { return nil }
        if bytes.first == UInt8(ascii: "e") || bytes.first == UInt8(ascii: "E") {
            let exponentText = String(decoding: bytes.dropFirst(), as: UTF8.self)
            guard exponentText.utf8.count <= 7, let value = Int(exponentText) else { return nil }
            exponent = value
            bytes = []
        }
        guard bytes.isEmpty else { return nil }
        let integerDigits = pointAt ?? digits.count
        let leading = digits.prefix { $0 == UInt8(ascii: "0") }.count
        digits.removeFirst(leading)
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        let isZero = digits.isEmpty
        self.init(.finite, isNegative && !isZero, digits, isZero ? 0 : integerDigits - leading + exponent)
    }

    private init(_ kind: Kind, _ isNegative: Bool, _ digits: [UInt8], _ exponent: Int) {
        self.kind = kind
        self.isNegative = isNegative
        self.digits = digits
        self.exponent = exponent
    }

    /// -1, 0 or 1.
    public func compare(_ other: DecimalValue) -> Int {
        if self == other { return 0 }
        if kind == .nan || other.kind == .nan { return kind == .nan ? 1 : -1 }
        let (sign, otherSign) = (self.sign, other.sign)
        if sign != otherSign { return sign < otherSign ? -1 : 1 }
        return (magnitudeIsLess(than: other) ? -1 : 1) * sign
    }

    private var sign: Int { isNegative ? -1 : kind == .finite && digits.isEmpty ? 0 : 1 }

    private func magnitudeIsLess(than other: DecimalValue) -> Bool {
        if kind == .infinite || other.kind == .infinite { return kind == .finite }
        if exponent != other.exponent { return exponent < other.exponent }
        return digits.lexicographicallyPrecedes(other.digits)
    }
}
