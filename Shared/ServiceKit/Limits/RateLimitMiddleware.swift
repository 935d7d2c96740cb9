import HTTPTypes
public import Hummingbird

/// Holds each credential and each tenant to its quota, and tells both in the IETF's headers on every answer.
///
/// `RateLimit-Policy: "key";q=600;w=60, "tenant";q=6000;w=60` and `RateLimit: "key";r=599;t=1, "tenant";r=5999;t=1`.
/// Source: draft-ietf-httpapi-ratelimit-headers-11. Over either quota: 429 with Retry-After. Runs behind authentication.
public struct RateLimitMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let limiter: RateLimiter

    public init(_ limiter: RateLimiter) { self.limiter = limiter }

    public func handle(
        _ request: Request, context: BallastRequestContext,
        next: (Request, BallastRequestContext) async throws -> Response
    ) async throws -> Response {
        if let principal = context.principal {
            try limiter.take(principal) { context.answerHeaders.set($0, $1) }
        }
        return try await next(request, context)
    }
}

extension HTTPField.Name {
    /// RateLimit. The name is a valid token, so the fallback is never taken.
    public static let rateLimit = HTTPField.Name("RateLimit") ?? .cookie
    /// RateLimit-Policy.
    public static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy") ?? .cookie
}
