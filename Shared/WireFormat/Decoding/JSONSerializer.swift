extension JSONValue {
    /// The document as text: members in their order, numbers with their digits, the same bytes each time.
    /// - Parameter pretty: two spaces a level and one member a line.
    public func serialized(pretty: Bool = false) -> String { String(decoding: bytes(pretty: pretty), as: UTF8.self) }

    /// The UTF-8 bytes of `serialized(pretty:)`.
    public func bytes(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty)
        writer.write(self, level: 0)
        return writer.out
    }

    /// The document with the members of every object in the order of their names' bytes: equal values, equal bytes.
    public var canonical: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map { $0.canonical })
        case .object(let object):
            .object(
                JSONObject(
                    object.members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                        .map { ($0.key, $0.value.canonical) }))
        default: self
        }
    }
}

private struct JSONWriter {
    let pretty: Bool
    var out: [UInt8] = []

    init(pretty: Bool) { self.pretty = pretty }

    mutating func write(_ value: JSONValue, level: Int) {
        switch value {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .number(let value): out += value.text.utf8
        case .string(let value): write(value)
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (n, element) in elements.enumerated() {
                separate(first: n == 0, level: level + 1)
                write(element, level: level + 1)
            }
            close(UInt8(ascii: "]"), empty: elements.isEmpty, level: level)
        case .object(let object):
            out.append(UInt8(ascii: "{"))
            for (n, member) in object.members.enumerated() {
                separate(first: n == 0, level: level + 1)
                write(member.key)
                out.append(UInt8(ascii: ":"))
                if pretty { out.append(0x20) }
                write(member.value, level: level + 1)
            }
            close(UInt8(ascii: "}"), empty: object.isEmpty, level: level)
        }
    }

    private mutating func separate(first: Bool, level: Int) {
        if !first { out.append(UInt8(ascii: ",")) }
        if pretty { newLine(level) }
    }

    private mutating func close(_ bracket: UInt8, empty: Bool, level: Int) {
        if pretty && !empty { newLine(level) }
        out.append(bracket)
    }

    private mutating func newLine(_ level: Int) {
        out.append(0x0A)
        out.append(contentsOf: repeatElement(0x20, count: 2 * level))
    }

    private mutating func write(_ text: String) {
        out.append(UInt8(ascii: "\""))
        defer { out.append(UInt8(ascii: "\"")) }
        // Nearly every text is written as it is.
        guard text.utf8.contains(where: { Self.isEscaped($0) }) else {
            out += text.utf8
            return
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                out.append(UInt8(ascii: "\\"))
                out.append(byte)
            case 0x0A: out += "\\n".utf8
            case 0x0D: out += "\\r".utf8
            case 0x09: out += "\\t".utf8
            case 0x00..<0x20, 0x7F:
                out += "\\u00".utf8
                out.append(Self.hex[Int(byte >> 4)])
                out.append(Self.hex[Int(byte & 15)])
            default: out.append(byte)
            }
        }
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F
    }

    private static let hex = Array("0123456789abcdef".utf8)
}
