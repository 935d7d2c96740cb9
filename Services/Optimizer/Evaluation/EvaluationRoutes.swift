import HTTPTypes

/// The calls that look at portfolios rather than make them.
enum EvaluationRoutes {
    static let all: [Routes.Line] = [
        Routes.Line(operation: "metrics", method: .post, path: "/api/portfolio/metrics") { PostMetrics(optimizer: $0) },
        Routes.Line(operation: "backtest", method: .post, path: "/api/portfolio/backtest") {
            PostBacktest(optimizer: $0)
        },
    ]
}
