import WireFormat

/// What the OpenAPI document says of metrics and backtests. Words and ranges are those of the decoders in WireFormat.
enum EvaluationSchemas {
    static let all: [(String, JSONValue)] = [
        ("MetricsRequest", metricsRequest), ("MetricsAnswer", metricsAnswer),
        ("BacktestRequest", BacktestSchemas.request), ("BacktestAnswer", BacktestSchemas.answer),
        ("PolicyBacktestRequest", PolicyBacktestSchemas.request),
        ("PolicyBacktestAnswer", PolicyBacktestSchemas.answer),
        (
            "BacktestCall",
            Schema.any(
                of: [Schema.reference("BacktestRequest"), Schema.reference("PolicyBacktestRequest")],
                "A strategy, or with policies rules of going back to a target.")
        ),
        (
            "BacktestOutcome",
            Schema.any(
                of: [Schema.reference("BacktestAnswer"), Schema.reference("PolicyBacktestAnswer")],
                "Of a strategy, or of policies.")
        ),
    ]

    static let operations: [String: Operations.Description] = [
        "metrics": Operations.Description(
            summary: "Risks, ratios, contributions, drawdowns and attribution of given weights",
            parameters: [strict, timeout], body: Operations.json("MetricsRequest", EvaluationExamples.metrics),
            success: ("200", "The figures; nothing is stored.", "MetricsAnswer"), problems: Operations.body),
        "backtest": Operations.Description(
            summary:
                "A strategy over the past: walk-forward, or combinatorial purged cross-validation; or rebalancing policies after tax",
            parameters: [
                Operations.query(
                    "async", "Answer at once with a job, as Prefer: respond-async does.",
                    Schema.flag("Whether to wait.", standard: false)),
                strict, timeout,
            ],
            body: Operations.json(
                "BacktestCall", EvaluationExamples.backtest + [("policies", PolicyBacktestSchemas.example)]),
            success: ("200", "What became of it; nothing is stored.", "BacktestOutcome"), accepted: true,
            problems: Operations.body),
    ]

    static let strict = Operations.header(
        "Prefer", "handling=strict turns every warning into a 422.",
        Schema.said("RFC 7240; what is not known is ignored."))
    static let timeout = Operations.header(
        "X-Request-Timeout", "Seconds to wait, cut to 60; by default 4 for what can become a job, else 30.",
        Schema.number("Seconds.", Interval(lower: 1, upper: 3600)))

    private static let groups = Schema.map(
        of: Schema.list(of: Schema.text("An asset.", length: 0...256), "Members."),
        "Assets by class; classes share none.",
        atLeast: 1)

    private static let metricsRequest = Schema.closed(
        "What to look at. Without `assets` and without a panel of its own: the assets of `weights`.",
        required: ["weights"],
        RequestSchemas.window + RequestSchemas.parameters + [
            ("weights", Schema.map(of: RequestSchemas.weight, "By asset; the others are zero.", atLeast: 1)),
            ("risk_free_rate", Schema.number("Annual.", Interval(lower: -1000, upper: 1000), standard: 0)),
            (
                "convention",
                Schema.oneOf(
                    Convention.allCases.map { $0.rawValue }, "Whose definitions the figures follow.",
                    standard: "riskfolio")
            ),
            (
                "measures",
                Schema.list(
                    of: Schema.oneOf(RiskMeasureCode.allCases.map { $0.rawValue }, "A code."),
                    "What to evaluate; all where absent.", count: 1...RiskMeasureCode.allCases.count, unique: true)
            ),
            ("benchmark", RequestSchemas.weights), ("benchmark_returns", ConstraintSchemas.benchmarkReturns),
            ("groups", groups), ("factors", ModelSchemas.factors),
            (
                "drawdowns",
                Schema.integer("Most rows of the table of drawdowns.", 0...MetricsRequest.mostDrawdowns, standard: 10)
            ),
        ])

    private static let figure = AnswerSchemas.figure
    static let figures = AnswerSchemas.figures
    private static let byName = Schema.map(of: figures, "By measure, then by name.")
    private static let day = RequestSchemas.date

    static let drawdown = Schema.object(
        "A fall of the compounded value.",
        required: ["depth", "peak", "trough", "recovery", "periods", "periods_to_trough", "periods_to_recovery"],
        [
            ("depth", ["type": "number"]), ("peak", Schema.nullable(day)), ("trough", day),
            ("recovery", Schema.nullable(day)), ("periods", Schema.integer("From peak to recovery, or to the end.")),
            ("periods_to_trough", Schema.integer("From the peak.")),
            ("periods_to_recovery", Schema.nullable(Schema.integer("From the trough."))),
        ])

    private static let effects: [(String, JSONValue)] = ["allocation", "selection", "interaction", "total"].map {
        ($0, figure)
    }
    private static let brinson = Schema.object(
        "Brinson attribution over the window.", required: ["portfolio_return", "benchmark_return", "classes", "total"],
        [
            ("portfolio_return", figure), ("benchmark_return", figure),
            (
                "classes",
                Schema.map(
                    of: Schema.object(
                        "A class.", required: ["weight", "benchmark_weight"] + effects.map { $0.0 },
                        [("weight", figure), ("benchmark_weight", figure)] + effects), "By class.")
            ),
            ("total", Schema.object("Of all classes.", required: effects.map { $0.0 }, effects)),
        ])

    private static let metricsAnswer = Schema.object(
        "What can be said of the weights.",
        required: [
            "weights", "metrics", "risk", "ratios", "sharpe", "risk_contributions", "drawdowns", "data", "warnings",
            "meta",
        ],
        [
            ("weights", Schema.map(of: ["type": "number"], "By asset.")), ("metrics", figures), ("risk", figures),
            ("ratios", figures), ("sharpe", figures), ("risk_contributions", byName),
            ("factor_contributions", byName), ("loadings", byName), ("brinson", brinson),
            ("drawdowns", Schema.list(of: drawdown, "The deepest first.")), ("data", AnswerSchemas.data),
            ("warnings", Schema.list(of: AnswerSchemas.warning, "What the caller should know.")),
            ("meta", AnswerSchemas.callMeta),
        ])
}

/// Examples of requests. A test sends each of them.
enum EvaluationExamples {
    static let panel: JSONValue = [
        "dates": [
            "2023-01-03", "2023-01-04", "2023-01-05", "2023-01-06", "2023-01-09", "2023-01-10", "2023-01-11",
            "2023-01-12",
        ],
        "values": [
            "AAPL": [0.010, -0.004, 0.006, 0.012, -0.002, 0.004, -0.011, 0.003],
            "MSFT": [-0.003, 0.008, 0.002, -0.001, 0.007, -0.006, 0.004, 0.001],
        ],
    ]

    static let metrics: [(String, JSONValue)] = [
        (
            "inline",
            [
                "returns": panel, "weights": ["AAPL": 0.6, "MSFT": 0.4], "benchmark": ["AAPL": 0.5, "MSFT": 0.5],
                "groups": ["Devices": ["AAPL"], "Software": ["MSFT"]], "alpha": 0.25,
            ]
        ),
        ("stored", ["weights": ["AAPL": 0.6, "MSFT": 0.4], "start_date": "2018-01-01", "convention": "skfolio"]),
    ]
}
