import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Soft constraints: a price for being beyond a level, against the hard constraints at every level.
@Suite("Soft constraints")
struct SoftConstraintTests {
    /// A constraint by its level, one that the optimum without it breaks.
    struct Kind: Sendable, CustomTestStringConvertible {
        var name: String
        /// From tight to loose.
        var levels: [Double]
        /// A price a unit that some of the levels are worth.
        var price: Double
        var isUpper = true
        var apply: @Sendable (inout ConstraintRequest, Double) -> Void

        var testDescription: String { name }
    }

    static let kinds: [Kind] = [
        Kind(name: "group_constraints.G.max", levels: [0.05, 0.15, 0.3, 0.6], price: 0.002) {
            $0.groups = [.init("G", ["A0", "A1", "A2", "A3"])]
            $0.groupLimits = [.init(group: "G", min: nil, max: $1)]
        },
        Kind(name: "linear.tilt.min", levels: [0.9, 0.6, 0.3], price: 0.004, isUpper: false) {
            $0.linear = [
                .init(
                    name: "tilt", coefficients: [.init("A5", 1), .init("A6", 0.5), .init("A0", -1)], min: $1, max: nil)
            ]
        },
        Kind(name: "turnover.total", levels: [0.1, 0.3, 0.6, 1], price: 0.001) {
            $0.turnover = .init(from: [.init("A0", 0.5), .init("A1", 0.5)], perAsset: nil, total: $1)
        },
        Kind(name: "turnover.per_asset", levels: [0.05], price: 0.001) {
            $0.turnover = .init(from: [.init("A0", 0.5), .init("A1", 0.5)], perAsset: $1, total: nil)
        },
        Kind(name: "gross", levels: [1, 1.2, 1.4], price: 0.002) {
            $0.lowerBound = .all(-0.3)
            $0.short = 0.5
            $0.gross = $1
        },
        Kind(name: "tracking_error", levels: [0.0005, 0.001, 0.002, 0.004], price: 0.3) {
            $0.benchmark = [.init("A0", 0.7), .init("A4", 0.3)]
            $0.trackingError = $1
        },
        Kind(name: "min_return", levels: [0.0011, 0.0009, 0.0007], price: 2, isUpper: false) { $0.minReturn = $1 },
        Kind(name: "max_risk.MV", levels: [0.004, 0.005, 0.006, 0.008], price: 0.5) {
            $0.maxRisk = [.init(measure: .mv, level: $1)]
        },
        Kind(name: "max_risk.CVaR", levels: [0.008, 0.01, 0.012, 0.015], price: 0.4) {
            $0.maxRisk = [.init(measure: .cvar, level: $1)]
        },
        Kind(name: "max_risk.MDD", levels: [0.01, 0.03, 0.06], price: 0.05) {
            $0.maxRisk = [.init(measure: .maximumDrawdown, level: $1)]
        },
        Kind(name: "effective_assets", levels: [6.9, 6, 4], price: 0.0005, isUpper: false) { $0.effectiveAssets = $1 },
    ]

    static let measures: [RiskMeasureCode] = [.mv, .cvar, .mad, .evar, .maximumDrawdown]

    private func request(_ measure: RiskMeasureCode, _ objective: ObjectiveName) -> OptimizeRequest {
        var request = OptimizeRequest(assets: (0..<7).map { "A\($0)" })
        request.riskMeasure = measure
        request.objective = objective
        request.riskAversion = measure == .mv ? 3 : 0.1
        request.periodsPerYear = 252
        request.riskFreeRate = 0
        return request
    }

    private func panel() throws -> ReturnPanel {
        let made = try randomPanel(assets: 7, observations: 90, seed: 5)
        return try ReturnPanel(assets: (0..<7).map { "A\($0)" }, dates: made.dates, returns: made.returns)
    }

    private func solve(_ request: OptimizeRequest, _ panel: ReturnPanel) throws -> OptimizationResult {
        let result = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: result)
        return result
    }

    /// The better of two objectives is the larger of these.
    private func gain(_ result: OptimizationResult, _ request: OptimizeRequest) -> Double {
        request.objective == .minimumRisk ? -result.solution.objectiveValue : result.solution.objectiveValue
    }

    @Test("are worth what the best hard level less its price is", arguments: kinds)
    func againstLevels(kind: Kind) throws {
        let panel = try panel()
        for measure in Self.measures {
            for objective in ObjectiveName.allCases {
                var soft = request(measure, objective)
                kind.apply(&soft.constraints, kind.levels[0])
                soft.constraints.soft = [.init(constraint: kind.name, weight: kind.price)]
                let answer: OptimizationResult
                do { answer = try solve(soft, panel) } catch let problem as Problem {
                    // A penalty that takes all of the excess return leaves no ratio.
                    #expect(problem.code == "OPT-203", "\(measure) \(objective): \(problem)")
                    #expect(objective == .sharpe, "\(measure) \(objective)")
                    continue
                }
                let own = gain(answer, soft)
                for level in kind.levels {
                    var hard = request(measure, objective)
                    kind.apply(&hard.constraints, level)
                    guard let found = try? solve(hard, panel) else { continue }
                    // Sums over assets pay for each of them: the level says what one may, not what they cost.
                    guard kind.name != "turnover.per_asset" else { continue }
                    let beyond = kind.isUpper ? level - kind.levels[0] : kind.levels[0] - level
                    var price = kind.price * beyond
                    // To first order only.
                    if kind.name == "effective_assets" {
                        price = kind.price * kind.levels[0] * kind.levels[0] * (1 / level - 1 / kind.levels[0])
                    }
                    if objective == .sharpe { price /= found.solution.risk }
                    let bar = gain(found, hard) - price
                    #expect(
                        own >= bar - 1e-7 * max(abs(bar), 1e-4),
                        "\(measure) \(objective) at \(level): \(own) against \(bar)")
                }
            }
        }
    }

    @Test("are kept where breaking them costs more than they do", arguments: kinds)
    func exactPenalty(kind: Kind) throws {
        let panel = try panel()
        for measure in Self.measures {
            for objective in ObjectiveName.allCases {
                var hard = request(measure, objective)
                kind.apply(&hard.constraints, kind.levels[kind.levels.count / 2])
                guard let bar = try? solve(hard, panel) else { continue }
                var soft = hard
                // A ratio's price is one of the ratio.
                let unit = objective == .sharpe ? bar.solution.risk : 1
                let price = bar.prices.first { $0.constraint == kind.name }?.dual ?? 0
                soft.constraints.soft = [.init(constraint: kind.name, weight: 3 * unit * price + 0.1 * kind.price)]
                let answer: OptimizationResult
                do { answer = try solve(soft, panel) } catch {
                    // A ratio over the very function that is softly limited: two equal ladders in one program.
                    withKnownIssue(isIntermittent: true) {
                        Issue.record("\(measure) \(objective): \(error)")
                    } when: {
                        kind.name == "max_risk.MDD" && measure == .maximumDrawdown && objective == .sharpe
                    }
                    continue
                }
                let size = abs(bar.solution.objectiveValue) + abs(bar.solution.expectedReturn) + bar.solution.risk
                #expect(
                    abs(answer.solution.objectiveValue - bar.solution.objectiveValue)
                        <= (3e-8 + answer.solution.dualityGap + bar.solution.dualityGap) * size,
                    "\(measure) \(objective): \(answer.solution.objectiveValue), hard \(bar.solution.objectiveValue)")
                #expect(!answer.warnings.contains { $0.code == "soft_limit_exceeded" })
            }
        }
    }

    @Test("leave an answer where hard ones leave none, and say how far it is beyond them")
    func impossible() throws {
        let panel = try panel()
        var wanted = request(.cvar, .minimumRisk)
        wanted.constraints.maxRisk = [.init(measure: .mv, level: 1e-5)]
        #expect(throws: Problem.self) { try solve(wanted, panel) }
        wanted.constraints.soft = [.init(constraint: "max_risk", weight: 1)]
        let answer = try solve(wanted, panel)
        let warning = try #require(answer.warnings.first { $0.code == "soft_limit_exceeded" })
        #expect(warning.detail.contains("max_risk.MV"))
        #expect(answer.solution.binding.contains { $0.constraint == "max_risk.MV" && abs($0.dual - 1) < 1e-6 })
    }

    @Test("that name nothing, and models that keep none, are refused")
    func refused() throws {
        let panel = try panel()
        var wanted = request(.mv, .minimumRisk)
        wanted.constraints.groups = [.init("Tech", ["A0", "A1"])]
        wanted.constraints.groupLimits = [.init(group: "Tech", min: nil, max: 0.1)]
        wanted.constraints.soft = [.init(constraint: "group_constraints.Tec.max", weight: 1)]
        let problem = try #require(caught { _ = try solve(wanted, panel) })
        #expect("\(problem)".contains("group_constraints.Tech.max"), "\(problem)")
        wanted.constraints.soft = [.init(constraint: "group_constraints", weight: 1)]
        wanted.model = .equalWeight
        #expect(caught { _ = try solve(wanted, panel) }?.code.hasPrefix("REQ-") == true)
    }

    @Test("hold beside rules on which assets are held, in many assets, and over a frontier")
    func combined() throws {
        let panel = try panel()
        var wanted = request(.cvar, .utility)
        Self.kinds[0].apply(&wanted.constraints, 0.1)
        wanted.constraints.soft = [.init(constraint: "group_constraints", weight: 0.002)]
        wanted.constraints.cardinality = .init(max: 3)
        let few = try solve(wanted, panel)
        #expect(few.weights.filter { $0 != 0 }.count <= 3)
        wanted.constraints.cardinality = nil
        wanted.frontier = .init(points: 5, axis: .expectedReturn)
        #expect(try solve(wanted, panel).frontier?.count == 5)
        let many = try randomPanel(assets: 60, observations: 120, seed: 9)
        for measure in [RiskMeasureCode.mv, .cvar] {
            var large = request(measure, .sharpe)
            large.assets = many.assets
            large.constraints.turnover = .init(from: [.init(many.assets[7], 1)], perAsset: nil, total: 0.2)
            large.constraints.soft = [.init(constraint: "turnover", weight: 3e-3)]
            #expect(try solve(large, many).weights[7] > 0)
        }
    }
}
