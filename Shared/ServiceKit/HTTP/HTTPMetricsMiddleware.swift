public import CoreMetrics
import HTTPTypes
public import Hummingbird

/// Counts requests and how long they took: `http_server_request_duration_seconds{method,route,status}`.
///
/// `route` is the pattern, never the path, so that callers cannot make series.
public struct HTTPMetricsMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let registry: PrometheusRegistry
    private let active: any MeterHandler
    private let timers = TimerTable<Key>()

    private struct Key: Hashable {
        var method: HTTPRequest.Method
        var route: String?
        var status: Int
    }

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
        let elapsed = Int64((ContinuousClock.now - start) / .nanoseconds(1))
        let key = Key(
            method: request.method, route: context.endpointPath, status: Int(response.status.code))
        // A method that is not known could be any text.
        if Self.known.contains(key.method) {
            timers.timer(key) { timer(key.method.rawValue, key) }.recordNanoseconds(elapsed)
        } else {
            timer("other", key).recordNanoseconds(elapsed)
        }
        return response
    }

    private func timer(_ method: String, _ key: Key) -> any TimerHandler {
        Self.timer(registry, method: method, route: key.route, status: key.status)
    }

    /// Where the durations of a route's answers go, for those that are answered before they are routed.
    public static func timer(
        _ registry: PrometheusRegistry, method: String, route: String?, status: Int
    ) -> any TimerHandler {
        registry.makeTimer(
            label: duration,
            dimensions: [("method", method), ("route", route ?? "none"), ("status", String(status))])
    }

    private static let known: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]
}
