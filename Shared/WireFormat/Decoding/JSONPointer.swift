/// A place in a JSON document, in the URI fragment form of RFC 6901: `#/constraints/groups/Tech`.
public struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
    /// Member names and array positions from the root on, unescaped.
    public let tokens: [String]

    public init(_ tokens: [String] = []) { self.tokens = tokens }

    /// The whole document: `#`.
    public static let root = JSONPointer()

    /// Reads `#/a/b` or `/a/b`; nil where an escape is not valid.
    public init?(_ text: String) {
        var rest = Substring(text)
        if rest.first == "#" {
            rest = rest.dropFirst()
            guard let decoded = Self.percentDecoded(rest) else { return nil }
            rest = decoded[...]
        }
        guard !rest.isEmpty else {
            self.init()
            return
        }
        guard rest.first == "/" else { return nil }
        var tokens: [String] = []
        for raw in rest.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let token = Self.unescaped(raw) else { return nil }
            tokens.append(token)
        }
        self.init(tokens)
    }

    /// The member `name` of the object at this place.
    public func appending(_ name: String) -> JSONPointer { JSONPointer(tokens + [name]) }
    /// The element `index` of the array at this place.
    public func appending(_ index: Int) -> JSONPointer { JSONPointer(tokens + [String(index)]) }

    /// The value at this place of a document; nil where there is none.
    public func resolve(in document: JSONValue) -> JSONValue? {
        var value = document
        for token in tokens {
            switch value {
            case .object(let object):
                guard let member = object[token] else { return nil }
                value = member
            case .array(let elements):
                guard let index = Int(token), String(index) == token, elements.indices.contains(index) else {
                    return nil
                }
                value = elements[index]
            default: return nil
            }
        }
        return value
    }

    public var description: String {
        var text = "#"
        for token in tokens {
            text += "/"
            for byte in token.utf8 {
                switch byte {
                case UInt8(ascii: "~"): text += "~0"
                case UInt8(ascii: "/"): text += "~1"
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    text.unicodeScalars.append(Unicode.Scalar(byte))
                case _ where Self.allowedInFragment.contains(byte):
                    text.unicodeScalars.append(Unicode.Scalar(byte))
                default:
                    text += byte < 16 ? "%0" : "%"
                    text += String(byte, radix: 16, uppercase: true)
                }
            }
        }
        return text
    }

    private static let allowedInFragment = Set("-._!$&'()*+,;=:@?".utf8)

    private static func unescaped(_ raw: Substring) -> String? {
        var token = ""
        var scalars = raw.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            guard scalar == "~" else {
                token.unicodeScalars.append(scalar)
                continue
            }
            switch scalars.next() {
            case "0": token += "~"
            case "1": token += "/"
            default: return nil
            }
        }
        return token
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
