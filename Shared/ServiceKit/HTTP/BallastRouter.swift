public import Hummingbird
public import Logging

/// Makes a router that answers as all our services do: request ids, problems, metrics.
public enum BallastRouter {
    /// - Parameters:
    ///   - metrics: where request durations go; nil for the operations port, which does not count itself.
    ///   - origins: the web pages of other origins that may call.
    ///   - onProblem: told of each problem that is answered.
    ///   - drain: while it drains, answers ask for the connection to be closed.
    ///   - register: adds the routes. Middleware for some of them (authentication) goes on a group.
    public static func build(
        metrics: PrometheusRegistry?, origins: CORSOrigins = .none, drain: DrainState? = nil, logger: Logger,
        onProblem: ProblemObserver? = nil, _ register: (Router<BallastRequestContext>) -> Void
    ) -> Router<BallastRequestContext> {
        let routes = RouteTable()
        let router = Router(context: BallastRequestContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(middleware: RequestIDMiddleware(drain: drain))
        if let metrics { router.add(middleware: HTTPMetricsMiddleware(registry: metrics)) }
        router.add(
            middleware: ProblemMiddleware(
                routes: routes, counter: metrics.map { ProblemCounter($0) }, onProblem: onProblem))
        if origins != .none { router.add(middleware: CORSMiddleware(origins)) }
        register(router)
        routes.fill(from: router)
        return router
    }
}
