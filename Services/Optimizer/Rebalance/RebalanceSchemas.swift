import WireFormat

/// What the OpenAPI document says of reallocation. Words and ranges are those of the decoders in WireFormat.
enum RebalanceSchemas {
    static let decimal = Schema.any(
        of: [
            Schema.text("A decimal.", pattern: "^-?[0-9]{1,20}([.][0-9]{1,18})?$"),
            Schema.number("At most fifteen digits."),
        ], "Money, shares or a rate.")
    static let amount = Schema.any(
        of: [
            Schema.text("A decimal that is not negative.", pattern: "^[0-9]{1,9}([.][0-9]{1,9})?$"),
            Schema.number("At most fifteen digits.", Interval(lower: 0, upper: 1e9)),
        ], "Money, shares or a rate that is not negative.")
    static let share = Schema.any(
        of: [
            Schema.text("A decimal from 0 to 1.", pattern: "^(0([.][0-9]{1,18})?|1)$"), Schema.number("0 to 1.", .unit),
        ], "A fraction of one.")
    static let saidDecimal = Schema.said("A decimal.")
    static let names = Schema.list(of: Schema.text("A name."), "Names.")

    static let all: [(String, JSONValue)] = [
        ("RebalanceRequest", request(isInline: true)), ("PortfolioRebalanceRequest", request(isInline: false)),
        ("RebalanceSettings", settings), ("ReallocationPlan", plan), ("PlanDecision", decision),
        ("ExecutionReport", execution),
        (
            "PlanConfirmation",
            Schema.closed(
                "Exactly this plan.", required: ["plan_hash"], [("plan_hash", Schema.text("As the plan says."))])
        ),
        (
            "PlanExecution",
            Schema.closed(
                "Where to trade.", required: ["venue"],
                [
                    ("venue", Schema.text("paper, or a venue of this installation: alpaca, jupiter.", length: 0...32)),
                    ("seed", Schema.integer("Of the paper broker.", 0...2_147_483_647)),
                    (
                        "paper",
                        Schema.closed(
                            "How the paper broker behaves; of other venues there is none.",
                            [
                                ("spread_factor", amount),
                                ("impact_factor", Schema.number("Of the plan's.", Interval(lower: 0, upper: 100))),
                                ("depth_noise", Schema.number("Of its books.", .unit, standard: 0.5)),
                                ("permanent_share", Schema.number("Of a price move.", .unit, standard: 0)),
                                ("partial_share", Schema.number("Of looks.", .unit, standard: 0.3)),
                                ("reject_share", Schema.number("Of orders.", .unit, standard: 0)),
                                ("latency", Schema.integer("Looks, at most.", 0...100, standard: 0)),
                                (
                                    "orders",
                                    Schema.oneOf(["market", "limit"], "Whether limits bind.", standard: "market")
                                ),
                            ])
                    ),
                    (
                        "limits",
                        Schema.closed(
                            "What the execution may do at most.",
                            [
                                ("order", amount), ("plan", amount), ("day", amount), ("collar", share),
                                ("attempts", Schema.integer("How often a leg is sent.", 1...20)),
                                ("reprice_step", share),
                                (
                                    "order_seconds",
                                    Schema.number("Then it is taken back.", Interval(lower: 0, upper: 86_400))
                                ),
                            ])
                    ),
                ])
        ),
        (
            "PlanCancellation",
            Schema.closed("Why.", [("reason", Schema.text("For the record.", length: 0...1000))])
        ),
        (
            "TradingHalt",
            Schema.closed(
                "The kill switch.", required: ["on"],
                [
                    ("on", Schema.flag("Whether nothing is traded.")),
                    ("reason", Schema.text("For the record.", length: 0...1000)),
                ])
        ),
        (
            "PlanPause",
            Schema.closed("Why.", [("reason", Schema.text("For the record.", length: 0...1000))])
        ),
        ("BookedGains", gains), ("TradingCosts", tradingCosts),
        (
            "TradingHaltState",
            Schema.object(
                "The kill switch.", required: ["on"],
                [
                    ("on", Schema.flag("Whether nothing is traded.")), ("reason", Schema.said("Why.")),
                    ("actor", Schema.said("Who.")), ("at", Schema.said("When.", format: "date-time")),
                ])
        ),
        ("PlanRejection", Schema.closed("Why not.", [("reason", Schema.text("For the record.", length: 0...1000))])),
        (
            "PlanEvents",
            Schema.object(
                "The plan's chain.", required: ["items", "next"],
                [
                    ("items", Schema.list(of: ["type": "object"], "Oldest first.")), ("next", ["type": "null"]),
                ])
        ),
    ]
}
