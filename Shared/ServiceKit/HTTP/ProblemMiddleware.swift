public import Foundation
import HTTPTypes
public import Hummingbird
import Logging
import NIOHTTP1
public import WireFormat

/// Told of a problem that is answered: whose request it was, where that is known, and the request's identifier.
public typealias ProblemObserver = @Sendable (_ problem: Problem, _ tenant: UUID?, _ requestID: String) -> Void

/// Turns every error into RFC 9457 problem details: the one place where errors become answers.
///
/// A `Problem` is sent as it is; the database's errors and the router's are mapped; anything else is a bug of ours: 500, with
/// the whole error in the log and nothing of it in the answer.
public struct ProblemMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let routes: RouteTable
    private let counter: ProblemCounter?
    private let onProblem: ProblemObserver?

    init(routes: RouteTable, counter: ProblemCounter?, onProblem: ProblemObserver?) {
        self.routes = routes
        self.counter = counter
        self.onProblem = onProblem
    }

    public func handle(
        _ request: Request, context: BallastRequestContext,
        next: (Request, BallastRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            let response = try await next(request, context)
            // A handler that answers a bare error status gets a body too.
            if let problem = context.outcome.problem { tell(problem, of: problem, context) }
            if response.status.code >= 400, response.body.contentLength == 0, request.method != .head {
                let problem = problem(for: HTTPError(response.status), request)
                tell(HTTPError(response.status), of: problem, context)
                return Self.response(problem, context: context)
            }
            return response
        } catch {
            let problem = problem(for: error, request)
            tell(error, of: problem, context)
            var response = Self.response(problem, context: context)
            // Where a body that is no HTTP ends, nobody can tell.
            if error is HTTPParserError { response.headers[.connection] = "close" }
            return response
        }
    }

    private func problem(for error: any Error, _ request: Request) -> Problem {
        if let http = error as? HTTPError, http.status == .notFound {
            let methods = routes.methods(for: request.uri.path)
            if !methods.isEmpty, !methods.contains(request.method) {
                var problem = Problem(
                    .methodNotAllowed,
                    "\(Problem.echo(request.method.rawValue, limit: 16)) is not among the allowed methods.")
                problem.allow = methods.map { $0.rawValue }
                return problem
            }
        }
        return Problem(mapping: error)
            ?? Problem(.internalError, "The error has been logged under this request's identifier.")
    }

    private func tell(_ error: any Error, of problem: Problem, _ context: BallastRequestContext) {
        Self.log(error, problem, context: context)
        counter?.count(problem.code)
        onProblem?(problem, context.outcome.tenant, context.requestID)
    }

    private static func log(_ error: any Error, _ problem: Problem, context: BallastRequestContext) {
        var metadata: Logger.Metadata = ["code": "\(problem.code)", "status": "\(problem.status)"]
        // What is shed is counted (`shed_total`): thousands of lines a second would be load themselves.
        if problem.status < 500 || problem.code == ProblemCode.overloaded.rawValue {
            metadata["detail"] = "\(Problem.echo(problem.detail, limit: 200))"
            // What data or mathematics refused is for whoever looks after them; what the caller wrote wrongly is the caller's.
            let isOfNote = problem.`class` == .data_validation || problem.`class` == .optimization
            context.logger.log(level: isOfNote ? .info : .debug, "Request refused", metadata: metadata)
        } else if problem.status == 500 {
            metadata["error"] = "\(String(reflecting: error))"
            context.logger.error("Request failed", metadata: metadata)
        } else {
            metadata["error"] = "\(error)"
            context.logger.warning("Request not served", metadata: metadata)
        }
    }

    static func response(_ problem: Problem, context: BallastRequestContext) -> Response {
        let status = HTTPResponse.Status(code: problem.status)
        var response = Response(
            bytes: problem.json(requestID: context.requestID).bytes(), mediaType: Problem.mediaType, status: status)
        response.headers[.cacheControl] = "no-store"
        if let seconds = problem.retryAfter { response.headers[.retryAfter] = String(seconds) }
        if !problem.allow.isEmpty { response.headers[.allow] = problem.allow.joined(separator: ", ") }
        if problem.status == 401 { response.headers[.wwwAuthenticate] = "Bearer realm=\"ballast\"" }
        // Nobody reads the rest of a body that was refused.
        if problem.status == 413 || problem.status == 408 { response.headers[.connection] = "close" }
        return response
    }
}
