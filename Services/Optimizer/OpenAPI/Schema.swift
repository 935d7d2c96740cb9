import WireFormat

/// JSON Schema (2020-12, OpenAPI 3.1's dialect) in few words.
enum Schema {
    /// Any text that PostgreSQL can keep: without the character NUL.
    static let storable = "^[^\\u0000]*$"

    static func text(
        _ description: String, pattern: String? = nil, format: String? = nil, length: ClosedRange<Int>? = nil
    ) -> JSONValue {
        var object = JSONObject([("type", "string"), ("description", .string(description))])
        object["pattern"] = .string(pattern ?? storable)
        if let format { object["format"] = .string(format) }
        if let length {
            object["minLength"] = JSONValue(length.lowerBound)
            object["maxLength"] = JSONValue(length.upperBound)
        }
        return .object(object)
    }

    /// A text of an answer.
    static func said(_ description: String, format: String? = nil) -> JSONValue {
        var object = JSONObject([("type", "string"), ("description", .string(description))])
        if let format { object["format"] = .string(format) }
        return .object(object)
    }

    static func number(_ description: String, _ range: Interval = .all, standard: Double? = nil) -> JSONValue {
        var object = JSONObject([("type", "number"), ("description", .string(description))])
        if range.lower.isFinite { object[range.lowerOpen ? "exclusiveMinimum" : "minimum"] = JSONValue(range.lower) }
        if range.upper.isFinite { object[range.upperOpen ? "exclusiveMaximum" : "maximum"] = JSONValue(range.upper) }
        if let standard { object["default"] = JSONValue(standard) }
        return .object(object)
    }

    static func integer(_ description: String, _ range: ClosedRange<Int>? = nil, standard: Int? = nil) -> JSONValue {
        var object = JSONObject([("type", "integer"), ("description", .string(description))])
        if let range {
            object["minimum"] = JSONValue(range.lowerBound)
            object["maximum"] = JSONValue(range.upperBound)
        }
        if let standard { object["default"] = JSONValue(standard) }
        return .object(object)
    }

    static func flag(_ description: String, standard: Bool? = nil) -> JSONValue {
        var object = JSONObject([("type", "boolean"), ("description", .string(description))])
        if let standard { object["default"] = .bool(standard) }
        return .object(object)
    }

    static func oneOf(_ words: [String], _ description: String, standard: String? = nil) -> JSONValue {
        var object = JSONObject([
            ("type", "string"), ("enum", JSONValue(words)), ("description", .string(description)),
        ])
        if let standard { object["default"] = .string(standard) }
        return .object(object)
    }

    static func list(
        of element: JSONValue, _ description: String, count: ClosedRange<Int>? = nil, unique: Bool = false
    ) -> JSONValue {
        var object = JSONObject([("type", "array"), ("items", element), ("description", .string(description))])
        if let count {
            object["minItems"] = JSONValue(count.lowerBound)
            object["maxItems"] = JSONValue(count.upperBound)
        }
        if unique { object["uniqueItems"] = true }
        return .object(object)
    }

    /// An object whose names are the caller's.
    static func map(of value: JSONValue, _ description: String, names: JSONValue? = nil, atLeast: Int = 0) -> JSONValue
    {
        var object = JSONObject([
            ("type", "object"), ("additionalProperties", value), ("description", .string(description)),
        ])
        object["propertyNames"] = names ?? ["pattern": .string(storable)]
        if atLeast > 0 { object["minProperties"] = JSONValue(atLeast) }
        return .object(object)
    }

    /// A closed object. Members that are not required may be null as well, which reads as absent.
    static func closed(_ description: String, required: [String] = [], _ members: [(String, JSONValue)]) -> JSONValue {
        let properties = members.map { ($0.0, required.contains($0.0) ? $0.1 : nullable($0.1)) }
        return object(description, required: required, properties)
    }

    /// A closed object of an answer: each member is what it says.
    static func object(_ description: String, required: [String] = [], _ members: [(String, JSONValue)]) -> JSONValue {
        var object = JSONObject([
            ("type", "object"), ("description", .string(description)), ("additionalProperties", false),
            ("properties", .object(JSONObject(members))),
        ])
        if !required.isEmpty { object["required"] = JSONValue(required) }
        return .object(object)
    }

    static func any(of schemas: [JSONValue], _ description: String) -> JSONValue {
        ["anyOf": .array(schemas), "description": .string(description)]
    }

    static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

    /// The same, or null.
    static func nullable(_ schema: JSONValue) -> JSONValue {
        guard var object = schema.objectValue else { return schema }
        switch object["type"] {
        case .string(let type)?:
            object["type"] = [.string(type), "null"]
            if let words = object["enum"]?.arrayValue { object["enum"] = .array(words + [.null]) }
            return .object(object)
        default:
            if let choices = object["anyOf"]?.arrayValue {
                object["anyOf"] = .array(choices + [["type": "null"]])
                return .object(object)
            }
            return ["anyOf": [schema, ["type": "null"]]]
        }
    }
}
