import HTTPTypes
public import Hummingbird
import Logging

/// Gives each request an identifier, its own if it brought a good one, and answers it in X-Request-ID; and its place in a trace, which it
/// answers in traceparent.
public struct RequestIDMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let drain: DrainState?

    /// - Parameter drain: while the service stops, answers carry `Connection: close`.
    public init(drain: DrainState? = nil) { self.drain = drain }

    public func handle(
        _ request: Request, context: BallastRequestContext,
        next: (Request, BallastRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        if let given = request.headers[.requestID], RequestIdentifier.isAcceptable(given) { context.requestID = given }
        context.trace = TraceContext(traceparent: request.headers[.traceparent])
        context.logger[metadataKey: "request_id"] = .string(context.requestID)
        context.logger[metadataKey: "trace_id"] = .string(context.trace.traceID)
        context.logger[metadataKey: "span_id"] = .string(context.trace.spanID)
        var response = try await next(request, context)
        context.answerHeaders.apply(to: &response.headers)
        response.headers[.requestID] = context.requestID
        response.headers[.traceparent] = context.trace.traceparent
        if drain?.isDraining == true { response.headers[.connection] = "close" }
        return response
    }
}

extension HTTPField.Name {
    /// X-Request-ID. The name is a valid token, so the fallback is never taken.
    public static let requestID = HTTPField.Name("X-Request-ID") ?? .cookie
    /// x-api-key.
    public static let apiKey = HTTPField.Name("x-api-key") ?? .cookie
    /// Prefer (RFC 7240).
    public static let prefer = HTTPField.Name("Prefer") ?? .cookie
    /// Idempotency-Key.
    public static let idempotencyKey = HTTPField.Name("Idempotency-Key") ?? .cookie
}
