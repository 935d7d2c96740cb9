import HTTPTypes

/// The lines of the route table that plan and confirm reallocations.
enum RebalanceRoutes {
    static let all: [Routes.Line] = [
        Routes.Line(operation: "rebalance", method: .post, path: "/api/portfolio/rebalance") {
            PostRebalance(optimizer: $0)
        },
        Routes.Line(operation: "rebalancePortfolio", method: .post, path: "/api/portfolio/{id}/rebalance") {
            PostPortfolioRebalance(optimizer: $0)
        },
        Routes.Line(operation: "getPlan", method: .get, path: "/api/rebalance/{plan}") { GetPlan(optimizer: $0) },
        Routes.Line(operation: "getPlanEvents", method: .get, path: "/api/rebalance/{plan}/events") {
            GetPlanEvents(optimizer: $0)
        },
        Routes.Line(operation: "confirmPlan", method: .post, path: "/api/rebalance/{plan}/confirm") {
            ConfirmPlan(optimizer: $0)
        },
        Routes.Line(operation: "rejectPlan", method: .post, path: "/api/rebalance/{plan}/reject") {
            RejectPlan(optimizer: $0)
        },
        Routes.Line(operation: "executePlan", method: .post, path: "/api/rebalance/{plan}/execute") {
            ExecutePlan(optimizer: $0)
        },
        Routes.Line(operation: "cancelPlan", method: .post, path: "/api/rebalance/{plan}/cancel") {
            CancelPlan(optimizer: $0)
        },
        Routes.Line(operation: "pausePlan", method: .post, path: "/api/rebalance/{plan}/pause") {
            PausePlan(optimizer: $0, isPause: true)
        },
        Routes.Line(operation: "resumePlan", method: .post, path: "/api/rebalance/{plan}/resume") {
            PausePlan(optimizer: $0, isPause: false)
        },
        Routes.Line(operation: "getExecution", method: .get, path: "/api/rebalance/{plan}/execution") {
            GetExecution(optimizer: $0)
        },
        Routes.Line(operation: "getTradingCosts", method: .get, path: "/api/trading/costs") {
            GetTradingCosts(optimizer: $0)
        },
        Routes.Line(operation: "deleteTradingCosts", method: .delete, path: "/api/trading/costs/{venue}") {
            DeleteTradingCosts(optimizer: $0)
        },
        Routes.Line(operation: "getKillSwitch", method: .get, path: "/api/trading/halt") { GetHalt(optimizer: $0) },
        Routes.Line(operation: "putKillSwitch", method: .put, path: "/api/trading/halt") { PutHalt(optimizer: $0) },
    ]
}
