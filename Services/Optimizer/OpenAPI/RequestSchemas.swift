import WireFormat

/// Schemas of what clients send. Ranges and words are those of the decoders in WireFormat.
enum RequestSchemas {
    static let symbol = Schema.text(
        "An asset's symbol, or a name it had in the window asked for.",
        pattern: "^[A-Za-z0-9][A-Za-z0-9._:/=^-]{0,31}$")
    static let date = Schema.text("A day.", pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", format: "date")
    static let weight = Schema.number("A weight.", Interval(lower: -1000, upper: 1000))
    static let weights = Schema.map(of: weight, "Numbers by asset.")

    static let all: [(String, JSONValue)] = [
        ("OptimizeRequest", optimize), ("Constraints", ConstraintSchemas.constraints),
        ("Panel", panel("Figures by asset.")),
        ("Recalculation", recalculation), ("Holdings", holdings), ("MarketDataRow", marketDataRow),
        ("Webhook", webhook),
    ]

    private static let webhook = Schema.closed(
        "Where to tell of what.", required: ["url"],
        [
            (
                "url",
                Schema.text(
                    "An https address at a host that the operator has listed.",
                    pattern: "^https://[^\\u0000-\\u0020]{1,1900}$")
            ),
            (
                "events",
                Schema.list(
                    of: Schema.oneOf(Webhook.Event.allCases.map { $0.rawValue }, "What is told."), "All where absent.",
                    count: 1...20)
            ),
        ])

    private static var optimize: JSONValue {
        withAssets(
            "What to optimise. `assets` is needed unless the request carries its own panel.",
            window + model + parameters + ModelSchemas.members + storage)
    }

    /// What a strategy is made of: the members of optimize that do not store anything.
    static let strategy = window + model + parameters + ModelSchemas.members

    /// A closed object that needs assets or a panel of its own.
    static func withAssets(_ description: String, _ members: [(String, JSONValue)]) -> JSONValue {
        var schema = Schema.closed(description, members)
        if var object = schema.objectValue {
            object["anyOf"] = [["required": ["assets"]], ["required": ["returns"]], ["required": ["prices"]]]
            schema = .object(object)
        }
        return schema
    }

    static let window: [(String, JSONValue)] = [
        (
            "assets",
            Schema.list(
                of: symbol, "The symbols, in the order of the answer.", count: 1...OptimizeRequest.mostAssets,
                unique: true)
        ),
        ("start_date", date),
        ("end_date", date),
        ("returns", Schema.reference("Panel")),
        ("prices", Schema.reference("Panel")),
        (
            "periods_per_year",
            Schema.number(
                "252 for weekdays, 365 for all days by default.", Interval(lower: 0, upper: 1e7, lowerOpen: true))
        ),
        ("calendar", Schema.oneOf(TradingCalendar.allCases.map { $0.rawValue }, "Days on which the assets trade.")),
        (
            "missing",
            Schema.oneOf(
                MissingPolicy.allCases.map { $0.rawValue }, "What happens to a day on which an asset has no price.")
        ),
    ]

    private static let model: [(String, JSONValue)] = [
        (
            "model",
            Schema.oneOf(
                ModelName.allCases.map { $0.rawValue }, "Portfolio model; the specification's long names are aliases.",
                standard: "Classic")
        ),
        (
            "risk_measure",
            Schema.oneOf(
                measures,
                "Risk measure that is optimised. VaR, DaR, VRG and the drawdowns of compounded value (_Rel), vol and equal serve HRP, HERC and HERC2 only.",
                standard: "MV")
        ),
        (
            "objective",
            Schema.oneOf(ObjectiveName.allCases.map { $0.rawValue }, "What to be best at.", standard: "Sharpe")
        ),
        ("risk_free_rate", Schema.number("Annual.", Interval(lower: -1000, upper: 1000), standard: 0)),
        ("risk_aversion", Schema.number("l of Utility: ret - l * risk.", Interval(lower: 0, upper: 1e9), standard: 2)),
        (
            "kelly",
            Schema.oneOf(
                KellyMode.allCases.map { $0.rawValue }, "Log growth in place of the mean return.", standard: "none")
        ),
        (
            "convention",
            Schema.oneOf(
                Convention.allCases.map { $0.rawValue }, "Whose definitions the figures follow.", standard: "riskfolio")
        ),
        ("constraints", Schema.reference("Constraints")),
        (
            "efficient_frontier",
            Schema.any(
                of: [
                    ["type": "boolean"], Schema.integer("Points.", 2...OptimizeRequest.mostPoints),
                    Schema.closed(
                        "Points of the frontier.",
                        [
                            ("points", Schema.integer("How many.", 2...OptimizeRequest.mostPoints)),
                            (
                                "by",
                                Schema.oneOf(FrontierAxis.allCases.map { $0.rawValue }, "The axis with even steps.")
                            ),
                            ("weights", Schema.flag("Whether each point carries its weights.")),
                            (
                                "turning_points",
                                Schema.flag(
                                    "Of mean-variance under linear constraints: the portfolios between which all others lie on straight lines, in place of a grid; without points and by."
                                )
                            ),
                        ]),
                ], "Whether to trace the efficient frontier, and how.")
        ),
    ]

    static let parameters: [(String, JSONValue)] = [
        ("alpha", Schema.number("Tail probability.", .openUnit, standard: 0.05)),
        ("beta", Schema.number("Tail probability of gains.", .openUnit)),
        ("a_sim", Schema.integer("Levels of tail Gini.", 2...10_000, standard: 100)),
        ("b_sim", Schema.integer("Levels of the gains' tail Gini.", 2...10_000)),
        (
            "kappa",
            Schema.number("Deformation of relativistic measures.", Interval(lower: 1e-4, upper: 0.9999), standard: 0.3)
        ),
        ("kappa_gain", Schema.number("Deformation for gains.", Interval(lower: 1e-4, upper: 0.9999))),
        ("power", Schema.number("p of EM and ESM.", Interval(lower: 1, upper: 50), standard: 2)),
        (
            "target",
            Schema.number(
                "Minimal acceptable return of FLPM and SLPM, per period; the rate in Sharpe and zero otherwise by default.",
                Interval(lower: -1000, upper: 1000))
        ),
    ]

    private static let storage: [(String, JSONValue)] = [
        ("name", Schema.text("A label.", length: 0...200)),
        ("portfolio_id", Schema.text("The stored portfolio to update.", pattern: "^[0-9A-Za-z_-]{4,64}$")),
        ("store", Schema.flag("False keeps nothing.", standard: true)),
        ("recalculation", Schema.reference("Recalculation")),
    ]

    static let measures =
        RiskMeasureCode.allCases.map { $0.rawValue } + OptimizeRequest.HierarchicalRisk.allCases.map { $0.rawValue }

    private static func panel(_ description: String) -> JSONValue {
        Schema.object(
            description, required: ["dates", "values"],
            [
                ("dates", Schema.list(of: date, "Ascending, none twice.", unique: true)),
                (
                    "values",
                    Schema.map(
                        of: Schema.list(of: ["type": ["number", "null"]], "A figure a date; null is missing."),
                        "By asset.",
                        names: ["pattern": "^[^\\u0000-\\u0020\\u007f]{1,64}$"], atLeast: 1)
                ),
            ])
    }

    private static let recalculation = Schema.closed(
        "When the portfolio is computed again after its data changed.",
        [
            ("enabled", Schema.flag("Whether it is at all.", standard: true)),
            (
                "quiet_ms",
                Schema.integer("Quiet time after the last change, at most `max_wait_ms`.", 0...3_600_000, standard: 250)
            ),
            ("max_wait_ms", Schema.integer("Longest wait after the first change.", 0...86_400_000, standard: 2000)),
        ])

    static func decimal(_ description: String) -> JSONValue {
        Schema.any(
            of: [Schema.text("A decimal.", pattern: DecimalText.pattern), ["type": "number"]], description)
    }

    private static let holdings = Schema.closed(
        "What the portfolio holds. Figures are decimals: texts, or numbers of at most 15 digits.",
        required: ["holdings"],
        [
            ("currency", Schema.text("ISO 4217.", pattern: "^[A-Z]{3}$")),
            ("cash", decimal("Money at hand.")),
            (
                "holdings",
                Schema.list(
                    of: Schema.closed(
                        "A position: a quantity, or lots that add up to it.", required: ["asset"],
                        [
                            ("asset", symbol), ("quantity", decimal("Shares held; negative is short.")),
                            (
                                "lots",
                                Schema.list(
                                    of: Schema.closed(
                                        "A tax lot.", required: ["id", "acquired", "quantity", "basis_per_share"],
                                        [
                                            (
                                                "id",
                                                Schema.text(
                                                    "Unique in the portfolio.", pattern: "^[A-Za-z0-9._:-]{1,64}$")
                                            ),
                                            ("acquired", date), ("quantity", decimal("Shares, above zero.")),
                                            ("basis_per_share", decimal("Cost of a share, zero or more.")),
                                        ]), "Tax lots.", count: 0...10_000)
                            ),
                        ]), "Positions, one an asset.", count: 0...5_000)
            ),
        ])

    private static let marketDataRow = Schema.closed(
        "One observation, the specification's members.", required: ["asset_symbol", "timestamp", "price"],
        [
            ("asset_symbol", symbol),
            ("timestamp", Schema.text("Start of the bar.", format: "date-time")),
            ("price", decimal("Above zero.")), ("volume", decimal("Zero or more.")),
            ("return", decimal("Simple return since the bar before; computed where absent.")),
            ("created_at", Schema.text("Ignored: the database's clock counts.", format: "date-time")),
            ("interval", Schema.text("The bar's length.", pattern: "^[1-9][0-9]{0,3}[smhdw]$")),
            ("source", Schema.oneOf(["push"], "Always push.")),
        ])
}
