import HTTPTypes
public import Hummingbird

/// The web pages that may call: an exact list of origins, no wildcard, no credentials of the browser.
public struct CORSOrigins: Sendable, Equatable {
    public let origins: [String]

    /// No page of another origin.
    public static let none = CORSOrigins(origins: [])
    private init(origins: [String]) { self.origins = origins }

    /// Reads a list separated by commas. Nil where an entry is no origin: `scheme://host` or `scheme://host:port`, lower case, without a
    /// path; `*` and `null` are no origins.
    public init?(_ list: String) {
        var origins: [String] = []
        for entry in list.split(separator: ",") {
            let origin = entry.filter { $0 != " " }
            if origin.isEmpty { continue }
            guard Self.isOrigin(origin) else { return nil }
            origins.append(origin)
        }
        self.origins = origins
    }

    private static func isOrigin(_ text: String) -> Bool {
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "https" || parts[0] == "http", !parts[1].isEmpty else { return false }
        return parts[1].utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                true
            default: false
            }
        }
    }
}

/// Lets the pages of listed origins read answers, and answers their preflights. Anything else is left as it is: without these fields a
/// browser keeps the answer from the page.
public struct CORSMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let allowed: Set<String>

    private static let methods = "GET, HEAD, POST, PUT, DELETE"
    private static let requestHeaders =
        "Authorization, X-API-Key, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-ID, X-Request-Timeout, traceparent"
    private static let exposedHeaders =
        "ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-ID, Idempotency-Replayed, Preference-Applied, traceparent"

    public init(_ origins: CORSOrigins) { allowed = Set(origins.origins) }

    public func handle(
        _ request: Request, context: BallastRequestContext,
        next: (Request, BallastRequestContext) async throws -> Response
    ) async throws -> Response {
        guard !allowed.isEmpty else { return try await next(request, context) }
        // Caches must not give one origin's answer to another.
        context.answerHeaders.set(.vary, "Origin")
        guard let origin = request.headers[.origin], allowed.contains(origin) else {
            return try await next(request, context)
        }
        context.answerHeaders.set(.accessControlAllowOrigin, origin)
        if request.method == .options, request.headers[.accessControlRequestMethod] != nil {
            return Response(
                status: .noContent,
                headers: [
                    .accessControlAllowMethods: Self.methods, .accessControlAllowHeaders: Self.requestHeaders,
                    .accessControlMaxAge: "600",
                ])
        }
        context.answerHeaders.set(.accessControlExposeHeaders, Self.exposedHeaders)
        return try await next(request, context)
    }
}
