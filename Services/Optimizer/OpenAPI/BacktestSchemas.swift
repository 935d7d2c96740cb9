import WireFormat

/// Schemas of `POST /api/portfolio/backtest`. Words and ranges are those of the decoder.
enum BacktestSchemas {
    private static func words<Word: CaseIterable & RawRepresentable>(
        _ type: Word.Type, _ description: String, standard: String
    ) -> JSONValue where Word.RawValue == String {
        Schema.oneOf(Word.allCases.map { $0.rawValue }, description, standard: standard)
    }

    private static let settings = Schema.closed(
        "How the strategy is put to the test.",
        [
            ("method", words(BacktestRequest.Method.self, "How the history is divided.", standard: "walk_forward")),
            ("train", Schema.integer("Periods that a fit sees (walk_forward).", 10...100_000, standard: 252)),
            ("window", words(BacktestRequest.Window.self, "What of the past a fit sees.", standard: "rolling")),
            (
                "rebalance",
                Schema.any(
                    of: [
                        words(BacktestRequest.Span.self, "At the first period of each.", standard: "monthly"),
                        Schema.integer("Every so many periods.", 1...100_000),
                    ], "When the portfolio is made anew; monthly where absent.")
            ),
            ("purge", Schema.integer("Periods between fit and test that neither sees.", 0...10_000, standard: 0)),
            ("embargo", Schema.integer("More of them after a test fold.", 0...10_000, standard: 0)),
            ("folds", Schema.integer("Of combinatorial_purged.", 3...BacktestRequest.mostFolds, standard: 10)),
            (
                "test_folds",
                Schema.integer("Folds that a split holds over.", 1...(BacktestRequest.mostFolds - 1), standard: 2)
            ),
            (
                "cost",
                Schema.any(
                    of: [
                        Schema.number("Of every asset.", .unit),
                        Schema.map(of: Schema.number("A cost.", .unit), "By asset."),
                    ],
                    "Cost a unit of absolute change of weight.")
            ),
            ("drift", Schema.flag("Whether weights move with prices between rebalances.", standard: true)),
            ("initial", RequestSchemas.weights), ("benchmark", RequestSchemas.weights),
            (
                "on_failure",
                words(BacktestRequest.Failure.self, "What becomes of a fit without an answer.", standard: "hold")
            ),
            (
                "trials",
                Schema.closed(
                    "Strategies that were tried before this one was chosen.", required: ["count"],
                    [
                        ("count", Schema.integer("How many.", 1...1_000_000_000)),
                        (
                            "variance",
                            Schema.number(
                                "Of their Sharpe ratios per period; that of strategies without skill where absent.",
                                Interval(lower: 0, upper: 1e6))
                        ),
                    ])
            ),
            ("series", Schema.flag("Whether the answer has the series and all weights.", standard: true)),
        ])

    static let request = RequestSchemas.withAssets(
        "A strategy, as `optimize` takes it, and how to test it.",
        RequestSchemas.strategy.filter { $0.0 != "efficient_frontier" } + [("backtest", settings)])

    private static let figure = AnswerSchemas.figure
    private static let figures = AnswerSchemas.figures
    private static let day = RequestSchemas.date
    private static let numbers = Schema.list(of: figure, "One a period.")
    private static let span = Schema.object("A window.", required: ["start", "end"], [("start", day), ("end", day)])

    private static let trade = Schema.object(
        "A change of the portfolio.", required: ["date", "fit", "turnover", "cost"],
        [
            ("date", day), ("fit", Schema.integer("Its fit, from 0.", 0...BacktestRequest.mostFits)),
            ("turnover", figure), ("cost", figure),
        ])

    private static let path: [(String, JSONValue)] = [
        ("metrics", figures), ("risk", figures), ("sharpe", figures), ("returns", numbers), ("value", numbers),
    ]

    private static let fit = Schema.object(
        "A solve.", required: ["train", "observations", "test", "expected_return", "risk"],
        [
            ("train", span), ("observations", Schema.integer("Periods that it saw.", 0...Int.max)),
            ("test", Schema.list(of: span, "What its weights were held over.")), ("expected_return", figure),
            ("risk", figure),
            ("weights", Schema.nullable(Schema.map(of: figure, "By asset; null where it has no answer."))),
        ])

    private static let failure = Schema.object(
        "A fit without an answer.", required: ["fit", "date", "code", "detail"],
        [
            ("fit", Schema.integer("Its place.", 0...BacktestRequest.mostFits)), ("date", day),
            ("code", Schema.said("Of the problem.")), ("detail", Schema.said("For people.")),
        ])

    static let answer = Schema.object(
        "What became of the strategy. A walk-forward's path stands at the top, others in `paths`.",
        required: ["method", "fits", "failures", "data", "warnings", "meta"],
        [
            ("method", Schema.said("The method.")), ("dates", Schema.list(of: day, "Periods that were held over.")),
        ] + path + [
            ("drawdowns", Schema.list(of: EvaluationSchemas.drawdown, "The deepest first.")),
            ("rebalances", Schema.list(of: trade, "In order.")),
            ("paths", Schema.list(of: Schema.object("A path.", required: ["metrics", "sharpe"], path), "Every path.")),
            ("distribution", Schema.map(of: figures, "Each metric over the paths.")),
            ("fits", Schema.list(of: fit, "Every solve, in order.")),
            ("failures", Schema.list(of: failure, "Fits without an answer.")), ("data", AnswerSchemas.data),
            ("warnings", Schema.list(of: AnswerSchemas.warning, "What the caller should know.")),
            ("meta", AnswerSchemas.callMeta),
        ])
}

extension EvaluationExamples {
    static let backtest: [(String, JSONValue)] = [
        (
            "walk_forward",
            [
                "assets": ["AAPL", "MSFT", "AMZN"], "start_date": "2018-01-01", "risk_measure": "CVaR",
                "objective": "MinRisk",
                "backtest": ["train": 126, "rebalance": "monthly", "cost": 0.001],
            ]
        ),
        (
            "combinatorial_purged",
            [
                "assets": ["AAPL", "MSFT", "AMZN"], "objective": "MinRisk",
                "backtest": [
                    "method": "combinatorial_purged", "folds": 6, "test_folds": 2, "purge": 5, "series": false,
                ],
            ]
        ),
    ]
}
