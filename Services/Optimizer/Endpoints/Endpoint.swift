import HTTPTypes
import Hummingbird
import ServiceKit
import WireFormat

/// One call of the interface: a request in, an answer out. A type per file, and a line in `Routes`.
protocol Endpoint: Sendable {
    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response
}

extension BallastRequestContext {
    /// The path's portfolio id. A text that cannot be an id is one that nobody has.
    func portfolioID() throws(Problem) -> String {
        let id = parameters.get("id") ?? ""
        guard OptimizeRequest.isPortfolioID(id) else { throw .noPortfolio(id) }
        return id
    }
}

extension Problem {
    /// The tenant has no portfolio of this id; whether another has is not told.
    static func noPortfolio(_ id: String) -> Problem {
        Problem(.noSuchResource, "There is no portfolio \"\(Problem.echo(id))\".")
    }
}

extension Request {
    /// A query parameter, percent-decoded.
    func query(_ name: String) -> String? { uri.queryParameters[Substring(name)].map { String($0) } }

    /// Refuses parameters that the endpoint does not know.
    func allowQuery(_ known: String...) throws(Problem) {
        for parameter in uri.queryParameters where !known.contains(String(parameter.key)) {
            let nearest = NearestName.of(String(parameter.key), among: known).map { " Did you mean \($0)?" } ?? ""
            throw Problem(
                .invalidParameter, "The parameter \"\(Problem.echo(String(parameter.key)))\" is not known.\(nearest)")
        }
    }

    /// A day in the query; nil where it is absent.
    func queryDate(_ name: String) throws(Problem) -> CalendarDate? {
        guard let text = query(name) else { return nil }
        guard let date = CalendarDate(iso: text) else {
            throw Problem(.invalidParameter, "The parameter \(name) has to be a date like 2023-01-03.")
        }
        return date
    }

    /// A parameter that is true or false; nil where it is absent, true where its name stands alone (`?async`, not `?async=`).
    func queryFlag(_ name: String) throws(Problem) -> Bool? {
        guard let text = query(name) else { return nil }
        switch text {
        case "" where (uri.query ?? "").split(separator: "&").contains(Substring(name)): return true
        case "true": return true
        case "false": return false
        default: throw Problem(.invalidParameter, "The parameter \(name) has to be true or false.")
        }
    }

    /// Most items of a page: `?limit=`, 1 to 500.
    func pageLimit() throws(Problem) -> Int { try queryInteger("limit", in: 1...500) ?? 50 }

    /// How long the caller waits: `X-Request-Timeout` in seconds, cut to 60.
    func timeout(standard: Duration = .seconds(30)) throws(Problem) -> Duration {
        guard let text = headers[.requestTimeout] else { return standard }
        guard let seconds = Double(text), seconds >= 1, seconds <= 3600 else {
            throw Problem(.invalidHeader, "X-Request-Timeout has to be a number of seconds from 1 to 3600.")
        }
        return .milliseconds(Int64(min(seconds, 60) * 1000))
    }
}

extension HTTPField.Name {
    /// X-Request-Timeout. The name is a valid token, so the fallback is never taken.
    static let requestTimeout = HTTPField.Name("X-Request-Timeout") ?? .cookie
}
