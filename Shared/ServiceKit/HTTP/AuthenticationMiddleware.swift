import HTTPTypes
public import Hummingbird
import Logging
import WireFormat

/// Lets only callers with good credentials through, and tells the endpoints who they are.
public struct AuthenticationMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let authenticator: Authenticator
    private let scope: Scope?

    /// - Parameter scope: what every endpoint behind it needs; nil where each asks by `context.authorized(for:)`.
    public init(_ authenticator: Authenticator, requiring scope: Scope? = nil) {
        self.authenticator = authenticator
        self.scope = scope
    }

    public func handle(
        _ request: Request, context: BallastRequestContext,
        next: (Request, BallastRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let principal = try await authenticator.authenticate(
            bearer: try Self.bearer(request), apiKey: request.headers[.apiKey])
        context.principal = principal
        context.logger[metadataKey: "subject"] = .string(principal.subject)
        if let scope { _ = try context.authorized(for: scope) }
        return try await next(request, context)
    }

    /// The credentials of `Authorization: Bearer`; nil where the header is absent.
    private static func bearer(_ request: Request) throws(Problem) -> String? {
        guard let header = request.headers[.authorization] else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw Problem(.badCredentials, "Only the scheme Bearer is accepted in the header Authorization.")
        }
        return String(parts[1].drop { $0 == " " })
    }
}
