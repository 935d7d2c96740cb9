/// A JSON document as it was written: members keep their order and numbers keep their digits.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// A number, or null where the value is absent or not finite: JSON has neither NaN nor infinities.
    public init(_ value: Double?) {
        if let value, value.isFinite { self = .number(JSONNumber(value)) } else { self = .null }
    }

    /// An integer, or null.
    public init(_ value: Int?) {
        if let value { self = .number(JSONNumber(value)) } else { self = .null }
    }

    /// A string, or null.
    public init(_ value: String?) {
        if let value { self = .string(value) } else { self = .null }
    }

    /// An array of numbers; an element that is not finite becomes null.
    public init(_ values: [Double]) { self = .array(values.map { JSONValue($0) }) }

    /// An array of strings.
    public init(_ values: [String]) { self = .array(values.map { .string($0) }) }

    /// Two texts are equal when their bytes are: "é" and "e\u{301}" are different JSON strings.
    public static func == (a: JSONValue, b: JSONValue) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.bool(let x), .bool(let y)): x == y
        case (.number(let x), .number(let y)): x == y
        case (.string(let x), .string(let y)): x.utf8.elementsEqual(y.utf8)
        case (.array(let x), .array(let y)): x == y
        case (.object(let x), .object(let y)): x == y
        default: false
        }
    }
}

extension JSONValue {
    /// The text of a string; nil for anything else.
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    /// The truth value of a boolean; nil for anything else.
    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The number as it was written; nil for anything else.
    public var numberValue: JSONNumber? { if case .number(let value) = self { value } else { nil } }
    /// The finite binary value of a number; nil for anything else and for a number beyond the range of `Double`.
    public var doubleValue: Double? { numberValue?.double }
    /// The value of an integral number; nil for anything else.
    public var intValue: Int? { numberValue?.int }
    /// The elements of an array; nil for anything else.
    public var arrayValue: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    /// The members of an object; nil for anything else.
    public var objectValue: JSONObject? { if case .object(let value) = self { value } else { nil } }
    /// Whether this is null.
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// The member of an object; nil where there is none or this is no object.
    public subscript(key: String) -> JSONValue? { objectValue?[key] }
    /// The element of an array; nil where there is none or this is no array.
    public subscript(index: Int) -> JSONValue? {
        guard let array = arrayValue, array.indices.contains(index) else { return nil }
        return array[index]
    }

    /// What the value is, in words for people: "a number", "null", ...
    public var kindInWords: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
    public init(floatLiteral value: Double) { self.init(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}
