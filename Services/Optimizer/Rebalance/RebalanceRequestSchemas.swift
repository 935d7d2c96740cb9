import WireFormat

/// What the OpenAPI document says of the requests of reallocation.
extension RebalanceSchemas {
    static func request(isInline: Bool) -> JSONValue {
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

    private static let pool: JSONValue = Schema.closed(
        "A pool of an asset against the currency: reserves of both (constant product), or ranges of liquidity.",
        [
            ("fee", share),
            (
                "reserves",
                Schema.closed(
                    "Of a constant-product pool.", required: ["asset"], [("asset", amount), ("cash", amount)])
            ), ("price", amount),
            (
                "ranges",
                Schema.list(
                    of: Schema.closed(
                        "Liquidity between two prices.", required: ["liquidity"],
                        [("lower", amount), ("upper", amount), ("liquidity", amount)]),
                    "Of a pool with concentrated liquidity.", count: 1...RebalanceSettings.mostRanges)
            ),
        ])

    private static let network: JSONValue = Schema.closed(
        "What the Solana network takes for a trade's transaction.",
        [
            ("signatures", Schema.integer("5,000 lamports each.", 1...64, standard: 1)),
            ("compute_units", Schema.integer("Limit of the transaction.", 0...1_400_000, standard: 0)),
            (
                "micro_lamports_per_unit",
                Schema.integer("Price of a compute unit.", 0...1_000_000_000_000, standard: 0)
            ),
            ("tip", Schema.integer("Lamports.", 0...1_000_000_000_000, standard: 0)), ("sol_price", amount),
        ])

    static let settings: JSONValue = Schema.closed(
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
            (
                "schedule",
                Schema.closed(
                    "Spread each trade over time, after Almgren and Chriss.",
                    [
                        (
                            "days",
                            Schema.number("Days.", Interval(lower: 0, upper: 60, lowerOpen: true), standard: 1)
                        ),
                        ("intervals", Schema.integer("Equal parts of them.", 1...500, standard: 8)),
                        (
                            "risk_aversion",
                            Schema.number("Per unit of currency.", Interval(lower: 0, upper: 1e6), standard: 1e-6)
                        ),
                        (
                            "temporary_volume",
                            Schema.number(
                                "Part of a day's volume that moves the price by a spread while it is traded.",
                                Interval(lower: 0, upper: 1000, lowerOpen: true), standard: 0.01)
                        ),
                        (
                            "permanent_volume",
                            Schema.number(
                                "Part of a day's volume that moves the price by a spread for good.",
                                Interval(lower: 0, upper: 1000, lowerOpen: true), standard: 0.1)
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
                        (
                            "pools",
                            Schema.map(
                                of: Schema.list(of: pool, "Pools of an asset.", count: 1...RebalanceSettings.mostPools),
                                "By asset: liquidity pools that say the impact.")
                        ),
                        ("network", network),
                        ("calibrate", Schema.flag("Whether what orders have taught is used.", standard: true)),
                        ("venue", Schema.text("Whose orders; of the one traded at last without.", length: 0...32)),
                        (
                            "calibration",
                            Schema.closed(
                                "Factors of half spread and impact, given here instead of learned.",
                                [
                                    ("venue", Schema.text("Whose.", length: 0...32)),
                                    ("orders", Schema.integer("Learned from.", 0...1_000_000_000)),
                                    ("spread_factor", amount), ("impact_factor", amount),
                                ])
                        ),
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
                        ("identical", Schema.list(of: names, "Sets that the law takes for the same.", count: 0...1000)),
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
