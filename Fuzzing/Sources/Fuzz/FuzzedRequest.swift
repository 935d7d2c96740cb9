import WireFormat

/// A request of `POST /api/portfolio/optimize` from choices: mostly well formed, with all that the decoder lets through.
enum FuzzedRequest {
    static func body(_ choices: inout Choices, _ panel: FuzzedPanel) -> JSONValue {
        var members = Members()
        members.add("risk_measure", choices.one(of: RiskMeasureCode.allCases, otherwise: .mv).rawValue)
        members.add("objective", choices.one(of: ObjectiveName.allCases, otherwise: .sharpe).rawValue)
        if choices.chance(3) { model(&choices, panel, &members) }
        if choices.chance(2) { members.add("constraints", FuzzedConstraints.make(&choices, panel.assets)) }
        if choices.chance(4) {
            members.add("kelly", choices.one(of: ["none", "approx", "exact"], otherwise: "none"))
        }
        for name in ["risk_free_rate", "risk_aversion", "alpha", "beta", "kappa", "kappa_gain", "power", "target"]
        where choices.chance(8) {
            members.add(name, choices.number())
        }
        if choices.chance(8) { members.add("a_sim", whole: 2 + choices.pick(120)) }
        if choices.chance(8) { members.add("periods_per_year", 1 + choices.number()) }
        if choices.chance(8) {
            members.add("convention", choices.one(of: Convention.allCases.map { $0.rawValue }, otherwise: "riskfolio"))
        }
        if choices.chance(8) {
            var frontier = Members()
            frontier.add("points", whole: 2 + choices.pick(5))
            frontier.add("by", choices.one(of: FrontierAxis.allCases.map { $0.rawValue }, otherwise: "return"))
            members.add("efficient_frontier", frontier.json)
        }
        members.add(panel.name, panel.json)
        return members.json
    }

    /// A model with what it needs.
    private static func model(_ choices: inout Choices, _ panel: FuzzedPanel, _ members: inout Members) {
        let model = choices.one(of: ModelName.allCases, otherwise: .classic)
        members.add("model", model.rawValue)
        if !model.hasObjective { members.remove("objective") }
        switch model {
        case .blackLitterman, .blackLittermanFactors, .entropyPooling:
            members.add("views", views(&choices, panel.assets))
        case .worstCase: members.add("uncertainty", uncertainty(&choices))
        case .riskParity, .relaxedRiskParity:
            if choices.chance(2) {
                var shares = Members()
                for asset in panel.assets { shares.add(asset, 1 / Double(panel.assets.count)) }
                members.add("risk_budget", shares.json)
            }
        case .hierarchicalRiskParity, .hierarchicalEqualRisk, .hierarchicalEqualRisk2, .nestedClusters,
            .schurComplement:
            members.add("clustering", clustering(&choices, panel.assets.count))
        case .orderedWeightedAverage:
            var weights = Members()
            weights.add(
                "method",
                choices.one(
                    of: ["gmd", "cvar", "wcvar", "tg", "wr", "rg", "cvrg", "tgrg", "l_moment", "l_moment_crm"],
                    otherwise: "gmd"))
            members.add("owa_weights", weights.json)
        default: break
        }
        if [.factorModel, .blackLittermanFactors, .factorRiskParity].contains(model) {
            var factors = Members()
            factors.add("returns", panel.json)
            members.add("factors", factors.json)
        }
        for name in ["mean", "covariance"] where choices.chance(3) {
            var estimator = Members()
            estimator.add(
                "method",
                name == "mean"
                    ? choices.one(of: MeanMethod.allCases.map { $0.rawValue }, otherwise: "hist")
                    : choices.one(of: CovarianceMethod.allCases.map { $0.rawValue }, otherwise: "hist"))
            members.add(name, estimator.json)
        }
    }

    private static func views(_ choices: inout Choices, _ assets: [String]) -> JSONValue {
        var items: [JSONValue] = []
        for _ in 0...choices.pick(3) {
            var view = Members()
            view.add("weights", FuzzedConstraints.figures(&choices, assets))
            view.add("return", choices.number() * 0.01)
            if choices.chance(3) { view.add("confidence", choices.number()) }
            items.append(view.json)
        }
        var members = Members()
        members.add("items", .array(items))
        return members.json
    }

    private static func uncertainty(_ choices: inout Choices) -> JSONValue {
        var members = Members()
        for name in ["mean", "covariance"] {
            var set = Members()
            set.add("set", choices.one(of: ["box", "ellipsoid", "none"], otherwise: "box"))
            set.add(
                "method",
                choices.one(of: ["normal", "delta", "stationary", "circular", "moving"], otherwise: "normal"))
            set.add("samples", whole: 20)
            members.add(name, set.json)
        }
        return members.json
    }

    private static func clustering(_ choices: inout Choices, _ count: Int) -> JSONValue {
        var members = Members()
        let measures = ClusteringRequest.Codependence.allCases.map { $0.rawValue }.filter { $0 != "custom" }
        members.add("codependence", choices.one(of: measures, otherwise: "pearson"))
        members.add(
            "linkage", choices.one(of: ClusteringRequest.Linkage.allCases.map { $0.rawValue }, otherwise: "ward"))
        if choices.chance(3) { members.add("k", whole: 1 + choices.pick(count)) }
        return members.json
    }
}
