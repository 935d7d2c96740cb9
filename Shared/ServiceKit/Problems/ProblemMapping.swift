import Hummingbird
import HTTPTypes
import NIOHTTP1
import PostgresClient
public import WireFormat

extension Problem {
    /// The problem of an error of the world; nil for an error that nobody expected: a bug.
    public init?(mapping error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as JSONSyntaxError: self.init(error)
        case let error as PostgresError: self.init(postgres: error)
        case let error as HTTPError: self.init(http: error.status, message: error.body)
        case let error as any HTTPResponseError: self.init(http: error.status, message: nil)
        case is BodyTooSlow: self.init(.requestTimeout, "The body did not arrive in time.")
        case is HTTPParserError: self.init(.invalidHeader, "The body is not valid HTTP/1.1.")
        case is TimeLimitPassed: self.init(.deadline, "There was no result within the deadline.")
        case is CancellationError: self.init(.draining, "The request was given up before it was answered.")
        default: return nil
        }
    }

    /// SQLSTATE and connection failures, once. Nil where the statement or its values are our fault: 500 and a test.
    private init?(postgres error: PostgresError) {
        switch error.kind {
        case .connection, .connectTimeout, .poolClosed:
            self.init(.databaseUnavailable, "The database cannot be reached.")
            return
        case .poolTimeout:
            self.init(.databaseBusy, "All connections to the database are busy.")
            return
        case .cancelled:
            self.init(.draining, "The request was given up before it was answered.")
            return
        case .commitUnknown:
            self.init(.databaseUnavailable, "The connection was lost while committing: ask before you try again.")
            return
        case .server: break
        default: return nil
        }
        guard let state = error.sqlState else { return nil }
        switch (String(state.category), state.rawValue) {
        case ("53", "53100"): self.init(.storageFull, "The database has no space left.")
        case ("53", _): self.init(.databaseBusy, "The database has no resources left.")
        case ("08", _), (_, "57P01"), (_, "57P02"), (_, "57P03"):
            self.init(.databaseUnavailable, "The database is restarting.")
        case (_, "40001"), (_, "40P01"), (_, "55P03"): self.init(.databaseBusy, "The rows are being changed by others.")
        case (_, "57014"): self.init(.deadline, "The database took too long.")
        case (_, "23505"): self.init(.alreadyExists, "There is one with the same key.")
        default: return nil
        }
    }

    /// The router's and Hummingbird's own errors.
    private init?(http status: HTTPResponse.Status, message: String?) {
        let detail = message.map { Problem.echo($0, limit: 200) }
        switch status.code {
        case 400: self.init(.invalidParameter, detail ?? "The request is not valid.")
        case 401: self.init(.noCredentials, detail ?? "Credentials are required.")
        case 403: self.init(.missingScope, detail ?? "This is not allowed.")
        case 404: self.init(.noSuchRoute, detail ?? "Nothing is served at this path.")
        case 405: self.init(.methodNotAllowed, detail ?? "The method is not among the allowed ones.")
        case 406: self.init(.notAcceptable, detail ?? "No form of the answer is acceptable.")
        case 408: self.init(.requestTimeout, detail ?? "The request did not arrive in time.")
        case 409: self.init(.wrongState, detail ?? "The state does not allow this.")
        case 412: self.init(.preconditionFailed, detail ?? "The precondition does not hold.")
        case 413: self.init(.bodyTooLarge, detail ?? "The body is larger than what is taken.")
        case 415: self.init(.unsupportedMediaType, detail ?? "The media type is not taken here.")
        case 422: self.init(.invalidValue, detail ?? "A value is not allowed.")
        case 428: self.init(.preconditionRequired, detail ?? "A precondition is required.")
        case 429: self.init(.rateLimited, detail ?? "Try again later.")
        case 431: self.init(.headTooLarge, detail ?? "The head is larger than what is taken.")
        case 501: self.init(.notImplemented, detail ?? "This is not built yet.")
        case 503: self.init(.overloaded, detail ?? "Try again later.")
        case 504: self.init(.deadline, detail ?? "There was no result within the deadline.")
        default: return nil
        }
        if status.code == 400 { self.status = 400 }
    }
}
