import HTTPTypes
import Hummingbird
import Synchronization

/// Which methods a path takes: the router answers 404 both for a path it does not know and for a method it does not know.
final class RouteTable: Sendable {
    private struct Route {
        var segments: [String]
        var method: HTTPRequest.Method
    }

    private let routes = Mutex<[Route]>([])

    /// Takes over the routes of a finished router.
    func fill(from router: Router<BallastRequestContext>) {
        let known = router.routes.map { route in
            Route(segments: Self.segments(route.path.description), method: route.method)
        }
        routes.withLock { $0 = known }
    }

    /// The methods of the routes that match a path, sorted; empty where none does.
    func methods(for path: String) -> [HTTPRequest.Method] {
        let wanted = Self.segments(path)
        var methods: Set<HTTPRequest.Method> = []
        for route in routes.withLock({ $0 }) where Self.matches(route.segments, wanted) { methods.insert(route.method) }
        if methods.contains(.get) { methods.insert(.head) }
        return methods.sorted { $0.rawValue < $1.rawValue }
    }

    private static func segments(_ path: String) -> [String] {
        path.split(separator: "/", omittingEmptySubsequences: true).map { String($0) }
    }

    private static func matches(_ pattern: [String], _ path: [String]) -> Bool {
        for (n, segment) in pattern.enumerated() {
            if segment == "**" { return path.count > n }
            guard n < path.count else { return false }
            let isCapture = segment == "*" || (segment.hasPrefix("{") && segment.hasSuffix("}"))
            if !isCapture && segment != path[n] { return false }
        }
        return pattern.count == path.count
    }
}
