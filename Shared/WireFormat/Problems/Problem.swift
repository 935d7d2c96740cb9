/// An error as clients see it: RFC 9457 problem details with a stable code.
///
/// Everything in it is safe to show. Details for operators go to the log, not in here.
public struct Problem: Error, Sendable {
    /// The specification's three classes, and `request`, `auth`, `limit`. Raw values are the wire's words.
    public enum Class: String, Sendable, CaseIterable {
        case data_validation, optimization, system, request, auth, limit
    }

    /// A change to one constraint that, with the others listed, makes the problem feasible.
    public struct Relaxation: Sendable, Equatable {
        public var constraint: String
        public var from: Double
        public var to: Double

        public init(constraint: String, from: Double, to: Double) {
            self.constraint = constraint
            self.from = from
            self.to = to
        }
    }

    public var status: Int
    public var code: String
    public var `class`: Class
    public var title: String
    public var detail: String
    public var retryable: Bool
    public var errors: [Violation]
    /// Names of constraints that cannot all hold, in the caller's words.
    public var conflict: [String]?
    public var relaxation: [Relaxation]?
    /// Seconds; becomes the header Retry-After.
    public var retryAfter: Int?
    /// Methods of the header Allow, for 405.
    public var allow: [String] = []
    /// More members of the body.
    public var extensions: JSONObject = JSONObject()

    public init(
        _ code: ProblemCode, _ detail: String, errors: [Violation] = [], conflict: [String]? = nil,
        relaxation: [Relaxation]? = nil, retryAfter: Int? = nil
    ) {
        status = code.status
        self.code = code.rawValue
        `class` = code.problemClass
        title = code.title
        self.detail = detail
        retryable = code.retryable
        self.errors = errors
        self.conflict = conflict
        self.relaxation = relaxation
        self.retryAfter = retryAfter ?? code.retryAfter
    }

    /// A body that could not be read.
    public init(_ error: JSONSyntaxError) {
        let code: ProblemCode =
            switch error.kind {
            case .invalidUTF8, .byteOrderMark: .notUTF8
            case .duplicateMember: .duplicateMember
            case .tooDeep, .tooManyContainers: .tooDeep
            case .tooLarge: .bodyTooLarge
            case .nullCharacter, .loneSurrogate, .numberTooLong: .unacceptableText
            default: .notJSON
            }
        self.init(code, error.description)
    }

    /// Members that break a rule. The code is that of the first one. Nil where there is none.
    public init?(violations: [Violation]) {
        guard let first = violations.first else { return nil }
        let code: ProblemCode =
            switch first.code {
            case .wrongType: .wrongType
            case .missing: .missingMember
            case .unknownMember: .unknownMember
            case .contradiction: .contradiction
            default: .invalidValue
            }
        let others = violations.count > 1 ? " (and \(violations.count - 1) more)" : ""
        self.init(code, first.detail + others, errors: violations)
    }

    /// One member that breaks a rule.
    public init(_ pointer: JSONPointer, _ code: Violation.Code, _ detail: String) {
        let violation = Violation(pointer, code, detail)
        self = Problem(violations: [violation]) ?? Problem(.invalidValue, detail)
    }

    /// The media type of `json`.
    public static let mediaType = "application/problem+json"
    /// Most entries of `errors` that are sent.
    public static let mostErrors = 20

    /// The body. `errors` is cut to 20 entries, each text to 1,000 characters, each name of a caller's to 64, in constraints' names to 200.
    public func json(requestID: String?) -> JSONValue {
        var object = JSONObject([
            ("type", .string("urn:ballast:problem:\(code)")),
            ("title", .string(title)),
            ("status", JSONValue(status)),
            ("detail", .string(Self.echo(detail, limit: 1000))),
            ("code", .string(code)),
            ("class", .string(`class`.rawValue)),
            ("retryable", .bool(retryable)),
        ])
        if let requestID {
            object["instance"] = .string("/requests/\(requestID)")
            object["request_id"] = .string(requestID)
        }
        if !errors.isEmpty {
            object["errors"] = .array(
                errors.prefix(Self.mostErrors).map { violation in
                    var short = violation
                    short.detail = Self.echo(violation.detail, limit: 300)
                    short.pointer = JSONPointer(violation.pointer.tokens.map { Self.echo($0) })
                    return short.json
                })
        }
        if let conflict { object["conflict"] = JSONValue(conflict.map { Self.echo($0, limit: 200) }) }
        if let relaxation {
            object["relaxation"] = .array(
                relaxation.map {
                    [
                        "constraint": .string(Self.echo($0.constraint, limit: 200)), "from": JSONValue($0.from),
                        "to": JSONValue($0.to),
                    ]
                })
        }
        if let retryAfter { object["retry_after_s"] = JSONValue(retryAfter) }
        for member in extensions.members where object[member.key] == nil { object[member.key] = member.value }
        return .object(object)
    }

    /// A caller's own text, cut so that an answer cannot be made long or unreadable by it.
    public static func echo(_ text: String, limit: Int = 64) -> String {
        text.unicodeScalars.count <= limit ? text : String(text.unicodeScalars.prefix(limit)) + "…"
    }
}

extension Problem: CustomStringConvertible {
    public var description: String { "\(code) \(title): \(detail)" }
}
