/// The alphabet of Bitcoin and Solana: no zero, no capital O and I, no small l.
public enum Base58 {
    private static let alphabet = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

    public static func text(_ bytes: [UInt8]) -> String {
        var digits: [UInt8] = []
        for byte in bytes {
            var carry = Int(byte)
            for at in digits.indices {
                carry += Int(digits[at]) << 8
                digits[at] = UInt8(carry % 58)
                carry /= 58
            }
            while carry > 0 {
                digits.append(UInt8(carry % 58))
                carry /= 58
            }
        }
        let zeros = bytes.prefix { $0 == 0 }.count
        return String(
            decoding: [UInt8](repeating: alphabet[0], count: zeros) + digits.reversed().map { alphabet[Int($0)] },
            as: UTF8.self)
    }

    /// The bytes of a text; nil for a letter that is not in the alphabet, or more than 128 letters.
    public static func bytes(_ text: String) -> [UInt8]? {
        let letters = Array(text.utf8)
        guard letters.count <= 128 else { return nil }
        var bytes: [UInt8] = []
        for letter in letters {
            guard let digit = alphabet.firstIndex(of: letter) else { return nil }
            var carry = digit
            for at in bytes.indices {
                carry += Int(bytes[at]) * 58
                bytes[at] = UInt8(carry & 0xff)
                carry >>= 8
            }
            while carry > 0 {
                bytes.append(UInt8(carry & 0xff))
                carry >>= 8
            }
        }
        return [UInt8](repeating: 0, count: letters.prefix { $0 == alphabet[0] }.count) + bytes.reversed()
    }
}
