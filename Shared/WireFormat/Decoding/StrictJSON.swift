/// How much JSON is accepted.
public struct JSONLimits: Sendable {
    /// Most bytes of a document.
    public var bytes: Int
    /// Most arrays and objects inside each other.
    public var depth: Int
    /// Most bytes of one number.
    public var numberLength: Int
    /// Most arrays and objects in all: each costs an allocation, and `[]` is only two bytes long.
    public var containers: Int

    public init(bytes: Int, depth: Int = 32, numberLength: Int = 64, containers: Int = 1 << 16) {
        self.bytes = bytes
        self.depth = depth
        self.numberLength = numberLength
        self.containers = containers
    }

    /// A request body: 1 MiB, 32 levels, 64 digits, 65,536 arrays and objects.
    public static let request = JSONLimits(bytes: 1 << 20)
    /// Our own rows read back: PostgreSQL writes 5e-324 with 326 digits.
    public static let stored = JSONLimits(bytes: 64 << 20, depth: 64, numberLength: 1200, containers: 16 << 20)
}

/// Why a text is not acceptable JSON, and where.
public struct JSONSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        case empty
        case unexpectedEnd
        case unexpectedByte(UInt8)
        case byteOrderMark
        case trailingContent
        case invalidUTF8
        case invalidEscape
        case loneSurrogate
        case nullCharacter
        case controlCharacter(UInt8)
        case invalidNumber
        case numberTooLong(limit: Int)
        case duplicateMember(String)
        case tooDeep(limit: Int)
        case tooManyContainers(limit: Int)
        case tooLarge(limit: Int)
    }

    public let kind: Kind
    /// The byte at which it was noticed, from 0.
    public let offset: Int

    public init(kind: Kind, offset: Int) {
        self.kind = kind
        self.offset = offset
    }

    public var description: String {
        let what =
            switch kind {
            case .empty: "The document is empty"
            case .unexpectedEnd: "The document ends too early"
            case .unexpectedByte(let byte):
                byte < 0x80 && byte >= 0x20
                    ? "Unexpected character '\(Character(Unicode.Scalar(byte)))'" : "Unexpected byte \(byte)"
            case .byteOrderMark: "The document starts with a byte order mark"
            case .trailingContent: "There is something after the end of the document"
            case .invalidUTF8: "A string is not valid UTF-8"
            case .invalidEscape: "A string has an escape that JSON does not know"
            case .loneSurrogate: "A string has half of a surrogate pair"
            case .nullCharacter: "A string has the character \\u0000, which cannot be stored"
            case .controlCharacter(let byte): "A string has the unescaped control character \(byte)"
            case .invalidNumber: "A number is not in JSON's form"
            case .numberTooLong(let limit): "A number is longer than \(limit) characters"
            case .duplicateMember(let name): "The member \"\(name.prefix(64))\" occurs twice"
            case .tooDeep(let limit): "More than \(limit) arrays and objects are inside each other"
            case .tooManyContainers(let limit): "There are more than \(limit) arrays and objects"
            case .tooLarge(let limit): "The document is larger than \(limit) bytes"
            }
        return "\(what), at byte \(offset)."
    }
}

/// JSON as RFC 8259 and RFC 7493 (I-JSON) have it, and nothing besides.
public enum StrictJSON {
    /// Parses one document in time linear in its length.
    ///
    /// UTF-8 only; no byte order mark, comment, trailing comma, NaN, duplicate member (compared after escapes, by bytes),
    /// `\u0000` or lone surrogate.
    public static func parse(
        _ bytes: some Collection<UInt8>, limits: JSONLimits = .request
    ) throws(JSONSyntaxError) -> JSONValue {
        guard bytes.count <= limits.bytes else {
            throw JSONSyntaxError(kind: .tooLarge(limit: limits.bytes), offset: limits.bytes)
        }
        var parser = Parser(bytes: Array(bytes), limits: limits)
        return try parser.document()
    }

    /// Parses the UTF-8 of a text.
    public static func parse(_ text: String, limits: JSONLimits = .request) throws(JSONSyntaxError) -> JSONValue {
        try parse(text.utf8, limits: limits)
    }
}

private struct Parser {
    let bytes: [UInt8]
    let limits: JSONLimits
    var at = 0
    /// Where a string with escapes is put together: one buffer for the whole document.
    var decoded: [UInt8] = []
    var containers = 0
    /// The name that was read last, in a number: equal names have equal fingerprints, and most different ones do not.
    var fingerprint: UInt64 = 0
    /// The fingerprints of the members of every object that is open, outermost first.
    var fingerprints: [UInt64] = []

    init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func document() throws(JSONSyntaxError) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw failure(.byteOrderMark) }
        skipSpace()
        if at == bytes.count { throw failure(.empty) }
        let value = try self.value(depth: 0)
        skipSpace()
        if at < bytes.count { throw failure(.trailingContent) }
        return value
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        guard at < bytes.count else { throw failure(.unexpectedEnd) }
        switch bytes[at] {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw failure(.unexpectedByte(bytes[at]))
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONObject {
        try open(depth: depth)
        var object = JSONObject()
        let first = fingerprints.count
        defer { fingerprints.removeSubrange(first...) }
        skipSpace()
        if take(UInt8(ascii: "}")) { return object }
        while true {
            skipSpace()
            let start = at
            guard at < bytes.count else { throw failure(.unexpectedEnd) }
            guard bytes[at] == UInt8(ascii: "\"") else { throw failure(.unexpectedByte(bytes[at])) }
            let key = try string()
            let fingerprint = self.fingerprint
            skipSpace()
            try expect(UInt8(ascii: ":"))
            skipSpace()
            let value = try self.value(depth: depth)
            let isNew = object.count < JSONObject.searched && !fingerprints[first...].contains(fingerprint)
            if isNew {
                object.appendNew(key, value)
                fingerprints.append(fingerprint)
            } else if !object.append(key, value) {
                throw JSONSyntaxError(kind: .duplicateMember(key), offset: start)
            }
            skipSpace()
            if take(UInt8(ascii: "}")) { return object }
            try expect(UInt8(ascii: ","))
        }
    }

    /// Past the bracket that opens an array or an object.
    private mutating func open(depth: Int) throws(JSONSyntaxError) {
        guard depth <= limits.depth else { throw failure(.tooDeep(limit: limits.depth)) }
        containers += 1
        guard containers <= limits.containers else { throw failure(.tooManyContainers(limit: limits.containers)) }
        at += 1
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> [JSONValue] {
        try open(depth: depth)
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            skipSpace()
            elements.append(try value(depth: depth))
            skipSpace()
            if take(UInt8(ascii: "]")) { return elements }
            try expect(UInt8(ascii: ","))
        }
    }

    private static let digits = (0...9).map { JSONNumber($0) }

    private mutating func number() throws(JSONSyntaxError) -> JSONNumber {
        guard let end = NumberGrammar.end(in: bytes, from: at) else { throw failure(.invalidNumber) }
        if end - at > limits.numberLength { throw failure(.numberTooLong(limit: limits.numberLength)) }
        // "01" and "1x" must not become two tokens.
        if end < bytes.count {
            switch bytes[end] {
            case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), 0x20, 0x09, 0x0A, 0x0D: break
            default: throw failure(.invalidNumber)
            }
        }
        defer { at = end }
        if end == at + 1 { return Self.digits[Int(bytes[at] - UInt8(ascii: "0"))] }
        return JSONNumber(checked: try text(bytes.span.extracting(at..<end), start: at))
    }

    /// A string, from its opening quote. A run without escapes is taken in one piece.
    private mutating func string() throws(JSONSyntaxError) -> String {
        at += 1
        let start = at
        var mixed: UInt64 = 0
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                fingerprint = mixed
                return try text(bytes.span.extracting(start..<at - 1), start: start)
            }
            if byte == UInt8(ascii: "\\") { return try stringWithEscapes(from: start) }
            guard byte >= 0x20 else { throw failure(.controlCharacter(byte)) }
            mixed = Self.mix(mixed, byte)
            at += 1
        }
        throw failure(.unexpectedEnd)
    }

    /// The rest of a string whose first escape is here.
    private mutating func stringWithEscapes(from start: Int) throws(JSONSyntaxError) -> String {
        decoded.removeAll(keepingCapacity: true)
        decoded.append(contentsOf: bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                fingerprint = decoded.reduce(0, Self.mix)
                return try text(decoded.span, start: start)
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20:
                at -= 1
                throw failure(.controlCharacter(byte))
            default: decoded.append(byte)
            }
        }
        throw failure(.unexpectedEnd)
    }

    /// FNV-1a's step: one multiplication a byte. Names made to collide only cost a comparison each.
    private static func mix(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }

    private func text(_ utf8: Span<UInt8>, start: Int) throws(JSONSyntaxError) -> String {
        guard !utf8.isEmpty else { return "" }
        do { return String(copying: try UTF8Span(validating: utf8)) } catch {
            throw JSONSyntaxError(kind: .invalidUTF8, offset: start)
        }
    }

    /// What stands after a backslash, decoded.
    private mutating func escape() throws(JSONSyntaxError) {
        guard at < bytes.count else { throw failure(.unexpectedEnd) }
        let kind = bytes[at]
        at += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(kind)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"): try unicodeEscape()
        default: throw failure(.invalidEscape)
        }
    }

    private mutating func unicodeEscape() throws(JSONSyntaxError) {
        let first = try hexUnit()
        var code = UInt32(first)
        switch first {
        case 0: throw failure(.nullCharacter)
        case 0xD800..<0xDC00:
            guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") else {
                throw failure(.loneSurrogate)
            }
            at += 2
            let second = try hexUnit()
            guard (0xDC00..<0xE000).contains(second) else { throw failure(.loneSurrogate) }
            code = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        case 0xDC00..<0xE000: throw failure(.loneSurrogate)
        default: break
        }
        guard let scalar = Unicode.Scalar(code), let encoded = UTF8.encode(scalar) else {
            throw failure(.loneSurrogate)
        }
        for byte in encoded { decoded.append(byte) }
    }

    private mutating func hexUnit() throws(JSONSyntaxError) -> UInt16 {
        guard at + 4 <= bytes.count else { throw failure(.unexpectedEnd) }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch bytes[at] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = bytes[at] - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = bytes[at] - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = bytes[at] - UInt8(ascii: "A") + 10
            default: throw failure(.invalidEscape)
            }
            unit = unit << 4 | UInt16(digit)
            at += 1
        }
        return unit
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        for expected in word.utf8 {
            guard at < bytes.count else { throw failure(.unexpectedEnd) }
            guard bytes[at] == expected else { throw failure(.unexpectedByte(bytes[at])) }
            at += 1
        }
        return value
    }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(JSONSyntaxError) {
        guard at < bytes.count else { throw failure(.unexpectedEnd) }
        guard bytes[at] == byte else { throw failure(.unexpectedByte(bytes[at])) }
        at += 1
    }

    private func failure(_ kind: JSONSyntaxError.Kind) -> JSONSyntaxError { JSONSyntaxError(kind: kind, offset: at) }
}
