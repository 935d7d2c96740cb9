public import CoreMetrics
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
    private let timers = TimerTable()

    /// The timers that were made: finding one by name and labels is dearer than a short answer.
    private final class TimerTable: Sendable {
        struct Key: Hashable {
            var method: HTTPRequest.Method
            var route: String?
            var status: Int
        }
        private let known = Mutex<[Key: any TimerHandler]>([:])

        func timer(_ key: Key, make: () -> any TimerHandler) -> any TimerHandler {
            known.withLock { known in
                if let timer = known[key] { return timer }
                let timer = make()
                known[key] = timer
                return timer
            }
        }
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
        let key = TimerTable.Key(
            method: request.method, route: context.endpointPath, status: Int(response.status.code))
        // A method that is not known could be any text.
        if Self.known.contains(key.method) {
            timers.timer(key) { timer(key.method.rawValue, key) }.recordNanoseconds(elapsed)
        } else {
            timer("other", key).recordNanoseconds(elapsed)
        }
        return response
    }

    private func timer(_ method: String, _ key: TimerTable.Key) -> any TimerHandler {
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
