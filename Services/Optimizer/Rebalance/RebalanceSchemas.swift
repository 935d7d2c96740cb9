import WireFormat

/// What the OpenAPI document says of reallocation. Words and ranges are those of the decoders in WireFormat.
enum RebalanceSchemas {
    private static let decimal = Schema.any(
        of: [
            Schema.text("A decimal.", pattern: "^-?[0-9]{1,20}([.][0-9]{1,18})?$"),
            Schema.number("At most fifteen digits."),
        ], "Money, shares or a rate.")
    private static let amount = Schema.any(
        of: [
            Schema.text("A decimal that is not negative.", pattern: "^[0-9]{1,9}([.][0-9]{1,9})?$"),
            Schema.number("At most fifteen digits.", Interval(lower: 0, upper: 1e9)),
        ], "Money, shares or a rate that is not negative.")
    private static let share = Schema.any(
        of: [
            Schema.text("A decimal from 0 to 1.", pattern: "^(0([.][0-9]{1,18})?|1)$"), Schema.number("0 to 1.", .unit),
        ], "A fraction of one.")
    private static let saidDecimal = Schema.said("A decimal.")
    private static let names = Schema.list(of: Schema.text("A name."), "Names.")

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
        ("BookedGains", gains),
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

    private static func request(isInline: Bool) -> JSONValue {
        let lot = Schema.closed(
            "Shares bought together.", required: ["id", "acquired", "quantity", "basis_per_share"],
            [
                ("id", Schema.text("A name.", length: 0...64)), ("acquired", RequestSchemas.date), ("quantity", amount),
                ("basis_per_share", amount),
            ])
        let holding = Schema.closed(
            "A position: lots, or a quantity.", required: ["asset"],
            [
                ("asset", Schema.text("A symbol.", length: 0...64)), ("quantity", amount),
                ("lots", Schema.list(of: lot, "Its lots.", count: 0...1000)),
            ])
        let quote = Schema.any(
            of: [
                Schema.closed(
                    "A quote.", required: ["price"],
                    [
                        ("price", amount), ("half_spread", amount), ("adv", amount),
                        ("volatility", Schema.number("Annual.", Interval(lower: 0, upper: 100))),
                    ]), amount,
            ], "A price, or a quote.")
        var members: [(String, JSONValue)] = [("as_of", RequestSchemas.date)]
        if isInline {
            members += [
                ("currency", Schema.text("Three letters.", pattern: "^[A-Z]{3}$")), ("cash", decimal),
                ("holdings", Schema.list(of: holding, "Positions.", count: 0...RebalanceRequest.mostAssets)),
            ]
        }
        members += [
            ("target", Schema.map(of: share, "Weights by asset, CASH among them; they add up to one.")),
            ("prices", Schema.map(of: quote, "By asset.")),
            (
                "covariance",
                Schema.closed(
                    "Annual covariances, row by row.", required: ["assets", "values"],
                    [
                        (
                            "assets",
                            Schema.list(
                                of: Schema.text("A symbol."), "Names of rows and columns.",
                                count: 1...RebalanceRequest.mostAssets, unique: true)
                        ),
                        ("values", Schema.list(of: Schema.list(of: Schema.number("A covariance."), "A row."), "Rows.")),
                    ])
            ),
            (
                "expected_returns",
                Schema.map(of: Schema.number("Annual, beyond cash.", Interval(lower: -10, upper: 10)), "By asset.")
            ),
            ("settings", Schema.reference("RebalanceSettings")),
            ("store", Schema.flag("Whether the plan is kept.", standard: true)),
        ]
        return Schema.closed(
            isInline ? "Everything inline." : "What is not given comes from the portfolio.",
            required: isInline ? ["as_of", "holdings", "target", "prices"] : [], members)
    }

    private static let settings: JSONValue = Schema.closed(
        "How the plan is made; docs/rebalance.md explains each member.",
        [
            (
                "thresholds",
                Schema.closed(
                    "Rules; each fires strictly above its value.",
                    [
                        ("half_l1", share), ("max_absolute", share), ("max_relative", amount),
                        ("tracking_error", Schema.number("Annual.", .nonnegative)),
                        ("calendar_days", Schema.integer("Days.", 1...36_500)), ("cash_flow", share),
                        ("cooldown_days", Schema.integer("Days.", 0...36_500)),
                        ("last_rebalanced", RequestSchemas.date),
                        ("target_changed", Schema.flag("Whether the target is new.")),
                        ("no_trade_region", Schema.flag("Fires where a first step of some trade pays its cost.")),
                    ])
            ),
            (
                "harvest",
                Schema.closed(
                    "Look for losses worth taking.",
                    [
                        ("floor", amount), ("discount_rate", Schema.number("Annual.", Interval(lower: 0, upper: 1))),
                        ("deferral_years", Schema.number("Years.", Interval(lower: 0, upper: 100))),
                        ("days", Schema.integer("For which the substitute is held.", 1...366)),
                        ("identical", Schema.list(of: names, "Sets that the law takes for the same.", count: 0...1000)),
                        ("substitutes", names),
                    ])
            ),
            (
                "look_ahead",
                Schema.closed(
                    "Plan several periods and make the first.",
                    [
                        ("periods", Schema.integer("Of the horizon.", 1...24)),
                        (
                            "forecasts",
                            Schema.list(
                                of: Schema.map(
                                    of: Schema.number("Annual, beyond cash.", Interval(lower: -10, upper: 10)),
                                    "By asset."), "A period after the other.",
                                count: 0...24)
                        ),
                    ])
            ),
            ("risk_aversion", Schema.number("lambda.", Interval(lower: 0, upper: 1e6, lowerOpen: true), standard: 4)),
            ("horizon_years", Schema.number("Years.", Interval(lower: 0, upper: 100, lowerOpen: true), standard: 1)),
            (
                "costs",
                Schema.closed(
                    "What trading costs.",
                    [
                        (
                            "commission",
                            Schema.closed(
                                "A schedule.",
                                [
                                    ("per_order", amount), ("per_share", amount), ("rate", share), ("minimum", amount),
                                    ("maximum_rate", share),
                                ])
                        ),
                        (
                            "sale_fees",
                            Schema.closed(
                                "Of sales.", [("rate", share), ("per_share", amount), ("per_share_cap", amount)])
                        ),
                        ("impact_coefficient", Schema.number("Y.", Interval(lower: 0, upper: 1000), standard: 1)),
                        ("ticket", amount),
                    ])
            ),
            (
                "tax",
                Schema.closed(
                    "A model, not advice.",
                    [
                        (
                            "mode",
                            Schema.oneOf(RebalanceSettings.taxModes, "How gains are taxed.", standard: "netted_year")
                        ),
                        ("regime", Schema.oneOf(RebalanceSettings.taxRegimes, "Whose law.", standard: "us")),
                        ("rate_short", share), ("rate_long", share), ("rate_ordinary", share), ("ordinary_cap", amount),
                        ("realised_short", decimal), ("realised_long", decimal), ("carry_short", amount),
                        ("carry_long", amount),
                        ("carry_value_short", share), ("carry_value_long", share),
                        ("lot_method", Schema.oneOf(RebalanceSettings.lotMethods, "Which lots are sold.")),
                        ("wash_sale", Schema.flag("Whether the window applies.")),
                        (
                            "recent_loss_sales",
                            Schema.list(
                                of: Schema.closed(
                                    "A sale at a loss.", required: ["asset", "date"],
                                    [("asset", Schema.text("A symbol.")), ("date", RequestSchemas.date)]),
                                "Before this plan.")
                        ),
                    ])
            ),
            (
                "constraints",
                Schema.closed(
                    "Limits.",
                    [
                        ("lot_size", amount), ("min_trade", amount),
                        ("max_trades", Schema.integer("Most trades.", 0...100_000)),
                        ("cash_floor", amount), ("cash_floor_weight", share), ("participation", share),
                        ("participation_days", amount), ("turnover", amount), ("tax_budget", decimal),
                        ("locked_lots", names),
                        ("restricted", names), ("no_buy", names), ("no_sell", names),
                        ("lower_bound", Schema.any(of: [share, Schema.map(of: share, "By asset.")], "Least weight.")),
                        ("upper_bound", Schema.any(of: [share, Schema.map(of: share, "By asset.")], "Most weight.")),
                        ("groups", Schema.map(of: names, "Members by group.")),
                        (
                            "group_constraints",
                            Schema.map(of: Schema.closed("Limits.", [("min", share), ("max", share)]), "By group.")
                        ),
                        ("min_holding_days", Schema.integer("Days.", 0...36_500)),
                    ])
            ),
            (
                "cost_gate",
                Schema.closed(
                    "When costs are acceptable.",
                    [("max_cost_bps", amount), ("max_cost", amount), ("benefit_fraction", amount)])
            ),
            ("relax", Schema.flag("Whether limits that contradict each other give, by rank.", standard: true)),
            ("alternatives", Schema.flag("Whether plans with fewer trades are shown.")),
            ("expires_seconds", Schema.integer("How long the plan can be confirmed.", 1...86_400, standard: 900)),
            ("price_tolerance", share),
        ])

    private static let anything: JSONValue = ["type": "object"]
    private static let plan: JSONValue = Schema.object(
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
            ("target", anything), ("tracking_error", anything), ("costs", anything), ("tax", anything),
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

    private static let execution: JSONValue = Schema.object(
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

    private static let gains: JSONValue = Schema.object(
        "Booked results of a year.",
        required: ["portfolio_id", "year", "short", "long", "carry_short", "carry_long", "items"],
        [
            ("portfolio_id", Schema.said("The portfolio.")), ("year", Schema.integer("Of the sales.")),
            ("short", saidDecimal), ("long", saidDecimal), ("carry_short", saidDecimal), ("carry_long", saidDecimal),
            ("items", Schema.list(of: anything, "Sales by fill and lot, with their wash sales.")),
            ("next", Schema.nullable(Schema.said("Always null."))),
        ])

    private static let decision: JSONValue = Schema.object(
        "What became of the plan.", required: ["plan_id", "plan_hash", "state"],
        [
            ("plan_id", Schema.said("The plan.")), ("plan_hash", Schema.said("SHA-256.")),
            ("state", Schema.said("Where it stands.")),
            ("confirmed_by", Schema.said("Who.")), ("confirmed_at", Schema.said("When.", format: "date-time")),
        ])

    private static let body = ["400", "408", "413", "415"]

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

    /// A request that carries everything.
    static let example: JSONValue = [
        "as_of": "2026-11-20", "currency": "USD", "cash": "12500.00",
        "holdings": [
            [
                "asset": "AAPL",
                "lots": [["id": "L1", "acquired": "2024-03-01", "quantity": "120", "basis_per_share": "172.40"]],
            ]
        ],
        "target": ["AAPL": 0.30, "MSFT": 0.45, "CASH": 0.25],
        "prices": [
            "AAPL": ["price": "230.10", "half_spread": "0.01", "adv": "52000000", "volatility": 0.28],
            "MSFT": ["price": "480.50", "half_spread": "0.02", "adv": "21000000", "volatility": 0.26],
        ],
        "covariance": ["assets": ["AAPL", "MSFT"], "values": [[0.08, 0.04], [0.04, 0.07]]],
        "settings": [
            "thresholds": ["half_l1": "0.03"], "risk_aversion": 4,
            "costs": ["commission": ["per_share": "0.005", "minimum": "1.00", "maximum_rate": "0.01"]],
            "tax": ["mode": "netted_year", "rate_short": "0.37", "rate_long": "0.20", "ordinary_cap": "3000"],
            "constraints": ["min_trade": "100", "cash_floor": "500", "participation": 0.1],
            "cost_gate": ["benefit_fraction": 0.5],
        ],
    ]
}
