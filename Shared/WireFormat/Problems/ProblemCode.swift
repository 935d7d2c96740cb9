/// Every problem this platform can answer with: a closed list, one line a code. `docs` and tests compare against it.
public enum ProblemCode: String, Sendable, CaseIterable {
    // The request cannot be read.
    case notJSON = "REQ-001"
    case notUTF8 = "REQ-002"
    case duplicateMember = "REQ-003"
    case tooDeep = "REQ-004"
    case unacceptableText = "REQ-005"
    // The request is read but makes no sense.
    case wrongType = "REQ-101"
    case missingMember = "REQ-102"
    case unknownMember = "REQ-103"
    case invalidValue = "REQ-104"
    case contradiction = "REQ-105"
    case invalidParameter = "REQ-106"
    case strictHandling = "REQ-107"
    case invalidHeader = "REQ-108"
    // The request does not fit the interface.
    case noSuchRoute = "REQ-201"
    case methodNotAllowed = "REQ-202"
    case notAcceptable = "REQ-203"
    case bodyTooLarge = "REQ-204"
    case unsupportedMediaType = "REQ-205"
    case headTooLarge = "REQ-206"
    case requestTimeout = "REQ-207"
    case noSuchResource = "REQ-301"
    // The stored or given data.
    case unknownSymbol = "DAT-001"
    case tooLittleHistory = "DAT-002"
    case emptyWindow = "DAT-003"
    case invalidPrice = "DAT-004"
    // The optimisation.
    case infeasible = "OPT-101"
    case unbounded = "OPT-102"
    case notConverged = "OPT-201"
    case unstable = "OPT-202"
    case ratioUndefined = "OPT-203"
    case tooLargeProblem = "OPT-301"
    // State.
    case wrongState = "STA-001"
    case versionClash = "STA-002"
    case preconditionFailed = "STA-003"
    case preconditionRequired = "STA-004"
    case alreadyExists = "STA-005"
    case keyInProgress = "STA-006"
    case keyReused = "STA-007"
    // Credentials.
    case noCredentials = "AUT-001"
    case badCredentials = "AUT-002"
    case expiredCredentials = "AUT-003"
    case missingScope = "AUT-004"
    // Limits and the system.
    case rateLimited = "LIM-001"
    case databaseUnavailable = "SYS-001"
    case databaseBusy = "SYS-002"
    case storageFull = "SYS-003"
    case overloaded = "SYS-101"
    case draining = "SYS-102"
    case deadline = "SYS-201"
    case unverified = "SYS-301"
    case jobGivenUp = "SYS-302"
    case notImplemented = "SYS-501"
    case internalError = "SYS-999"

    /// The HTTP status.
    public var status: Int {
        switch self {
        case .notJSON, .notUTF8, .duplicateMember, .tooDeep, .unacceptableText, .invalidHeader: 400
        case .wrongType, .missingMember, .unknownMember, .invalidValue, .contradiction, .invalidParameter,
            .strictHandling, .unknownSymbol, .tooLittleHistory, .emptyWindow, .invalidPrice, .infeasible, .unbounded,
            .notConverged, .unstable, .ratioUndefined, .tooLargeProblem, .keyReused:
            422
        case .noSuchRoute, .noSuchResource: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .requestTimeout: 408
        case .wrongState, .versionClash, .alreadyExists, .keyInProgress: 409
        case .preconditionFailed: 412
        case .bodyTooLarge: 413
        case .unsupportedMediaType: 415
        case .preconditionRequired: 428
        case .headTooLarge: 431
        case .noCredentials, .badCredentials, .expiredCredentials: 401
        case .missingScope: 403
        case .rateLimited: 429
        case .databaseUnavailable, .databaseBusy, .storageFull, .overloaded, .draining: 503
        case .deadline: 504
        case .unverified, .jobGivenUp, .internalError: 500
        case .notImplemented: 501
        }
    }

    /// The specification's three classes, and three of ours.
    public var problemClass: Problem.Class {
        switch self {
        case .unknownSymbol, .tooLittleHistory, .emptyWindow, .invalidPrice: .data_validation
        case .infeasible, .unbounded, .notConverged, .unstable, .ratioUndefined, .tooLargeProblem: .optimization
        case .noCredentials, .badCredentials, .expiredCredentials, .missingScope: .auth
        case .rateLimited: .limit
        case .databaseUnavailable, .databaseBusy, .storageFull, .overloaded, .draining, .deadline, .unverified,
            .jobGivenUp, .notImplemented, .internalError:
            .system
        default: .request
        }
    }

    /// Whether the same request may succeed later without being changed.
    public var retryable: Bool {
        switch self {
        case .rateLimited, .databaseUnavailable, .databaseBusy, .storageFull, .overloaded, .draining, .deadline,
            .keyInProgress, .requestTimeout:
            true
        default: false
        }
    }

    /// Seconds after which to try again, unless the problem says otherwise.
    public var retryAfter: Int? {
        switch self {
        case .databaseUnavailable, .databaseBusy, .overloaded, .keyInProgress, .rateLimited: 1
        case .draining: 5
        case .storageFull: 30
        default: nil
        }
    }

    /// A short sentence that is the same for every occurrence.
    public var title: String {
        switch self {
        case .notJSON: "The body is not JSON"
        case .notUTF8: "The body is not UTF-8"
        case .duplicateMember: "A member occurs twice"
        case .tooDeep: "The body is nested too deeply"
        case .unacceptableText: "The body has text that cannot be kept"
        case .wrongType: "A member has the wrong type"
        case .missingMember: "A member is missing"
        case .unknownMember: "A member is not known"
        case .invalidValue: "A member has a value that is not allowed"
        case .contradiction: "Members contradict each other"
        case .invalidParameter: "A parameter is not valid"
        case .strictHandling: "The answer would carry a warning"
        case .invalidHeader: "A header is not valid"
        case .noSuchRoute: "There is no such path"
        case .methodNotAllowed: "The path does not take this method"
        case .notAcceptable: "The answer has no acceptable form"
        case .bodyTooLarge: "The body is too large"
        case .unsupportedMediaType: "The body's media type is not supported"
        case .headTooLarge: "The request's head is too large"
        case .requestTimeout: "The request took too long to arrive"
        case .noSuchResource: "There is no such resource"
        case .unknownSymbol: "A symbol is not known"
        case .tooLittleHistory: "There is too little history"
        case .emptyWindow: "The assets have no common window"
        case .invalidPrice: "A price is not valid"
        case .infeasible: "Constraints cannot all hold"
        case .unbounded: "The objective has no bound"
        case .notConverged: "No solution within the budget"
        case .unstable: "The problem is numerically unstable"
        case .ratioUndefined: "The ratio is not defined"
        case .tooLargeProblem: "The problem is over the size budget"
        case .wrongState: "The state does not allow this"
        case .versionClash: "The version has changed"
        case .preconditionFailed: "The precondition does not hold"
        case .preconditionRequired: "A precondition is required"
        case .alreadyExists: "It exists already"
        case .keyInProgress: "A request with this key is in progress"
        case .keyReused: "The key belongs to another request"
        case .noCredentials: "Credentials are required"
        case .badCredentials: "The credentials are not valid"
        case .expiredCredentials: "The credentials have expired"
        case .missingScope: "The credentials do not allow this"
        case .rateLimited: "Too many requests"
        case .databaseUnavailable: "The database is not available"
        case .databaseBusy: "The database is busy"
        case .storageFull: "The storage is full"
        case .overloaded: "The service is at its limit"
        case .draining: "The service is stopping"
        case .deadline: "The deadline has passed"
        case .unverified: "The answer did not pass verification"
        case .jobGivenUp: "The job was given up"
        case .notImplemented: "This is not built yet"
        case .internalError: "Something went wrong inside the service"
        }
    }
}
