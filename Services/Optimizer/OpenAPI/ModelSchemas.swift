import WireFormat

/// Schemas of the parameters of models. Ranges and words are those of the decoders in WireFormat.
enum ModelSchemas {
    static let members: [(String, JSONValue)] = [
        ("mean_estimator", meanEstimator), ("covariance_estimator", covarianceEstimator),
        ("views", views), ("factors", factors),
        (
            "risk_budget",
            Schema.map(
                of: ["type": "number", "exclusiveMinimum": 0],
                "Shares of the risk that add up to one, of all assets (of all factors for FactorRiskParity).")
        ),
        (
            "relaxation",
            Schema.closed(
                "Of RelaxedRiskParity.",
                [
                    ("version", words(OptimizeRequest.Relaxation.Version.self, "Which regulator.", standard: "A")),
                    ("lambda", Schema.number("Penalty of version C.", .nonnegative, standard: 1)),
                ])
        ),
        (
            "moment_aversion",
            Schema.closed(
                "Of MVSK.",
                [
                    ("variance", Schema.number("Weight of the variance.", .nonnegative, standard: 2)),
                    ("skewness", Schema.number("Weight of the skewness.", .nonnegative, standard: 3)),
                    ("kurtosis", Schema.number("Weight of the kurtosis.", .nonnegative, standard: 4)),
                ])
        ),
        ("uncertainty", uncertainty), ("clustering", clustering(ofModel: true)), ("owa_weights", owaWeights),
        ("scenario_weights", scenarioWeights),
        (
            "near_optimal",
            Schema.closed(
                "Of NearOptimal.",
                [
                    (
                        "tolerance",
                        Schema.number(
                            "What may be given up of the optimum, as a share of it, below 1.", .nonnegative,
                            standard: 0.05)
                    )
                ])
        ),
        (
            "resampling",
            Schema.closed(
                "Of Resampled.",
                [
                    (
                        "method",
                        words(
                            ResamplingRequest.Method.self, "Periods with replacement, or assets without.",
                            standard: "bootstrap")
                    ),
                    ("samples", Schema.integer("Number of samples.", 2...ResamplingRequest.mostSamples)),
                    ("size", Schema.integer("Assets of a subset; the root of their number without it.", 1...2000)),
                    ("window", Schema.integer("Mean length of the bootstrap's blocks.", 1...100_000)),
                    ("seed", Schema.integer("Of the random numbers.", 0...Int(Int32.max))),
                    (
                        "coverage",
                        Schema.number("Share of the samples' weights within the bands.", .openUnit, standard: 0.9)
                    ),
                ])
        ),
    ]

    private static func words<Words: CaseIterable & RawRepresentable>(
        _ type: Words.Type, _ description: String, standard: String? = nil
    ) -> JSONValue where Words.RawValue == String {
        Schema.oneOf(type.allCases.map { $0.rawValue }, description, standard: standard)
    }

    private static let matrix = Schema.closed(
        "A symmetric matrix.", required: ["values"],
        [
            ("assets", Schema.list(of: RequestSchemas.symbol, "Names of the rows; the request's assets by default.")),
            ("values", Schema.list(of: Schema.list(of: ["type": "number"], "A row."), "Rows.")),
        ])

    private static let meanEstimator = Schema.closed(
        "How expected returns are estimated. A parameter that the method does not read is refused.",
        required: ["method"],
        [
            ("method", words(MeanMethod.self, "Method.")),
            ("target", words(MeanTarget.self, "Of JS, BS and BOP.", standard: "b1")),
            ("d", Schema.number("Decay of ewma1 and ewma2.", .openUnit, standard: 0.94)),
            ("values", RequestSchemas.weights), ("weights", RequestSchemas.weights),
            ("risk_aversion", Schema.number("delta of equilibrium.", .positive)),
        ])

    private static let covarianceEstimator = Schema.closed(
        "How the covariance is estimated. A parameter that the method does not read is refused.",
        required: ["method"],
        [
            ("method", words(CovarianceMethod.self, "Method.")),
            ("d", Schema.number("Decay of ewma1 and ewma2.", .openUnit, standard: 0.94)),
            ("alpha", Schema.number("Intensity of shrunk and shrink.", .unit, standard: 0.1)),
            ("bandwidth", Schema.number("Of the kernel density of denoising.", .positive, standard: 0.01)),
            ("detone", Schema.flag("Whether the market's components are taken out.", standard: false)),
            ("market_components", Schema.integer("How many.", 1...OptimizeRequest.mostAssets, standard: 1)),
            ("threshold", Schema.number("Of Gerber, in standard deviations.", .nonnegative, standard: 0.5)),
            ("target", words(ShrinkageTarget.self, "Of ledoit.", standard: "identity")),
            ("repair", words(PSDRepair.self, "Of negative eigenvalues.", standard: "clip")),
            ("values", matrix),
        ])

    private static let view = Schema.any(
        of: [
            Schema.text("As text: AAPL - MSFT == 0.0001, std(AAPL) <= 0.01, AAPL >= MSFT.", length: 1...4096),
            Schema.closed(
                "statistic(sum of weights x returns) sense level. `return` is the level of a mean, `value` of any.",
                required: ["weights"],
                [
                    ("weights", Schema.map(of: RequestSchemas.weight, "By asset, group or factor.", atLeast: 1)),
                    ("statistic", words(ViewsRequest.Statistic.self, "What of it.", standard: "mean")),
                    ("sense", words(ViewsRequest.Sense.self, "Equal, at least, at most.", standard: "==")),
                    ("return", Schema.number("Per period, in excess of the risk-free rate.")),
                    ("value", Schema.number("Per period.")),
                    ("alpha", Schema.number("Of VaR and CVaR.", .openUnit)),
                    ("confidence", Schema.number("Idzorek's.", .unit)),
                ]),
        ], "A view.")

    private static let views = Schema.closed(
        "What the caller believes, for BL, BL_FM and EP.",
        [
            ("items", Schema.list(of: view, "Views.", count: 0...1000)),
            ("equilibrium", Schema.flag("Whether the prior mean is the equilibrium's.", standard: true)),
            ("prior_weights", RequestSchemas.weights),
            (
                "risk_free_rate",
                Schema.number("Annual, of the prior.", Interval(lower: -1000, upper: 1000), standard: 0)
            ),
            ("tau", Schema.number("1/T by default.", .positive)),
            ("risk_aversion", Schema.number("delta; the prior portfolio's by default.", .positive)),
            ("flavor", words(ViewsRequest.Flavor.self, "Of factor views.", standard: "BLB")),
            (
                "opinions",
                Schema.list(
                    of: Schema.closed(
                        "An expert.", required: ["probability"],
                        [
                            ("items", Schema.list(of: view, "Views.", count: 0...1000)),
                            ("probability", Schema.number("How much it counts.", .unit)),
                        ]), "In place of items, for EP.", count: 0...100)
            ),
            ("pooling", words(ViewsRequest.Pooling.self, "How opinions become one.", standard: "linear")),
        ])

    static let factors = Schema.closed(
        "The factors' figures (one of returns, prices, assets) or loadings, and how loadings are estimated.",
        [
            ("returns", Schema.reference("Panel")), ("prices", Schema.reference("Panel")),
            ("assets", Schema.list(of: RequestSchemas.symbol, "Stored symbols.", count: 1...500, unique: true)),
            (
                "loadings",
                Schema.map(of: Schema.map(of: ["type": "number"], "By factor."), "Of every asset.")
            ),
            (
                "feature_selection",
                words(FactorRequest.Selection.self, "How factors are chosen.", standard: "stepwise")
            ),
            ("stepwise", words(FactorRequest.Direction.self, "Direction.", standard: "Forward")),
            ("criterion", words(FactorRequest.Criterion.self, "Of a step.", standard: "pvalue")),
            ("threshold", Schema.number("Of the criterion pvalue.", .unit, standard: 0.05)),
            ("n_components", Schema.number("Components, or below one a share of the variance.", .positive)),
            ("const", Schema.flag("Whether regressions have a constant.", standard: true)),
            ("error", Schema.flag("Whether residual variances count.", standard: true)),
            (
                "scenarios",
                words(FactorRequest.Scenarios.self, "What risk measures read.", standard: "historical")
            ),
        ])

    private static let uncertaintySet = Schema.closed(
        "What an estimate may be.",
        [
            ("set", words(UncertaintyRequest.Shape.self, "Shape.", standard: "box")),
            ("method", words(UncertaintyRequest.Method.self, "Where its size comes from.", standard: "stationary")),
            ("delta", Schema.number("Share of the estimate.", .nonnegative, standard: 0.1)),
            ("q", Schema.number("Significance.", .openUnit, standard: 0.05)),
            (
                "k",
                Schema.any(
                    of: [
                        Schema.oneOf(["normal", "general"], "A rule."), Schema.number("A radius.", .nonnegative),
                    ], "Radius of an ellipsoid.")
            ),
            ("samples", Schema.integer("Of a bootstrap.", 10...1_000_000, standard: 3000)),
            ("window", Schema.integer("Length of a block.", 1...100_000, standard: 3)),
            ("seed", Schema.integer("Of the random numbers.", 0...Int(Int32.max), standard: 0)),
            ("diagonal", Schema.flag("Whether the shape keeps its diagonal only.", standard: true)),
        ])

    private static let uncertainty = Schema.closed(
        "Of WorstCase.",
        [
            ("mean", uncertaintySet), ("covariance", uncertaintySet),
            ("wasserstein_radius", Schema.number("Of distributionally robust CVaR.", .nonnegative)),
        ])

    /// - Parameter ofModel: with what models that allocate within clusters read.
    static func clustering(ofModel: Bool) -> JSONValue {
        let ofAllocation: [(String, JSONValue)] = [
            ("objective", words(ClusteringRequest.InnerObjective.self, "Of NCO; the request's by default.")),
            ("gamma", Schema.number("Of Schur: 0 is HRP.", .unit, standard: 0.5)),
        ]
        return Schema.closed(
            ofModel ? "Of HRP, HERC, HERC2, NCO and Schur." : "How clusters are found.",
            [
                ("codependence", words(ClusteringRequest.Codependence.self, "Likeness.", standard: "pearson")),
                ("linkage", words(ClusteringRequest.Linkage.self, "How clusters are joined.", standard: "single")),
                ("leaf_order", Schema.flag("Whether leaves are ordered optimally.", standard: true)),
                ("k", Schema.integer("Number of clusters.", 1...OptimizeRequest.mostAssets)),
                ("max_k", Schema.integer("Most clusters.", 1...OptimizeRequest.mostAssets, standard: 10)),
                (
                    "method_k",
                    words(ClusteringRequest.CountMethod.self, "How their number is chosen.", standard: "twodiff")
                ),
                ("matrix", matrix),
            ] + codependenceParameters + (ofModel ? ofAllocation : []))
    }

    /// Parameters of single codependences.
    static let codependenceParameters: [(String, JSONValue)] = [
        (
            "bins",
            Schema.any(
                of: [
                    words(ClusteringRequest.Bins.Rule.self, "A rule."), Schema.integer("A number.", 2...10_000),
                ], "Of mutual_info.")
        ),
        ("alpha_tail", Schema.number("Of tail.", .openUnit, standard: 0.05)),
        ("threshold", Schema.number("Of Gerber.", .nonnegative, standard: 0.5)),
    ]

    private static let owaWeights = Schema.any(
        of: [
            Schema.list(of: ["type": "number"], "T numbers: risk = sum of owa_weights[i] x (i-th smallest return)."),
            Schema.closed(
                "A builder. A parameter that the method does not read is refused.", required: ["method"],
                [
                    ("method", words(OWABuilder.Method.self, "Which vector.")),
                    ("k", Schema.integer("Order of L-moments.", 2...50)),
                    ("weighting", words(OWABuilder.Weighting.self, "Of l_moment_crm.", standard: "MSD")),
                    ("gamma", Schema.number("Of CRRA.", .openUnit, standard: 0.5)),
                    ("max_phi", Schema.number("Largest weight of an L-moment.", .openUnit, standard: 0.5)),
                    ("alphas", Schema.list(of: ["type": "number"], "Levels of losses.")),
                    ("weights", Schema.list(of: ["type": "number", "minimum": 0], "Their weights.")),
                    ("betas", Schema.list(of: ["type": "number"], "Levels of gains.")),
                    ("gain_weights", Schema.list(of: ["type": "number", "minimum": 0], "Their weights.")),
                ]),
        ], "Of OWA.")

    private static let scenarioWeights = Schema.any(
        of: [
            Schema.list(of: ["type": "number", "minimum": 0], "T numbers, oldest first."),
            Schema.closed(
                "By age.", required: ["half_life"],
                [("half_life", Schema.number("Periods in which a weight halves.", .positive))]),
        ], "How much each period counts.")
}
