import WireFormat

/// What the OpenAPI document says of plans, executions and what was booked.
extension RebalanceSchemas {
    static let anything: JSONValue = ["type": "object"]
    static let plan: JSONValue = Schema.object(
        "A reallocation plan.", required: ["plan_id", "plan_hash", "state", "legs", "objective", "lower_bound", "gap"],
        [
            ("plan_id", Schema.nullable(Schema.said("Null where the plan is not kept."))),
            ("plan_hash", Schema.said("SHA-256.")),
            (
                "state",
                Schema.oneOf(
                    [
                        "NOT_NEEDED", "REJECTED_BY_COST", "AWAITING_CONFIRM", "REJECTED", "EXPIRED", "SUPERSEDED",
                        "CONFIRMED",
                        "EXECUTING", "PAUSED", "COMPLETED", "COMPLETED_SHORT", "HALTED", "VERIFIED", "MISMATCH",
                        "RECORDED",
                    ], "Where it stands.")
            ),
            ("portfolio_id", Schema.nullable(Schema.said("Of the stored form."))),
            ("portfolio_version", Schema.nullable(Schema.integer("That it was made from."))),
            ("holdings_hash", Schema.nullable(Schema.said("Of the holdings it was made from."))),
            ("expires_at", Schema.said("When it can no longer be confirmed.", format: "date-time")),
            ("price_tolerance", saidDecimal), ("as_of", Schema.said("The day.", format: "date")),
            ("currency", Schema.said("Three letters.")), ("drift", anything),
            ("needed", Schema.flag("Whether a rule fired.")),
            ("legs", Schema.list(of: anything, "Trades in the order in which they are sent.")),
            ("cash_before", saidDecimal), ("cash_after", saidDecimal), ("weights_before", anything),
            ("weights_after", anything),
            ("target", anything), ("tracking_error", anything), ("costs", anything),
            ("cost_coefficients", coefficients), ("tax", anything),
            ("benefit", saidDecimal), ("cost", saidDecimal), ("objective", Schema.number("In currency.")),
            ("idle_objective", Schema.number("Of doing nothing.")),
            ("lower_bound", Schema.number("No plan is below it.")),
            ("gap", Schema.number("Relative.")), ("cost_weight", Schema.number("Raised by the cost gate.")),
            ("relaxed", Schema.list(of: anything, "Limits that had to give.")),
            ("alternatives", Schema.list(of: anything, "With fewer trades.")),
            ("buy_blocks", Schema.list(of: anything, "What not to buy, and until when.")),
            ("harvest", Schema.list(of: anything, "Losses worth taking.")),
            ("look_ahead", Schema.list(of: anything, "Weights after each period.")),
            ("warnings", Schema.list(of: anything, "What was assumed.")), ("summary", Schema.said("A page of text.")),
        ])

    static let coefficients: JSONValue = Schema.object(
        "What half spread and impact were multiplied with.",
        required: ["impact", "spread_factor", "impact_factor", "venue", "orders"],
        [
            ("impact", Schema.number("Y that the plan used.")), ("spread_factor", saidDecimal),
            ("impact_factor", saidDecimal), ("venue", Schema.nullable(Schema.said("Whose orders taught it."))),
            ("orders", Schema.integer("How many.")),
        ])

    static let tradingCosts: JSONValue = Schema.object(
        "What orders at each venue have cost beside what plans predicted.", required: ["items", "next"],
        [
            (
                "items",
                Schema.list(
                    of: Schema.object(
                        "A venue.", required: ["venue", "orders", "spread_factor", "impact_factor", "residual"],
                        [
                            ("venue", Schema.said("Its name.")), ("orders", Schema.integer("Learned from.")),
                            ("spread_factor", saidDecimal), ("impact_factor", saidDecimal),
                            ("residual", Schema.number("Mean absolute, of the prediction.")),
                            ("updated_at", Schema.said("When.", format: "date-time")),
                        ]), "The venue traded at last first.")
            ),
            ("next", Schema.nullable(Schema.said("Always null."))),
        ])

    static let execution: JSONValue = Schema.object(
        "Orders, books and shortfall.", required: ["plan_id", "state", "orders", "cash", "shortfall"],
        [
            ("plan_id", Schema.said("The plan.")), ("state", Schema.said("Where it stands.")),
            ("venue", Schema.said("Where it was traded.")),
            ("orders", Schema.list(of: anything, "As the venue has them.")),
            ("unfilled", Schema.list(of: anything, "What was not traded, and why.")),
            ("cash", saidDecimal), ("positions", anything), ("shortfall", anything),
            ("realised", anything),
            ("differences", Schema.list(of: Schema.said("A sentence."), "Between the books and the venue.")),
        ])

    static let gains: JSONValue = Schema.object(
        "Booked results of a year.",
        required: ["portfolio_id", "year", "short", "long", "carry_short", "carry_long", "items"],
        [
            ("portfolio_id", Schema.said("The portfolio.")), ("year", Schema.integer("Of the sales.")),
            ("short", saidDecimal), ("long", saidDecimal), ("carry_short", saidDecimal), ("carry_long", saidDecimal),
            ("items", Schema.list(of: anything, "Sales by fill and lot, with their wash sales.")),
            ("next", Schema.nullable(Schema.said("Always null."))),
        ])

    static let decision: JSONValue = Schema.object(
        "What became of the plan.", required: ["plan_id", "plan_hash", "state"],
        [
            ("plan_id", Schema.said("The plan.")), ("plan_hash", Schema.said("SHA-256.")),
            ("state", Schema.said("Where it stands.")),
            ("confirmed_by", Schema.said("Who.")), ("confirmed_at", Schema.said("When.", format: "date-time")),
        ])
}
