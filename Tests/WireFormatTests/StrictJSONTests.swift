import Testing

@testable import WireFormat

@Suite("Strict JSON")
struct StrictJSONTests {
    @Test(
        "accepts what RFC 8259 has",
        arguments: [
            ("null", JSONValue.null), (" true ", true), ("-0", number("-0")),
            ("[]", []), ("{}", [:]), ("[1,\n2\t,3\r]", [1, 2, 3]), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"),
            (#""\u00e9""#, "\u{e9}"), (#""\uD83D\uDE00""#, "😀"), (#"{"a":{"b":[null]}}"#, ["a": ["b": [nil]]]),
            ("\"é e\u{301}\"", "é e\u{301}"), (#"{"":0}"#, ["": 0]), ("1e5", number("1e5")),
            ("\"\u{7f}\"", "\u{7f}"), ("1E+2", number("1E+2")),
        ] as [(String, JSONValue)])
    func accepts(text: String, expected: JSONValue) throws {
        #expect(try StrictJSON.parse(text) == expected)
    }

    @Test(
        "refuses everything else, and says where",
        arguments: [
            ("", JSONSyntaxError.Kind.empty, 0), ("  ", .empty, 2), ("[1,]", .unexpectedByte(0x5D), 3),
            ("[1 2]", .unexpectedByte(0x32), 3), (#"{"a":1,}"#, .unexpectedByte(0x7D), 7),
            ("{a:1}", .unexpectedByte(0x61), 1),
            ("nul", .unexpectedEnd, 3), ("NaN", .unexpectedByte(0x4E), 0), ("Infinity", .unexpectedByte(0x49), 0),
            ("01", .invalidNumber, 0), ("1.", .invalidNumber, 0), (".5", .unexpectedByte(0x2E), 0),
            ("+1", .unexpectedByte(0x2B), 0),
            ("-", .invalidNumber, 0), ("1e", .invalidNumber, 0), ("0x10", .invalidNumber, 0),
            ("1 2", .trailingContent, 2),
            ("{} x", .trailingContent, 3), ("\"a", .unexpectedEnd, 2), ("\"\n\"", .controlCharacter(10), 1),
            (#""\x41""#, .invalidEscape, 3), (#""\u12zz""#, .invalidEscape, 5), (#""\u0000""#, .nullCharacter, 7),
            (#""\uD800""#, .loneSurrogate, 7), (#""\uDC00""#, .loneSurrogate, 7),
            (#""\uD800\u0041""#, .loneSurrogate, 13),
            (#"{"a":1,"a":2}"#, .duplicateMember("a"), 7), (#"{"a":1,"\u0061":2}"#, .duplicateMember("a"), 7),
            ("// x\n1", .unexpectedByte(0x2F), 0), ("'a'", .unexpectedByte(0x27), 0), ("[", .unexpectedEnd, 1),
            ("{\"a\"", .unexpectedEnd, 4), ("]", .unexpectedByte(0x5D), 0), ("\u{feff}1", .byteOrderMark, 0),
        ] as [(String, JSONSyntaxError.Kind, Int)])
    func refuses(text: String, kind: JSONSyntaxError.Kind, offset: Int) {
        #expect(throws: JSONSyntaxError(kind: kind, offset: offset)) { try StrictJSON.parse(text) }
    }

    @Test(
        "refuses bytes that are not UTF-8",
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
            [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
        ] as [[UInt8]])
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONSyntaxError(kind: .invalidUTF8, offset: 1)) { try StrictJSON.parse(bytes) }
    }

    @Test("refuses UTF-16")
    func refusesUTF16() {
        let bytes = "{}".utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        #expect(throws: JSONSyntaxError.self) { try StrictJSON.parse(bytes) }
    }

    @Test("names that are canonically equal but differ in bytes are two members")
    func namesByBytes() throws {
        let value = try StrictJSON.parse("{\"\u{e9}\":1,\"e\u{301}\":2}")
        #expect(value["\u{e9}"]?.intValue == 1)
        #expect(value["e\u{301}"]?.intValue == 2)
        #expect(JSONValue.string("\u{e9}") != JSONValue.string("e\u{301}"))
    }

    @Test("takes 32 levels and refuses 33, however many follow")
    func depth() throws {
        func nested(_ n: Int) -> String { String(repeating: "[", count: n) + String(repeating: "]", count: n) }
        _ = try StrictJSON.parse(nested(32))
        #expect(throws: JSONSyntaxError(kind: .tooDeep(limit: 32), offset: 32)) { try StrictJSON.parse(nested(33)) }
        #expect(throws: JSONSyntaxError(kind: .tooDeep(limit: 32), offset: 32)) {
            try StrictJSON.parse(nested(500_000))
        }
        let objects = String(repeating: "{\"a\":", count: 200_000)
        #expect(throws: JSONSyntaxError(kind: .tooDeep(limit: 32), offset: 160)) { try StrictJSON.parse(objects) }
    }

    @Test("limits size and the length of numbers")
    func limits() throws {
        #expect(throws: JSONSyntaxError(kind: .tooLarge(limit: 8), offset: 8)) {
            try StrictJSON.parse("123456789", limits: JSONLimits(bytes: 8))
        }
        _ = try StrictJSON.parse(String(repeating: "1", count: 64))
        #expect(throws: JSONSyntaxError(kind: .numberTooLong(limit: 64), offset: 0)) {
            try StrictJSON.parse(String(repeating: "1", count: 65))
        }
    }

    @Test("a large object is read in linear time and found by name")
    func largeObject() throws {
        let count = 40_000
        let text = "{" + (0..<count).map { "\"name\($0)\":\($0)" }.joined(separator: ",") + "}"
        let clock = ContinuousClock()
        var value = JSONValue.null
        let elapsed = try clock.measure { value = try StrictJSON.parse(text) }
        for i in stride(from: 0, to: count, by: 997) { #expect(value["name\(i)"]?.intValue == i) }
        // Quadratic would be minutes; linear in a debug build is well under a second.
        #expect(elapsed < .seconds(20))
        let duplicate = text.dropLast() + ",\"name0\":1}"
        #expect(throws: JSONSyntaxError.self) { try StrictJSON.parse(String(duplicate)) }
    }

    @Test("65,536 arrays and objects are enough for any request; one more is refused where it opens")
    func containers() throws {
        func arrays(_ n: Int) -> String { "[" + Array(repeating: "[]", count: n - 1).joined(separator: ",") + "]" }
        _ = try StrictJSON.parse(arrays(65_536))
        let error = JSONSyntaxError(kind: .tooManyContainers(limit: 65_536), offset: 1 + 3 * 65_535)
        #expect(throws: error) { try StrictJSON.parse(arrays(65_537)) }
        #expect(Problem(error).code == ProblemCode.tooDeep.rawValue)
    }

    @Test(
        "duplicates are found at any place of objects of any length, with and without escapes",
        arguments: [2, 15, 16, 17, 18, 40, 300])
    func duplicates(count: Int) throws {
        // Names that share their first bytes and their length, so that nothing short of the whole name tells them apart.
        let names = (0..<count).map { "abcdefghijklmnop\(String(1000 + $0))" }
        func text(_ names: [String]) -> String {
            "{" + names.map { "\"\($0)\":{\"x\":1}" }.joined(separator: ",") + "}"
        }
        let object = try #require(try StrictJSON.parse(text(names)).objectValue)
        #expect(object.keys == names)
        for name in names { #expect(object[name]?["x"]?.intValue == 1) }
        for at in [0, count / 2, count - 1] {
            let kind = JSONSyntaxError.Kind.duplicateMember(names[at])
            #expect(failure(text(names + [names[at]])) == kind)
            #expect(failure(text(names + ["\\u0061" + names[at].dropFirst()])) == kind)
        }
    }

    @Test("an object with the same name in different inner objects has no duplicate")
    func sameNameInside() throws {
        let value = try StrictJSON.parse(#"{"a":{"a":{"a":1},"b":2},"b":[{"a":1},{"a":2}]}"#)
        #expect(value["a"]?["a"]?["a"]?.intValue == 1)
        #expect(failure(#"{"a":{"b":1,"c":2},"b":3,"a":4}"#) == .duplicateMember("a"))
        #expect(failure(#"{"z":1,"a":{"b":1,"b":2}}"#) == .duplicateMember("b"))
    }

    private func failure(_ text: String) -> JSONSyntaxError.Kind? {
        do {
            _ = try StrictJSON.parse(text)
            return nil
        } catch { return error.kind }
    }

    @Test("keeps the digits of numbers and tells binary range")
    func numbers() throws {
        let value = try StrictJSON.parse("[0.10, 123456789012345678901234567890, 1e400, 1e-400, 3.0, 3e2, 2.5]")
        let numbers = try #require(value.arrayValue).compactMap { $0.numberValue }
        #expect(numbers[0].text == "0.10")
        #expect(numbers[1].text == "123456789012345678901234567890")
        #expect(numbers[1].int == nil)
        #expect(numbers[2].double == nil)
        #expect(numbers[3].double == 0)
        #expect(numbers[4].int == 3)
        #expect(numbers[5].int == 300)
        #expect(numbers[6].int == nil)
    }
}

@Suite("JSON serialiser")
struct JSONSerializerTests {
    @Test(
        "doubles read back exactly",
        arguments: [
            0.1, 1 / 3, 1e-7, 123456789.125, .leastNonzeroMagnitude, 1.7976931348623157e308, 0, -0.0, 1, 1e21,
            2.2250738585072014e-308,
            0.30000000000000004,
        ] as [Double])
    func doubles(value: Double) throws {
        let text = JSONValue(value).serialized()
        let back = try #require(try StrictJSON.parse(text).doubleValue)
        #expect(back.bitPattern == value.bitPattern)
    }

    @Test("random doubles read back exactly")
    func randomDoubles() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            let back = try #require(try StrictJSON.parse(JSONValue(value).serialized()).doubleValue)
            #expect(back.bitPattern == value.bitPattern)
        }
    }

    @Test("figures that are not finite become null")
    func nonFinite() {
        #expect(JSONValue(Double.nan) == .null)
        #expect(JSONValue(Double.infinity) == .null)
        #expect(JSONValue([1.5, .nan]).serialized() == "[1.5,null]")
    }

    @Test("escapes what JSON wants escaped, and the parser reads it back")
    func escapes() throws {
        let text = (1...0x20).compactMap { Unicode.Scalar($0) }.map { String($0) }.joined() + "\"\\/\u{7f}é😀\u{2028}"
        let serialized = JSONValue.string(text).serialized()
        #expect(!serialized.utf8.contains { $0 < 0x20 || $0 == 0x7f })
        #expect(try StrictJSON.parse(serialized) == .string(text))
    }

    @Test("writes members in order, and pretty text reads back")
    func order() throws {
        let value: JSONValue = ["b": 1, "a": [true, nil, "x"], "empty": [:], "none": []]
        #expect(value.serialized() == #"{"b":1,"a":[true,null,"x"],"empty":{},"none":[]}"#)
        #expect(try StrictJSON.parse(value.serialized(pretty: true)) == value)
        #expect(value.canonical.serialized() == #"{"a":[true,null,"x"],"b":1,"empty":{},"none":[]}"#)
    }

    @Test("an object's members can be replaced, added and removed")
    func mutation() {
        var object = JSONObject([("a", 1), ("b", 2)])
        object["a"] = 3
        object["c"] = 4
        object["b"] = nil
        #expect(JSONValue.object(object).serialized() == #"{"a":3,"c":4}"#)
        for i in 0..<40 { object["k\(i)"] = JSONValue(i) }
        object["k7"] = nil
        #expect(object["k7"] == nil)
        #expect(object["k39"]?.intValue == 39)
        #expect(object.count == 41)
    }

    @Test("of two members with one name the later value stands, in the earlier one's place", arguments: [2, 40])
    func twice(count: Int) {
        let pairs = (0..<count).map { ("k\($0)", JSONValue($0)) }
        let object = JSONObject(pairs + [("k1", "new")])
        #expect(object.keys == pairs.map { $0.0 } && object["k1"] == "new")
    }

    @Test(
        "members that are known to be different are found, replaced and added to as others are", arguments: [2, 16, 40])
    func distinct(count: Int) {
        let pairs = (0..<count).map { (key: "k\($0)", value: JSONValue($0)) }
        var object = JSONObject.distinct(pairs)
        #expect(object == JSONObject(pairs.map { ($0.key, $0.value) }))
        #expect(object["k\(count - 1)"]?.intValue == count - 1 && object["k\(count)"] == nil)
        object["k1"] = "new"
        object["k\(count)"] = JSONValue(count)
        #expect(object.count == count + 1 && object["k1"] == "new" && object["k\(count)"]?.intValue == count)
        object["k0"] = nil
        #expect(object.keys == (1...count).map { "k\($0)" } && object["k\(count)"]?.intValue == count)
    }
}

@Suite("JSON pointer")
struct JSONPointerTests {
    @Test(
        "escapes and reads back",
        arguments: [
            ([], "#"), (["a", "b"], "#/a/b"), (["a/b", "c~d"], "#/a~1b/c~0d"), (["My Group"], "#/My%20Group"),
            ([""], "#/"), (["é"], "#/%C3%A9"), (["~1"], "#/~01"),
        ] as [([String], String)])
    func escapes(tokens: [String], text: String) throws {
        #expect(JSONPointer(tokens).description == text)
        #expect(JSONPointer(text)?.tokens == tokens)
    }

    @Test("refuses unknown escapes", arguments: ["#/~2", "#/~", "#/%zz", "a/b", "#/%"])
    func refuses(text: String) {
        #expect(JSONPointer(text) == nil)
    }

    @Test("finds the value it names")
    func resolve() {
        let document: JSONValue = ["a": [1, ["b/c": 2]]]
        #expect(JSONPointer("#/a/1/b~1c")?.resolve(in: document) == 2)
        #expect(JSONPointer("#/a/01")?.resolve(in: document) == nil)
        #expect(JSONPointer("#/a/2")?.resolve(in: document) == nil)
        #expect(JSONPointer.root.resolve(in: document) == document)
    }
}

/// A number with these digits; null where they are not in JSON's form, which no test expects.
private func number(_ digits: String) -> JSONValue { JSONNumber(decimal: digits).map { .number($0) } ?? .null }
