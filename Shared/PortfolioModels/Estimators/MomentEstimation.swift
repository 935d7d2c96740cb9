import LinearAlgebra
import RealModule
public import WireFormat

/// The way from a request to its moments: estimators, mended where they made no covariance, then the model that replaces them (BL, FM, BL_FM, EP),
/// mended again where rounding left none.
public enum MomentEstimation {
    /// The moments of a request.
    /// - Parameters:
    ///   - panel: returns of exactly the request's assets, in their order.
    ///   - factors: returns of stored factors on the panel's dates, where the request names symbols; inline ones come with it.
    ///   - periodsPerYear: for the annual rates of the request.
    ///   - base: what `base(_:panel:after:)` made of the same panel, where somebody kept it.
    /// - Throws: what the estimators throw: `DAT-002` too little history, `OPT-202` singular, `OPT-101` views that contradict
    ///   each other.
    public static func estimate(
        _ request: OptimizeRequest, panel: ReturnPanel, factors: ReturnPanel? = nil, periodsPerYear: Double,
        base: Moments? = nil
    ) throws(Problem) -> Moments {
        var moments: Moments
        switch request.model {
        case .blackLitterman:
            moments = try blackLitterman(request, panel, periodsPerYear, base)
        case .factorModel:
            moments = try factorModel(request, panel, factors, periodsPerYear, base)
        case .blackLittermanFactors:
            moments = try factorViews(request, panel, factors, periodsPerYear, base)
        case .entropyPooling:
            moments = try pooled(request, panel)
        default:
            moments = try estimated(request, panel, periodsPerYear, base)
        }
        guard moments.covariance.isFinite, moments.mean.allSatisfy({ $0.isFinite }) else {
            throw Problem(.invalidPrice, "The returns are too large for their moments.")
        }
        // What the estimators alone made has been looked at, and a pooled sample's is a Gram matrix.
        if [.blackLitterman, .factorModel, .blackLittermanFactors].contains(request.model) {
            try mend(&moments, request.covarianceEstimator.repair)
        }
        return moments
    }

    /// Makes the covariance one, and says so; what is not finite is left to be refused.
    private static func mend(_ moments: inout Moments, _ method: PSDRepair) throws(Problem) {
        guard moments.covariance.isFinite,
            let repair = try PositiveSemidefinite.repair(moments.covariance, method: method)
        else { return }
        moments.covariance = repair.matrix
        moments.warnings.append(repair.warning(["covariance_estimator"]))
    }

    /// Everything that `base` depends on besides the returns, as a text; nil for a model that does not read it.
    public static func baseKey(_ request: OptimizeRequest, panel: ReturnPanel) -> String? {
        guard request.model != .entropyPooling else { return nil }
        var plain = OptimizeRequest(assets: request.assets)
        plain.meanEstimator = request.meanEstimator
        plain.covarianceEstimator = request.covarianceEstimator
        plain.scenarioWeights = request.scenarioWeights
        plain.riskFreeRate = request.riskFreeRate
        plain.periodsPerYear = PortfolioOptimization.periodsPerYear(request, panel)
        return plain.json.serialized()
    }

    /// What the estimators alone make of a panel: what every model starts from, and what others who ask about the same data may share.
    /// - Parameter before: sums of an earlier panel; where this one begins with its periods they are gone on with. The result is the same bits.
    /// - Returns: the moments, the sums to go on with next time (nil where the estimators keep none), and whether the earlier were of use.
    /// - Throws: as `estimate`.
    public static func base(
        _ request: OptimizeRequest, panel: ReturnPanel, after before: RunningCovariance? = nil
    ) throws(Problem) -> (moments: Moments, running: RunningCovariance?, isExtended: Bool) {
        let periods = PortfolioOptimization.periodsPerYear(request, panel)
        guard request.covarianceEstimator.method == .hist, request.scenarioWeights == nil,
            RunningCovariance.applies(to: panel)
        else { return (try estimated(request, panel, periods), nil, false) }
        let running = RunningCovariance(panel, after: before)
        let mean = try MeanEstimators.make(
            request.meanEstimator, assets: panel.assets, riskFreeRate: request.riskFreeRate / periods
        ).estimate(panel)
        return (Moments(mean: mean, covariance: running.covariance), running, running.isContinued)
    }

    /// Whether a request's moments are those of the plain sample.
    public static func isPlain(_ request: OptimizeRequest) -> Bool {
        let models: Set<ModelName> = [.blackLitterman, .factorModel, .blackLittermanFactors, .entropyPooling]
        return !models.contains(request.model) && request.meanEstimator.method == .hist
            && request.covarianceEstimator.method == .hist && request.scenarioWeights == nil
    }

    /// Mean and covariance by the request's two estimators.
    private static func estimated(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ periodsPerYear: Double, _ base: Moments? = nil
    ) throws(Problem) -> Moments {
        if let base { return base }
        let weights = try ScenarioWeights.probabilities(request.scenarioWeights, count: panel.observations)
        let weighted = weights.map { WeightedMoments(panel, weights: $0) }
        let mean: [Double]
        if let weighted, request.meanEstimator.method == .hist {
            mean = weighted.mean
        } else {
            mean = try MeanEstimators.make(
                request.meanEstimator, assets: panel.assets, riskFreeRate: request.riskFreeRate / periodsPerYear
            ).estimate(panel)
        }
        let covariance: CovarianceEstimate
        if let weighted, request.covarianceEstimator.method == .hist {
            covariance = CovarianceEstimate(try weighted.unbiasedCovariance)
        } else {
            covariance = try CovarianceEstimators.make(request.covarianceEstimator).estimate(panel)
        }
        var moments = Moments(mean: mean, covariance: covariance.matrix, warnings: covariance.warnings)
        moments.scenarioWeights = weights
        // The sample's is a Gram matrix; anything else has to be looked at before a model builds on it.
        if request.covarianceEstimator.method != .hist { try mend(&moments, request.covarianceEstimator.repair) }
        return moments
    }

    private static func blackLitterman(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ periodsPerYear: Double, _ base: Moments?
    ) throws(Problem) -> Moments {
        let wanted = request.views ?? ViewsRequest()
        var moments = try estimated(request, panel, periodsPerYear, base)
        let rate = wanted.riskFreeRate / periodsPerYear
        let prior = try BlackLitterman.prior(
            wanted, mean: moments.mean, covariance: moments.covariance, assets: panel.assets, riskFreeRate: rate,
            warnings: &moments.warnings)
        let views = try ViewMatrix(wanted.items, columns: panel.assets, groups: request.constraints.groups)
        let posterior = try BlackLitterman(
            prior: prior, covariance: moments.covariance, tau: wanted.tau ?? 1 / Double(panel.observations),
            views: views)
        moments.mean = posterior.mean.map { $0 + rate }
        moments.covariance = posterior.covariance
        return moments
    }

    private static func factors(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ loaded: ReturnPanel?, _ periodsPerYear: Double
    ) throws(Problem) -> FactorModel {
        guard let wanted = request.factors else {
            throw Problem(JSONPointer(["factors"]), .missing, "\(request.model.rawValue) needs factors.")
        }
        let aligned = try FactorPanel.aligned(wanted, to: panel, loaded: loaded)
        var ofFactors = request
        ofFactors.assets = aligned.assets
        let moments = try estimated(ofFactors, aligned, periodsPerYear)
        return try FactorModel(wanted, panel: panel, factors: aligned, moments: moments)
    }

    private static func factorModel(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ loaded: ReturnPanel?, _ periodsPerYear: Double,
        _ base: Moments?
    ) throws(Problem) -> Moments {
        let model = try factors(request, panel, loaded, periodsPerYear)
        // Riskfolio-Lib's hist: with the assets' own scenarios the model gives the mean alone.
        if request.factors?.scenarios == .historical {
            var moments = try estimated(request, panel, periodsPerYear, base)
            moments.mean = model.mean
            moments.warnings += model.warnings
            return moments
        }
        var moments = Moments(mean: model.mean, covariance: model.covariance, warnings: model.warnings)
        moments.scenarios = model.returns
        return moments
    }

    private static func factorViews(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ loaded: ReturnPanel?, _ periodsPerYear: Double,
        _ base: Moments?
    ) throws(Problem) -> Moments {
        let wanted = request.views ?? ViewsRequest()
        let model = try factors(request, panel, loaded, periodsPerYear)
        let names = request.factors?.names ?? []
        let rate = wanted.riskFreeRate / periodsPerYear
        let tau = wanted.tau ?? 1 / Double(panel.observations)
        var moments = try estimated(request, panel, periodsPerYear, base)
        moments.warnings += model.warnings
        let found: FactorBlackLitterman
        switch wanted.flavor {
        case .bayesian:
            let views = try ViewMatrix(wanted.items, columns: names, groups: [])
            found = try .bayesian(model, views: views, tau: tau, riskFreeRate: rate)
        case .augmented:
            let columns = panel.assets + names
            guard Set(columns).count == columns.count else {
                throw Problem(
                    JSONPointer(["factors"]), .contradiction,
                    "A factor has the name of an asset: views cannot tell them apart.")
            }
            let views = try ViewMatrix(wanted.items, columns: columns, groups: request.constraints.groups)
            let weights = BlackLitterman.marketWeights(wanted, assets: panel.assets)
            var aversion: Double?
            if wanted.isEquilibrium {
                aversion = try BlackLitterman.aversion(
                    wanted, mean: moments.mean, covariance: moments.covariance, weights: weights, riskFreeRate: rate,
                    warnings: &moments.warnings)
            }
            found = try .augmented(
                model, mean: moments.mean, covariance: moments.covariance, views: views, tau: tau,
                aversion: aversion, weights: weights, riskFreeRate: rate)
        }
        moments.mean = found.mean
        moments.covariance = found.covariance
        if request.factors?.scenarios == .model { moments.scenarios = model.returns }
        return moments
    }

    private static func pooled(_ request: OptimizeRequest, _ panel: ReturnPanel) throws(Problem) -> Moments {
        let wanted = request.views ?? ViewsRequest()
        let count = panel.observations
        let prior =
            try ScenarioWeights.probabilities(request.scenarioWeights, count: count)
            ?? [Double](repeating: 1 / Double(count), count: count)
        let groups = request.constraints.groups
        let place = JSONPointer(["views"])
        let probabilities: [Double]
        if wanted.opinions.isEmpty {
            probabilities = try EntropyPooling(
                wanted.items, panel: panel, groups: groups, prior: prior, alpha: request.alpha,
                place: place.appending("items")
            ).probabilities
        } else {
            var opinions: [(probabilities: [Double], weight: Double)] = []
            for (index, opinion) in wanted.opinions.enumerated() {
                let found = try EntropyPooling(
                    opinion.items, panel: panel, groups: groups, prior: prior, alpha: request.alpha,
                    place: place.appending("opinions").appending(index).appending("items"))
                opinions.append((found.probabilities, opinion.probability))
            }
            probabilities = OpinionPooling.pool(opinions, prior: prior, wanted.pooling)
        }
        // Divisor one, so that views of variances hold exactly.
        let weighted = WeightedMoments(panel, weights: probabilities)
        var moments = Moments(mean: weighted.mean, covariance: weighted.covariance)
        moments.scenarioWeights = probabilities
        for (member, isGiven) in [
            ("mean_estimator", request.meanEstimator.method != .hist),
            ("covariance_estimator", request.covarianceEstimator.method != .hist),
        ] where isGiven {
            moments.warnings.append(
                PortfolioWarning(
                    code: "member_not_read", pointer: JSONPointer([member]),
                    detail: "EP takes mean and covariance from its own probabilities."))
        }
        return moments
    }
}

/// The probabilities of periods that a request gives.
enum ScenarioWeights {
    /// T probabilities adding up to one; nil where the request gives none.
    /// - Throws: `REQ-104` where the numbers are not T, or none is positive.
    static func probabilities(_ request: ScenarioWeightsRequest?, count: Int) throws(Problem) -> [Double]? {
        switch request {
        case nil: return nil
        case .halfLife(let life)?:
            let decay = Double.exp2(-1 / life)
            return ExponentialWeights.weights(count: count, decay: decay, isAdjusted: true)
        case .given(let weights)?:
            let total = weights.reduce(0, +)
            guard weights.count == count, weights.allSatisfy({ $0 >= 0 }), total > 0, total.isFinite else {
                throw Problem(
                    JSONPointer(["scenario_weights"]), .outOfRange,
                    "\(count) numbers that are not negative are needed, one of them positive.")
            }
            return weights.map { $0 / total }
        }
    }
}
