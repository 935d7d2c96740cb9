import WireFormat

/// What the OpenAPI document says of the calls of reallocation.
extension RebalanceSchemas {
    static let body = ["400", "408", "413", "415"]

    static let operations: [String: Operations.Description] = [
        "rebalance": Operations.Description(
            summary: "Plan a reallocation of inline holdings", tag: "rebalance",
            body: Operations.json("RebalanceRequest", [("inline", example)]),
            success: ("200", "The plan.", "ReallocationPlan"),
            problems: body),
        "rebalancePortfolio": Operations.Description(
            summary: "Plan a reallocation of a stored portfolio", tag: "rebalance",
            body: Operations.json("PortfolioRebalanceRequest", [("stored", ["settings": ["risk_aversion": 10]])]),
            success: ("200", "The plan.", "ReallocationPlan"), problems: body + ["404", "409"]),
        "getPlan": Operations.Description(
            summary: "A plan and where it stands", tag: "rebalance", success: ("200", "The plan.", "ReallocationPlan"),
            problems: ["404"]),
        "getPlanEvents": Operations.Description(
            summary: "The chain of what happened to a plan", tag: "rebalance",
            success: ("200", "Its events.", "PlanEvents"),
            problems: ["404"]),
        "confirmPlan": Operations.Description(
            summary: "Confirm exactly this plan; the same call again gives the first answer", tag: "rebalance",
            body: Operations.json("PlanConfirmation", []), success: ("200", "Confirmed.", "PlanDecision"),
            problems: body + ["404", "409", "412"]),
        "executePlan": Operations.Description(
            summary: "Execute a confirmed plan and book it; the same call again gives the first answer",
            tag: "rebalance",
            body: Operations.json("PlanExecution", []), success: ("200", "What became of it.", "ExecutionReport"),
            problems: body + ["404", "409"]),
        "cancelPlan": Operations.Description(
            summary: "End an execution: nothing new is sent, open orders are taken back", tag: "rebalance",
            body: Operations.json("PlanCancellation", []), success: ("200", "How far it is.", "ExecutionReport"),
            problems: body + ["404", "409"]),
        "pausePlan": Operations.Description(
            summary: "Hold an execution: nothing new is sent, open orders stay", tag: "rebalance",
            body: Operations.json("PlanPause", []), success: ("200", "How far it is.", "ExecutionReport"),
            problems: body + ["404", "409"]),
        "resumePlan": Operations.Description(
            summary: "Let a paused execution go on", tag: "rebalance", body: Operations.json("PlanPause", []),
            success: ("200", "How far it is.", "ExecutionReport"), problems: body + ["404", "409"]),
        "getTradingCosts": Operations.Description(
            summary: "What orders have taught about the cost of each venue", tag: "rebalance",
            success: ("200", "Venues.", "TradingCosts"), problems: []),
        "deleteTradingCosts": Operations.Description(
            summary: "Forget what a venue has taught", tag: "rebalance", success: ("204", "It is forgotten.", nil),
            problems: ["404"]),
        "getExecution": Operations.Description(
            summary: "How far an execution is, or its report", tag: "rebalance",
            success: ("200", "Orders, books and shortfall so far.", "ExecutionReport"), problems: ["404"]),
        "getKillSwitch": Operations.Description(
            summary: "Whether trading is halted", tag: "rebalance", success: ("200", "The switch.", "TradingHaltState"),
            problems: []),
        "putKillSwitch": Operations.Description(
            summary: "Halt all trading of the tenant, or resume it", tag: "rebalance",
            body: Operations.json("TradingHalt", []), success: ("200", "The switch.", "TradingHaltState"),
            problems: body),
        "rejectPlan": Operations.Description(
            summary: "Reject a plan", tag: "rebalance", body: Operations.json("PlanRejection", []),
            success: ("200", "Rejected.", "PlanDecision"), problems: body + ["404", "409"]),
    ]
}
