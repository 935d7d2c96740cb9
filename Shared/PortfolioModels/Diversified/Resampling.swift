import ConvexSolver
import LinearAlgebra
import WireFormat

/// The mean of many optimal portfolios, each of another sample, with bands of their weights.
///
/// ```
/// bootstrap   T periods drawn with replacement, in blocks of mean length `window`
/// subset      m assets drawn without replacement; the others are zero
/// ```
/// All samples keep the same linear constraints, so their mean does. A sample without an optimum (no portfolio beats the rate there) is
/// left out, with a warning.
///
/// Source: R. Michaud, R. Michaud (1998), Efficient Asset Management; W. Shen, J. Wang (2017), Portfolio Selection via Subset
/// Resampling, AAAI 31.
struct Resampling {
    let request: OptimizeRequest
    let panel: ReturnPanel
    let constraints: ConstraintSet
    let parameters: RiskParameters
    let periodsPerYear: Double
    let deadline: SolverDeadline

    struct Solution {
        var weights: [Double]
        var bands: [OptimizeResponse.WeightBand]
        var warnings: [PortfolioWarning]
    }

    /// - Throws: what the samples throw, where none has an optimum or a constraint cannot hold; `SYS-201`.
    func solve() throws(Problem) -> Solution {
        let wanted = request.resampling ?? ResamplingRequest()
        let n = panel.assets.count
        var samples: [[Double]] = []
        var lost: Problem?
        let draws =
            wanted.method == .bootstrap
            ? try BlockBootstrap(
                .stationary, observations: panel.observations, samples: wanted.samples, window: wanted.window,
                seed: wanted.seed
            ).counts : Matrix(rows: 0, columns: 0)
        var numbers = SeededNumbers(seed: wanted.seed)
        let size = min(wanted.size ?? Int(Double(n).squareRoot().rounded(.up)), n)
        let parts = deadline.monitor?.divide(into: wanted.samples)
        for sample in 0..<wanted.samples {
            defer { parts?.finished() }
            do {
                switch wanted.method {
                case .bootstrap: samples.append(try bootstrapped(draws.row(sample)))
                case .subset: samples.append(try subset(Self.choose(size, of: n, &numbers)))
                }
            } catch {
                let isEmpty = [ProblemCode.ratioUndefined, .notConverged, .unstable].contains {
                    $0.rawValue == error.code
                }
                // A subset may be too small for the constraints, where the whole is not.
                let isTooSmall = wanted.method == .subset && error.code == ProblemCode.infeasible.rawValue
                guard isEmpty || isTooSmall else { throw error }
                lost = error
            }
        }
        guard !samples.isEmpty else { throw lost ?? Problem(.notConverged, "No sample has an optimum.") }
        return Solution(
            weights: mean(samples), bands: bands(samples, wanted.coverage),
            warnings: lost == nil ? [] : [warning(samples.count, wanted.samples, lost)])
    }

    private func warning(_ kept: Int, _ all: Int, _ lost: Problem?) -> PortfolioWarning {
        PortfolioWarning(
            code: "samples_left_out", pointer: JSONPointer(["resampling"]),
            detail: "\(all - kept) of \(all) samples have no optimum and are left out: \(lost?.detail ?? "")")
    }

    private func mean(_ samples: [[Double]]) -> [Double] {
        var weights = [Double](repeating: 0, count: panel.assets.count)
        for sample in samples { Vector.axpy(1 / Double(samples.count), sample, &weights) }
        for i in weights.indices {
            weights[i] = min(max(weights[i], constraints.lower[i]), constraints.upper[i])
            if weights[i] == 0 { weights[i] = 0 }
        }
        WeightCleanup.balance(&weights, constraints)
        return weights
    }

    private func bands(_ samples: [[Double]], _ coverage: Double) -> [OptimizeResponse.WeightBand] {
        panel.assets.indices.map { asset in
            let values = samples.map { $0[asset] }
            let outside = (1 - coverage) / 2
            return OptimizeResponse.WeightBand(
                low: SampleQuantile.of(values, outside), median: SampleQuantile.of(values, 0.5),
                high: SampleQuantile.of(values, 1 - outside))
        }
    }

    private func optimum(_ request: OptimizeRequest, _ panel: ReturnPanel) throws(Problem) -> [Double] {
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: periodsPerYear)
        // A network is that of the whole sample, in every resample.
        let set = try ConstraintSet(
            request: request, mean: moments.mean, periodsPerYear: periodsPerYear, panel: self.panel,
            parameters: parameters)
        return try MeanRiskSolve(
            request: request, panel: panel, moments: moments, isSample: MomentEstimation.isPlain(request),
            constraints: set, parameters: parameters, riskFreeRate: request.riskFreeRate / periodsPerYear,
            deadline: deadline
        ).run().weights
    }

    private var classic: OptimizeRequest {
        var classic = request
        classic.model = .classic
        classic.frontier = nil
        return classic
    }

    private func bootstrapped(_ counts: [Double]) throws(Problem) -> [Double] {
        // Resamples keep the panel's dates: what counts is how often each period is there.
        var periods: [Int] = []
        for (t, count) in counts.enumerated() { for _ in 0..<Int(count) { periods.append(t) } }
        var returns = Matrix(rows: periods.count, columns: panel.assets.count)
        for j in 0..<panel.assets.count {
            for (row, t) in periods.enumerated() { returns[row, j] = panel.returns[t, j] }
        }
        return try optimum(classic, try ReturnPanel(assets: panel.assets, dates: panel.dates, returns: returns))
    }

    private func subset(_ chosen: Set<Int>) throws(Problem) -> [Double] {
        var wanted = classic
        wanted.constraints.lowerBound = .byAsset(bounds(constraints.lower, chosen))
        wanted.constraints.upperBound = .byAsset(bounds(constraints.upper, chosen))
        return try optimum(wanted, panel)
    }

    private func bounds(_ levels: [Double], _ chosen: Set<Int>) -> [ConstraintRequest.AssetValue] {
        panel.assets.indices.map { .init(panel.assets[$0], chosen.contains($0) ? levels[$0] : 0) }
    }

    /// `size` different numbers below `count`.
    private static func choose(_ size: Int, of count: Int, _ numbers: inout SeededNumbers) -> Set<Int> {
        var places = Array(0..<count)
        for i in 0..<size { places.swapAt(i, i + numbers.pick(count - i)) }
        return Set(places.prefix(size))
    }
}

extension ModelDispatch {
    /// The mean of resampled optima.
    func resampled() throws(Problem) -> OptimizationResult {
        if request.constraints.minReturn != nil {
            throw Problem(
                JSONPointer(["constraints", "min_return"]), .contradiction,
                "Resampled portfolios meet a required return in each sample, not in all of them together: min_return belongs to Classic."
            )
        }
        let wanted = request.resampling ?? ResamplingRequest()
        if wanted.method == .subset {
            for (asset, least) in constraints.lower.enumerated() where least > 0 {
                throw Problem(
                    JSONPointer(["constraints", "lower_bound"]), .contradiction,
                    "\(Problem.echo(panel.assets[asset])) has a lower bound of \(least), and is not in every subset.")
            }
        }
        let found = try Resampling(
            request: request, panel: panel, constraints: constraints, parameters: parameters,
            periodsPerYear: periodsPerYear, deadline: deadline
        ).solve()
        var answer = try result(
            Allocation(weights: found.weights, method: "resampling", warnings: found.warnings))
        answer.weightBands = found.bands
        return answer
    }
}
