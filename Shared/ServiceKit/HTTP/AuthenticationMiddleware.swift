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
            bearer: try Authenticator.bearer(request.headers), apiKey: request.headers[.apiKey])
        context.principal = principal
        context.outcome.tenant = principal.tenant
        context.logger[metadataKey: "subject"] = .string(principal.subject)
        if let scope { _ = try context.authorized(for: scope) }
        return try await next(request, context)
    }
}

extension Authenticator {
    /// The credentials of `Authorization: Bearer`; nil where the header is absent.
    static func bearer(_ headers: HTTPFields) throws(Problem) -> String? { try bearer(headers[.authorization]) }

    private static func bearer(_ header: String?) throws(Problem) -> String? {
        guard let header else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw Problem(.badCredentials, "Only the scheme Bearer is accepted in the header Authorization.")
        }
        return String(parts[1].drop { $0 == " " })
    }

    /// The principal of a valid key that is remembered; nil for all others, and for tokens.
    /// - Parameters:
    ///   - authorization: the field Authorization.
    ///   - apiKey: the field x-api-key.
    public func remembered(authorization: String?, apiKey: String?) -> Principal? {
        do throws(Problem) {
            guard let token = try (Self.bearer(authorization) ?? apiKey).flatMap({ APIKeyToken($0) }) else {
                return nil
            }
            return try remembered(token)
        } catch {
            return nil  // authentication says why, behind the router
        }
    }
}
