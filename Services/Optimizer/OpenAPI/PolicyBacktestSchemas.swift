import WireFormat

/// What the OpenAPI document says of comparisons of rebalancing policies.
enum PolicyBacktestSchemas {
    private static let policy = Schema.closed(
        "A rule of when and how to go back to the target.", required: ["kind"],
        [
            ("kind", Schema.oneOf(PolicyBacktestRequest.Kind.allCases.map { $0.rawValue }, "Which rule.")),
            ("name", Schema.text("For the answer.", length: 0...64)),
            ("days", Schema.integer("Between two looks.", 1...3660, standard: 30)),
            ("half_l1", RebalanceSchemas.share),
        ])

    static let request: JSONValue = Schema.closed(
        "Rules of going back to a target, compared on one path of prices after costs and tax.",
        required: ["target", "policies"],
        [
            ("target", Schema.map(of: RebalanceSchemas.share, "Weights by asset; what they leave is cash.")),
            (
                "policies",
                Schema.list(of: policy, "What is compared.", count: 1...PolicyBacktestRequest.mostPolicies)
            ),
            ("cash", RebalanceSchemas.amount), ("start_date", RequestSchemas.date),
            ("end_date", RequestSchemas.date), ("half_spread", RebalanceSchemas.share),
            (
                "prices",
                Schema.closed(
                    "The path; stored prices without it.", required: ["dates", "values"],
                    [
                        (
                            "dates",
                            Schema.list(
                                of: RequestSchemas.date, "Ascending.", count: 2...PolicyBacktestRequest.mostDays)
                        ),
                        (
                            "values",
                            Schema.map(of: Schema.list(of: RebalanceSchemas.amount, "A price a day."), "By asset.")
                        ),
                    ])
            ),
            (
                "covariance",
                Schema.closed(
                    "Annual covariances, row by row; the path's own without.", required: ["assets", "values"],
                    [
                        ("assets", RebalanceSchemas.names),
                        ("values", Schema.list(of: Schema.list(of: Schema.number("A covariance."), "A row."), "Rows.")),
                    ])
            ),
            ("settings", Schema.reference("RebalanceSettings")),
        ])

    static let answer: JSONValue = Schema.object(
        "What each rule leaves.", required: ["method", "policies", "best"],
        [
            ("method", Schema.said("policies.")), ("cash", RebalanceSchemas.saidDecimal),
            ("start", Schema.said("First day.", format: "date")), ("end", Schema.said("Last day.", format: "date")),
            ("days", Schema.integer("Of the path.")), ("best", Schema.said("Most value after tax.")),
            (
                "policies",
                Schema.list(
                    of: Schema.object(
                        "A rule.",
                        required: ["name", "kind", "value", "value_after_tax", "costs", "taxes", "trades", "turnover"],
                        [
                            ("name", Schema.said("As given.")), ("kind", Schema.said("As given.")),
                            ("value", RebalanceSchemas.saidDecimal),
                            ("value_after_tax", RebalanceSchemas.saidDecimal),
                            ("return", Schema.nullable(Schema.number("A year."))),
                            (
                                "return_after_tax",
                                Schema.nullable(Schema.number("A year, all sold and taxed at the end."))
                            ),
                            ("costs", RebalanceSchemas.saidDecimal),
                            ("taxes", Schema.list(of: RebalanceSchemas.anything, "Paid on the way, by year.")),
                            ("trades", Schema.integer("How many.")), ("turnover", Schema.number("A year, one way.")),
                            ("tracking_error", Schema.number("Root mean square, annual.")),
                        ]), "In the order of the request.")
            ),
        ])

    static let example: JSONValue = [
        "target": ["AAPL": "0.6", "MSFT": "0.35"], "cash": "100000", "start_date": "2018-01-01",
        "policies": [
            ["kind": "never"], ["kind": "calendar", "days": 91], ["kind": "band", "half_l1": "0.05", "days": 7],
            ["name": "after tax", "kind": "optimised", "days": 30],
        ],
        "half_spread": "0.0005",
        "settings": [
            "risk_aversion": 10, "costs": ["commission": ["per_share": "0.005", "minimum": "1"]],
            "tax": ["rate_short": "0.37", "rate_long": "0.2"],
        ],
    ]
}
