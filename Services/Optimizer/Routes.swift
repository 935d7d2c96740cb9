import HTTPTypes
import Hummingbird
import Logging
import ServiceKit

/// The table of contents: a line an endpoint. The OpenAPI document describes each by its operation.
enum Routes {
    struct Line: Sendable {
        var operation: String
        var method: HTTPRequest.Method
        var path: String
        /// Whether credentials are needed.
        var isOpen = false
        var endpoint: @Sendable (Optimizer) -> any Endpoint
    }

    static let all: [Line] = portfolios + EvaluationRoutes.all + RebalanceRoutes.all

    private static let portfolios: [Line] = [
        Line(operation: "optimize", method: .post, path: "/api/portfolio/optimize") { PostOptimize(optimizer: $0) },
        Line(operation: "listPortfolios", method: .get, path: "/api/portfolio") { ListPortfolios(optimizer: $0) },
        Line(operation: "getPortfolio", method: .get, path: "/api/portfolio/{id}") { GetPortfolio(optimizer: $0) },
        Line(operation: "deletePortfolio", method: .delete, path: "/api/portfolio/{id}") {
            DeletePortfolio(optimizer: $0)
        },
        Line(operation: "getHistory", method: .get, path: "/api/portfolio/{id}/history") { GetHistory(optimizer: $0) },
        Line(operation: "getRecalculation", method: .get, path: "/api/portfolio/{id}/recalculation") {
            GetRecalculation(optimizer: $0)
        },
        Line(operation: "putRecalculation", method: .put, path: "/api/portfolio/{id}/recalculation") {
            PutRecalculation(optimizer: $0)
        },
        Line(operation: "getHoldings", method: .get, path: "/api/portfolio/{id}/holdings") {
            GetHoldings(optimizer: $0)
        },
        Line(operation: "putHoldings", method: .put, path: "/api/portfolio/{id}/holdings") {
            PutHoldings(optimizer: $0)
        },
        Line(operation: "getGains", method: .get, path: "/api/portfolio/{id}/gains") { GetGains(optimizer: $0) },
        Line(operation: "getMarketData", method: .get, path: "/api/market-data/{symbol}") {
            GetMarketData(optimizer: $0)
        },
        Line(operation: "pushMarketData", method: .post, path: "/api/market-data") { PostMarketData(optimizer: $0) },
        Line(operation: "getJob", method: .get, path: "/api/jobs/{job}") { GetJob(optimizer: $0) },
        Line(operation: "getJobEvents", method: .get, path: "/api/jobs/{job}/events") { GetJobEvents(optimizer: $0) },
        Line(operation: "cancelJob", method: .delete, path: "/api/jobs/{job}") { DeleteJob(optimizer: $0) },
        Line(operation: "listWebhooks", method: .get, path: "/api/webhooks") { ListWebhooks(optimizer: $0) },
        Line(operation: "addWebhook", method: .post, path: "/api/webhooks") { PostWebhook(optimizer: $0) },
        Line(operation: "removeWebhook", method: .delete, path: "/api/webhooks/{webhook}") {
            DeleteWebhook(optimizer: $0)
        },
        Line(operation: "getOpenAPI", method: .get, path: "/openapi.json", isOpen: true) { _ in GetOpenAPI() },
    ]

    /// Who may call, from where and how often.
    struct Access: Sendable {
        var authenticator: Authenticator
        var origins = CORSOrigins.none
        var limiter: RateLimiter

        init(
            authenticator: Authenticator, origins: CORSOrigins = .none, keyQuota: RateQuota = standardQuota,
            tenantQuota: RateQuota = standardQuota, registry: PrometheusRegistry? = nil
        ) {
            self.authenticator = authenticator
            self.origins = origins
            limiter = RateLimiter(key: keyQuota, tenant: tenantQuota, registry: registry)
        }

        static let standardQuota = RateQuota(requests: 1_200_000)
    }

    /// The router of the public port. Each path under `/api/` is served under `/api/v1/` as well.
    static func router(
        _ optimizer: Optimizer, access: Access, registry: PrometheusRegistry, drain: DrainState? = nil
    ) -> Router<BallastRequestContext> {
        BallastRouter.build(
            metrics: registry, origins: access.origins, drain: drain, logger: optimizer.logger,
            onProblem: { optimizer.notices.note($0, tenant: $1, source: $2) }
        ) { router in
            // Cheapest first: who is it, is it too much, was it answered already.
            let closed = router.group()
                .add(middleware: AuthenticationMiddleware(access.authenticator))
                .add(middleware: RateLimitMiddleware(access.limiter))
                .add(
                    middleware: IdempotencyMiddleware(
                        IdempotencyStore(optimizer.pool),
                        bodyLimit: {
                            $0.uri.path.hasSuffix("/market-data") ? PostMarketData.bodyLimit : BodyLimits.standard
                        }))
            for line in all {
                let endpoint = line.endpoint(optimizer)
                let paths =
                    line.path.hasPrefix("/api/") ? [line.path, "/api/v1/" + line.path.dropFirst(5)] : [line.path]
                for path in paths {
                    if line.isOpen {
                        router.on(RouterPath(path), method: line.method) { try await endpoint.answer($0, $1) }
                    } else {
                        closed.on(RouterPath(path), method: line.method) { try await endpoint.answer($0, $1) }
                    }
                }
            }
        }
    }
}
