/// One thing that is wrong with one member of a request.
public struct Violation: Sendable, Equatable {
    /// What kind of fault it is; stable words for programs.
    public enum Code: Sendable, Equatable {
        case wrongType, missing, unknownMember, outOfRange, unknownValue, badFormat, badDate, duplicate, contradiction
        /// A fault that only one endpoint knows, e.g. `above_member_caps`.
        case other(String)

        public var text: String {
            switch self {
            case .wrongType: "wrong_type"
            case .missing: "missing"
            case .unknownMember: "unknown_member"
            case .outOfRange: "out_of_range"
            case .unknownValue: "unknown_value"
            case .badFormat: "bad_format"
            case .badDate: "bad_date"
            case .duplicate: "duplicate"
            case .contradiction: "contradiction"
            case .other(let text): text
            }
        }
    }

    public var pointer: JSONPointer
    public var code: Code
    /// A sentence for people. Echoed values are cut short by `Problem.echo`.
    public var detail: String
    /// The bound that was broken and the value that broke it, where there are such.
    public var limit: Double?
    public var value: Double?

    public init(_ pointer: JSONPointer, _ code: Code, _ detail: String, limit: Double? = nil, value: Double? = nil) {
        self.pointer = pointer
        self.code = code
        self.detail = detail
        self.limit = limit
        self.value = value
    }

    public var json: JSONValue {
        var object = JSONObject([
            ("pointer", .string(pointer.description)), ("code", .string(code.text)), ("detail", .string(detail)),
        ])
        if let limit { object["limit"] = JSONValue(limit) }
        if let value { object["value"] = JSONValue(value) }
        return .object(object)
    }
}
