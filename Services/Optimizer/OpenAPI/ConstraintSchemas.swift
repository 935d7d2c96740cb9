import WireFormat

/// Schemas of `constraints`. Ranges and words are those of the decoder in WireFormat.
enum ConstraintSchemas {
    static let constraints = Schema.closed(
        "Limits of the weights. Levels of return and risk are per period unless `units` says annual.",
        [
            ("lower_bound", bound), ("upper_bound", bound),
            (
                "groups",
                Schema.map(
                    of: Schema.list(
                        of: ["type": "string", "maxLength": 256, "pattern": .string(Schema.storable)], "Symbols.",
                        unique: true), "Named sets of assets; those not among the assets are left out.",
                    names: ["minLength": 1, "maxLength": 64, "pattern": .string(Schema.storable)])
            ),
            (
                "group_constraints",
                Schema.map(
                    of: Schema.closed(
                        "Limits of a group's total.", [("min", RequestSchemas.weight), ("max", RequestSchemas.weight)]),
                    "By group of `groups`.")
            ),
            (
                "linear",
                Schema.list(
                    of: Schema.any(
                        of: [
                            Schema.text("As text: AAPL + MSFT <= 0.4.", length: 1...4096),
                            Schema.closed(
                                "min <= sum of coefficients x weights <= max.", required: ["coefficients"],
                                [
                                    ("name", Schema.text("A name.", length: 0...256)),
                                    ("coefficients", Schema.map(of: ["type": "number"], "By asset or group.")),
                                    ("min", Schema.number("At least.")), ("max", Schema.number("At most.")),
                                ]),
                        ], "A linear constraint."), "Linear constraints.")
            ),
            (
                "budget",
                Schema.any(
                    of: [
                        RequestSchemas.weight,
                        Schema.closed(
                            "A range leaves cash.", required: ["min", "max"],
                            [("min", RequestSchemas.weight), ("max", RequestSchemas.weight)]),
                    ], "Sum of the RequestSchemas.weights, 1 by default.")
            ),
            ("short", Schema.number("Most that all shorts add up to.", .nonnegative)),
            ("gross", Schema.number("Most of the sum of absolute weights.", .nonnegative)),
            (
                "turnover",
                Schema.closed(
                    "Limits of the change from given weights; at least one of `per_asset` and `total`.",
                    required: ["from"],
                    [
                        ("from", RequestSchemas.weights), ("per_asset", Schema.number("Of one asset.", .nonnegative)),
                        ("total", Schema.number("Sum of absolute changes.", .nonnegative)),
                    ])
            ),
            ("benchmark", RequestSchemas.weights),
            ("benchmark_returns", benchmarkReturns),
            (
                "tracking_error",
                Schema.number(
                    "Most of sqrt(sum (x - b)^2 / (T - 1)), not centred; needs a benchmark.", .nonnegative)
            ),
            ("min_return", Schema.number("Least expected return.")),
            (
                "max_risk",
                Schema.map(
                    of: ["type": "number", "minimum": 0], "Most of any number of measures; MV's is the deviation.",
                    names: ["enum": JSONValue(RiskMeasureCode.optimisable.map { $0.rawValue })])
            ),
            ("cardinality", cardinality),
            (
                "min_position",
                Schema.number(
                    "Each weight is zero or at least this.", Interval(lower: 0, upper: 1000, lowerOpen: true))
            ),
            ("mutually_exclusive", pairs("Pairs of assets or groups that exclude each other.")),
            ("join", pairs("Pairs of assets or groups: holding the first needs holding the second.")),
            ("effective_assets", Schema.number("Least 1 / sum of squared weights.", .positive)),
            (
                "centrality",
                Schema.closed(
                    "Limits of the average centrality, sum of centrality x weight, in a network of the assets.",
                    [
                        (
                            "measure",
                            Schema.oneOf(
                                CentralityMeasure.allCases.map { $0.rawValue }, "Of a vertex.", standard: "Degree")
                        ),
                        graph, codependence,
                        ("min", Schema.number("Least.", Interval(lower: -1e9, upper: 1e9))),
                        ("max", Schema.number("Most.", Interval(lower: -1e9, upper: 1e9))),
                    ] + ModelSchemas.codependenceParameters)
            ),
            (
                "network",
                Schema.closed(
                    "Of an asset and its neighbours in a network of the assets at most `max` are held.",
                    [
                        graph, codependence,
                        (
                            "walk_size",
                            Schema.integer(
                                "Edges to the farthest neighbour.", 1...OptimizeRequest.mostAssets, standard: 1)
                        ),
                        ("max", Schema.integer("Most.", 1...OptimizeRequest.mostAssets, standard: 1)),
                    ] + ModelSchemas.codependenceParameters)
            ),
            (
                "clusters",
                Schema.closed(
                    "Of the assets of a cluster at most `max` are held.",
                    [
                        ("clustering", ModelSchemas.clustering(ofModel: false)),
                        ("max", Schema.integer("Most.", 1...OptimizeRequest.mostAssets, standard: 1)),
                    ])
            ),
            (
                "factor_exposure",
                limits("By factor of `factors`: sum of loadings x weights.", Interval(lower: -1e6, upper: 1e6))
            ),
            (
                "risk_contribution",
                limits("By asset or group: share of the variance.", Interval(lower: -1000, upper: 1000))
            ),
            ("costs", costs),
            (
                "soft",
                Schema.map(
                    of: ["type": "number", "exclusiveMinimum": 0],
                    "Constraints, as answers name them, that may be broken at this price a unit.")
            ),
            ("units", Schema.oneOf(["annual", "period"], "Of levels of return and risk.", standard: "period")),
        ])

    private static let graph = (
        "graph",
        Schema.oneOf(
            NetworkGraph.allCases.map { $0.rawValue }, "What the network is filtered to.", standard: "MST")
    )

    private static let codependence = (
        "codependence",
        Schema.oneOf(
            CentralityRequest.Codependence.allCases.map { $0.rawValue }, "Of pairs.", standard: "pearson")
    )

    private static let bound = Schema.any(
        of: [RequestSchemas.weight, RequestSchemas.weights], "A number for every asset, or by asset.")

    static let benchmarkReturns = Schema.any(
        of: [
            Schema.list(of: ["type": "number", "minimum": -1e6, "maximum": 1e6], "One return a period of the panel."),
            Schema.closed(
                "Returns by date.", required: ["dates", "values"],
                [
                    ("dates", Schema.list(of: RequestSchemas.date, "Ascending, none twice.", unique: true)),
                    (
                        "values",
                        Schema.list(of: ["type": "number", "minimum": -1e6, "maximum": 1e6], "A return a date.")
                    ),
                ]),
        ], "A series to be tracked.")

    private static let cardinality = Schema.any(
        of: [
            Schema.integer("Most assets held.", 1...OptimizeRequest.mostAssets),
            Schema.closed(
                "Most assets held, in all and by group of `groups`.",
                [
                    ("max", Schema.integer("In all.", 1...OptimizeRequest.mostAssets)),
                    (
                        "groups",
                        Schema.map(of: Schema.integer("Most.", 0...OptimizeRequest.mostAssets), "By group.")
                    ),
                ]),
        ], "How many assets may be held.")

    private static func pairs(_ description: String) -> JSONValue {
        Schema.list(
            of: Schema.list(
                of: ["type": "string", "maxLength": 256, "pattern": .string(Schema.storable)], "Two names.",
                count: 2...2, unique: true), description)
    }

    private static func limits(_ description: String, _ range: Interval) -> JSONValue {
        Schema.map(
            of: Schema.closed(
                "At least one of the two.",
                [("min", Schema.number("Least.", range)), ("max", Schema.number("Most.", range))]),
            description)
    }

    private static let rate = Schema.any(
        of: [
            Schema.number("For every asset.", .nonnegative),
            Schema.map(of: ["type": "number", "minimum": 0], "By asset; the rest is free."),
        ], "A number for every asset, or by asset.")

    private static let costs = Schema.closed(
        "Trading costs, taken from the objective; at least one of `linear` and `impact`.", required: ["from"],
        [
            ("from", RequestSchemas.weights), ("linear", rate), ("impact", rate),
            ("horizon", Schema.number("Periods over which the cost is spread.", .positive, standard: 1)),
        ])
}
