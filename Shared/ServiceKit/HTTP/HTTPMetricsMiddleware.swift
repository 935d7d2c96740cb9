import CoreMetrics
import HTTPTypes
public import Hummingbird
import Synchronization

/// Counts requests and how long they took: `http_server_request_duration_seconds{method,route,status}`.
///
/// `route` is the pattern, never the path, so that callers cannot make series.
public struct HTTPMetricsMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let registry: PrometheusRegistry
    private let active: any MeterHandler

    public static let duration = "http_server_request_duration_seconds"
    public static let inFlight = "http_server_active_requests"

    public init(registry: PrometheusRegistry) {
        self.registry = registry
        registry.describe(Self.duration, "Time from the request's head to the answer's head")
        registry.describe(Self.inFlight, "Requests that are being answered")
        active = registry.makeMeter(label: Self.inFlight, dimensions: [])
    }

    public func handle(
        _ request: Request, context: BallastRequestContext,
        next: (Request, BallastRequestContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        active.increment(by: 1)
        defer { active.decrement(by: 1) }
        let response = try await next(request, context)
        let dimensions = [
            ("method", Self.known.contains(request.method) ? request.method.rawValue : "other"),
            ("route", context.endpointPath ?? "none"), ("status", String(response.status.code)),
        ]
        let elapsed = (ContinuousClock.now - start) / .nanoseconds(1)
        registry.makeTimer(label: Self.duration, dimensions: dimensions).recordNanoseconds(Int64(elapsed))
        return response
    }

    private static let known: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]
}
