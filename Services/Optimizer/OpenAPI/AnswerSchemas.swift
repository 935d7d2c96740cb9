import WireFormat

/// Schemas of what the service answers. Closed, so that a member that is missing here fails the conformance check.
enum AnswerSchemas {
    static let figure: JSONValue = ["type": ["number", "null"]]
    static let figures = Schema.map(of: figure, "Figures by name; null where undefined.")
    private static let time = Schema.said("An instant in UTC.", format: "date-time")
    private static let hash = Schema.text("SHA-256 in hexadecimal.", pattern: "^[0-9a-f]{64}$")
    private static let portfolioID = Schema.text("The portfolio.", pattern: "^[0-9A-Za-z_-]{4,64}$")
    private static let next: JSONValue = [
        "type": ["string", "null"], "description": "Path of the next page; null on the last.",
    ]

    static let all: [(String, JSONValue)] = [
        ("OptimizeAnswer", answer(extra: [], meta: callMeta, id: Schema.nullable(portfolioID))),
        ("StoredAnswer", answer(extra: stored, meta: storedMeta, id: portfolioID)),
        ("PastAnswer", answer(extra: [("revision", revision)], meta: storedMeta, id: portfolioID)),
        ("PortfolioPage", page(of: summary)),
        ("HistoryPage", page(of: Schema.reference("PastAnswer"))),
        (
            "RecalculationSettings",
            Schema.object("Settings.", required: ["enabled", "quiet_ms", "max_wait_ms"], settings)
        ),
        (
            "RecalculationState",
            Schema.object(
                "Settings and how the job stands.",
                required: ["enabled", "quiet_ms", "max_wait_ms", "state", "problem"],
                settings + [
                    ("state", Schema.oneOf(["idle", "pending", "running", "parked"], "How the job stands.")),
                    ("problem", ["type": ["string", "null"], "description": "Why the last run gave no result."]),
                ])
        ),
        ("Job", job),
        ("NewWebhook", newWebhook),
        ("WebhookPage", page(of: webhook)),
        ("StoredHoldings", holdings),
        ("MarketDataPage", page(of: marketDataRow)),
        ("PushAnswer", push),
        ("Problem", problem),
    ]

    private static let job = Schema.object(
        "How a job stands.",
        required: [
            "job_id", "state", "progress", "phase", "eta_s", "iteration", "gap", "parts_done", "parts", "result",
            "problem", "created_at", "started_at",
            "finished_at", "trace_id",
        ],
        [
            ("job_id", Schema.text("The job.", pattern: "^[0-9a-z]{14}$")),
            ("state", Schema.oneOf(["queued", "running", "done", "failed", "cancelled"], "How it stands.")),
            ("progress", Schema.number("How much is done.", Interval(lower: 0, upper: 1))),
            (
                "phase",
                Schema.oneOf(
                    ["queued", "loading", "solving", "storing", "done", "failed", "cancelled"], "What it is at.")
            ),
            ("eta_s", Schema.nullable(Schema.number("Seconds that are probably left.", .nonnegative))),
            (
                "iteration",
                Schema.nullable(Schema.integer("Iterations of all its solves so far; null before the first."))
            ),
            (
                "gap",
                Schema.nullable(
                    Schema.number(
                        "Relative distance of the best answer found from what is proven possible: of a search for the assets to hold while one goes on, else of the last solve. Null where nothing is known yet.",
                        .nonnegative))
            ),
            ("parts_done", Schema.nullable(Schema.integer("How many of `parts` are done."))),
            (
                "parts",
                Schema.nullable(
                    Schema.integer(
                        "Equal parts of the work: fits of a backtest, points of a frontier, resamples; null where it has none."
                    ))
            ),
            (
                "result",
                Schema.any(
                    of: [Schema.reference("OptimizeAnswer"), Schema.reference("BacktestAnswer"), ["type": "null"]],
                    "The answer of the call that became the job; null until it is done.")
            ),
            ("problem", Schema.nullable(Schema.reference("Problem"))),
            ("created_at", time), ("started_at", Schema.nullable(time)), ("finished_at", Schema.nullable(time)),
            ("trace_id", Schema.nullable(Schema.said("The trace of the request that became the job."))),
        ])

    private static let webhookMembers: [(String, JSONValue)] = [
        ("webhook_id", Schema.text("The webhook.", pattern: "^[0-9a-z]{14}$")), ("url", Schema.said("Where it posts.")),
        ("events", Schema.list(of: Schema.said("An event."), "What it tells of.")),
    ]
    private static let newWebhook = Schema.object(
        "A webhook with its secret.", required: ["webhook_id", "url", "events", "secret"],
        webhookMembers + [("secret", Schema.said("Signs deliveries; not shown again."))])
    private static let webhook = Schema.object(
        "A webhook.", required: ["webhook_id", "url", "events", "created_at", "deliveries", "last_error"],
        webhookMembers + [
            ("created_at", time),
            (
                "deliveries",
                Schema.object(
                    "Of the last seven days.", required: ["pending", "sent", "failed"],
                    [
                        ("pending", Schema.integer("Waiting, or to be tried again.")),
                        ("sent", Schema.integer("Taken.")),
                        ("failed", Schema.integer("Given up.")),
                    ])
            ),
            (
                "last_error",
                ["type": ["string", "null"], "description": "What an attempt that was not taken came to."]
            ),
        ])

    private static let revision = Schema.integer("Counts the portfolio's results from 1.", 1...Int.max)

    private static func page(of item: JSONValue) -> JSONValue {
        Schema.object(
            "A page.", required: ["items", "next"], [("items", Schema.list(of: item, "Items.")), ("next", next)])
    }

    private static func answer(extra: [(String, JSONValue)], meta: JSONValue, id: JSONValue) -> JSONValue {
        let members: [(String, JSONValue)] =
            [
                ("portfolio_id", id), ("timestamp", time),
                ("weights", Schema.map(of: ["type": "number"], "One entry an asset, adding up to the budget.")),
                ("metrics", figures),
                ("efficient_frontier", Schema.list(of: frontierPoint, "Ascending in risk, annual.")),
                ("solution", solution), ("risk", figures),
                ("risk_contributions", Schema.map(of: figure, "By asset, adding up to the risk.")),
                ("data", data), ("warnings", Schema.list(of: warning, "What the caller should know.")), ("meta", meta),
            ] + extra
        let bands = Schema.map(
            of: Schema.object(
                "Of one weight.", required: ["low", "median", "high"],
                [("low", ["type": "number"]), ("median", ["type": "number"]), ("high", ["type": "number"])]),
            "Of Resampled: by asset, quantiles of the samples' weights.")
        let ofModel = Schema.map(
            of: figure,
            "Per period, of models that have some: worst_return and worst_risk of WorstCase, the moments of MVSK, the factors' contributions of FactorRiskParity."
        )
        return Schema.object(
            "The answer of an optimisation.", required: members.map { $0.0 },
            members + [("model_figures", ofModel), ("weight_bands", bands)])
    }

    private static let stored: [(String, JSONValue)] = [
        ("name", Schema.said("The label.")), ("revision", revision),
        ("recalculation", Schema.reference("RecalculationSettings")), ("request", Schema.reference("OptimizeRequest")),
    ]

    private static let frontierPoint = Schema.object(
        "A point.", required: ["risk", "return"],
        [
            ("risk", ["type": "number"]), ("return", ["type": "number"]),
            ("weights", Schema.map(of: ["type": "number"], "By asset.")),
        ])

    private static let solution = Schema.object(
        "What the solver found, per period.",
        required: [
            "status", "objective_value", "expected_return", "risk", "primal_residual", "dual_residual", "duality_gap",
            "iterations", "method", "binding",
        ],
        [
            ("status", Schema.said("optimal")), ("objective_value", figure), ("expected_return", figure),
            ("risk", figure),
            ("primal_residual", figure), ("dual_residual", figure), ("duality_gap", figure),
            ("iterations", Schema.integer("Of the interior-point method.", 0...100_000)),
            ("method", Schema.said("The method.")),
            (
                "binding",
                Schema.list(
                    of: Schema.object(
                        "A constraint at its limit.", required: ["constraint", "dual"],
                        [("constraint", Schema.said("Its name.")), ("dual", figure)]), "Binding constraints.")
            ),
        ])

    static let data = Schema.object(
        "The data that was used.",
        required: ["start", "end", "observations", "assets", "revision", "fingerprint", "missing"],
        [
            ("start", RequestSchemas.date), ("end", RequestSchemas.date),
            ("observations", Schema.integer("Returns.", 0...Int.max)),
            ("assets", Schema.integer("Assets.", 0...Int.max)), ("revision", ["type": ["integer", "null"]]),
            ("fingerprint", hash),
            (
                "missing",
                Schema.object(
                    "What was done about missing figures.", required: ["policy", "dropped_dates", "by_asset"],
                    [
                        ("policy", Schema.oneOf(MissingPolicy.allCases.map { $0.rawValue }, "The policy.")),
                        ("dropped_dates", Schema.integer("Days left out.", 0...Int.max)),
                        ("by_asset", Schema.map(of: ["type": "integer"], "Missing figures by asset.")),
                        (
                            "filled_by_asset",
                            Schema.map(of: ["type": "integer"], "Figures carried over a gap by asset, of forward_fill.")
                        ),
                    ])
            ),
        ])

    static let warning = Schema.object(
        "A warning.", required: ["code", "pointer", "detail"],
        [
            ("code", Schema.said("A stable word.")), ("pointer", Schema.said("The member.")),
            ("detail", Schema.said("For people.")),
        ])

    private static let storedMetaMembers: [(String, JSONValue)] = [
        ("version", Schema.said("Release.")), ("engine", Schema.said("Release and method.")), ("solve_ms", figure),
        ("periods_per_year", figure), ("convention", Schema.said("Definitions.")),
    ]
    private static let storedMeta = Schema.object(
        "How it was found.", required: storedMetaMembers.map { $0.0 }, storedMetaMembers)
    static let callMeta: JSONValue = {
        let members =
            storedMetaMembers + [
                ("total_ms", figure), ("cached", Schema.flag("Whether an earlier call had found it.")),
                ("request_id", Schema.nullable(Schema.said("X-Request-ID."))),
            ]
        return Schema.object("The call.", required: members.map { $0.0 }, members)
    }()

    private static let settings: [(String, JSONValue)] = [
        ("enabled", Schema.flag("Whether it is at all.")), ("quiet_ms", Schema.integer("Quiet time.", 0...3_600_000)),
        ("max_wait_ms", Schema.integer("Longest wait.", 0...86_400_000)),
    ]

    private static let summary = Schema.object(
        "A portfolio.",
        required: [
            "portfolio_id", "name", "assets", "model", "risk_measure", "objective", "recalculation", "created_at",
            "updated_at",
        ],
        [
            ("portfolio_id", portfolioID), ("name", Schema.said("The label.")),
            ("assets", Schema.list(of: ["type": "string"], "Symbols.")), ("model", ["type": ["string", "null"]]),
            ("risk_measure", ["type": ["string", "null"]]), ("objective", ["type": ["string", "null"]]),
            ("recalculation", Schema.reference("RecalculationSettings")), ("created_at", time), ("updated_at", time),
        ])

    private static let decimalText = Schema.text("A decimal.", pattern: "^-?[0-9]+([.][0-9]+)?$")

    private static let holdings = Schema.object(
        "What the portfolio holds, decimals as texts.", required: ["currency", "cash", "holdings"],
        [
            ("currency", Schema.text("ISO 4217.", pattern: "^[A-Z]{3}$")), ("cash", decimalText),
            (
                "holdings",
                Schema.list(
                    of: Schema.object(
                        "A position.", required: ["asset", "quantity", "lots"],
                        [
                            ("asset", RequestSchemas.symbol), ("quantity", decimalText),
                            (
                                "lots",
                                Schema.list(
                                    of: Schema.object(
                                        "A lot.", required: ["id", "acquired", "quantity", "basis_per_share"],
                                        [
                                            ("id", Schema.said("Its id.")), ("acquired", RequestSchemas.date),
                                            ("quantity", decimalText), ("basis_per_share", decimalText),
                                        ]), "Lots.")
                            ),
                        ]), "Positions.")
            ),
        ])

    private static let marketDataRow = Schema.object(
        "A bar.",
        required: ["asset_symbol", "timestamp", "price", "volume", "return", "created_at", "interval", "source"],
        [
            ("asset_symbol", RequestSchemas.symbol), ("timestamp", time), ("price", ["type": "number"]),
            ("volume", figure),
            ("return", figure), ("created_at", Schema.nullable(time)), ("interval", Schema.said("The bar's length.")),
            ("source", Schema.said("Where it is from.")),
        ])

    private static let push = Schema.object(
        "What the batch did.", required: ["inserted", "updated", "unchanged", "quarantined"],
        [
            ("inserted", Schema.integer("New rows.", 0...Int.max)),
            ("updated", Schema.integer("Changed rows.", 0...Int.max)),
            ("unchanged", Schema.integer("Rows that were there.", 0...Int.max)),
            (
                "quarantined",
                Schema.list(
                    of: Schema.object(
                        "A row that was set aside.", required: ["line", "rule", "detail"],
                        [
                            ("line", Schema.integer("From 1.", 1...Int.max)),
                            ("rule", Schema.said("The rule it broke.")),
                            ("detail", Schema.said("For people.")),
                        ]), "Rows that were not stored.")
            ),
        ])

    private static let problem: JSONValue = {
        var schema = Schema.object(
            "RFC 9457 problem details.", required: ["type", "title", "status", "detail", "code", "class", "retryable"],
            [
                ("type", Schema.said("A URN of the code.")), ("title", Schema.said("The same for every occurrence.")),
                ("status", Schema.integer("The HTTP status.", 400...599)), ("detail", Schema.said("This occurrence.")),
                ("instance", Schema.said("The request.")),
                ("code", Schema.oneOf(ProblemCode.allCases.map { $0.rawValue }, "A stable code.")),
                (
                    "class",
                    Schema.oneOf(Problem.Class.allCases.map { $0.rawValue }, "The specification's classes and ours.")
                ),
                ("retryable", Schema.flag("Whether the same request may succeed later.")),
                ("request_id", Schema.said("X-Request-ID.")),
                (
                    "errors",
                    Schema.list(
                        of: Schema.object(
                            "A fault.", required: ["pointer", "code", "detail"],
                            [
                                ("pointer", Schema.said("JSON pointer.")), ("code", Schema.said("A stable word.")),
                                ("detail", Schema.said("For people.")), ("limit", Schema.nullable(["type": "number"])),
                                ("value", Schema.nullable(["type": "number"])),
                            ]), "Every fault, at most \(Problem.mostErrors).")
                ),
                ("conflict", Schema.list(of: ["type": "string"], "Constraints that cannot all hold.")),
                (
                    "relaxation",
                    Schema.list(
                        of: Schema.object(
                            "A change that helps.", required: ["constraint", "from", "to"],
                            [("constraint", Schema.said("Its name.")), ("from", figure), ("to", figure)]),
                        "The smallest relaxation.")
                ),
                ("retry_after_s", Schema.integer("Seconds.", 0...86_400)),
                ("unknown", Schema.list(of: ["type": "string"], "Names nobody knows.")),
                (
                    "suggestions",
                    Schema.map(of: Schema.list(of: ["type": "string"], "Known names."), "By unknown name.")
                ),
            ])
        if var object = schema.objectValue {
            // A problem may gain members of its own.
            object["additionalProperties"] = true
            schema = .object(object)
        }
        return schema
    }()
}
