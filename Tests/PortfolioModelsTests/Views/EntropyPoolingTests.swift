import LinearAlgebra
import RealModule
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Entropy pooling")
struct EntropyPoolingTests {
    private let panel: ReturnPanel

    init() throws { panel = try randomPanel(assets: 4, observations: 300, seed: 17) }

    private func pool(_ texts: [String], prior: [Double]? = nil) throws -> (p: [Double], entropy: Double) {
        let body: JSONValue = [
            "assets": JSONValue(panel.assets), "model": "EP", "views": ["items": JSONValue(texts)],
        ]
        let views = try #require(try OptimizeRequest(json: body).views)
        let found = try EntropyPooling(
            views.items, panel: panel, groups: [], prior: prior, alpha: 0.05, place: JSONPointer(["views", "items"]))
        #expect(abs(found.probabilities.reduce(0, +) - 1) <= 1e-12)
        #expect(found.probabilities.allSatisfy { $0 >= 0 })
        return (found.probabilities, found.relativeEntropy)
    }

    private func moment(_ p: [Double], _ asset: Int, _ power: Int) -> Double {
        let x = panel.column(asset)
        let mean = Vector.dot(x, p)
        if power == 1 { return mean }
        return zip(x, p).reduce(0) { sum, pair in
            sum + pair.1 * (0..<power).reduce(1.0) { product, _ in product * (pair.0 - mean) }
        }
    }

    @Test("No view, or one that the prior satisfies, changes nothing")
    func idle() throws {
        let empty = try EntropyPooling([], panel: panel, groups: [], prior: nil, alpha: 0.05, place: .root)
        #expect(empty.probabilities == [Double](repeating: 1 / 300.0, count: 300))
        #expect(try pool(["A0 >= -1", "std(A1) <= 1", "CVaR(A2) <= 1"]).entropy <= 1e-12)
    }

    @Test("Every statistic holds exactly")
    func statistics() throws {
        let p = try pool([
            "A0 - A1 == 0.001", "A2 >= 0.002", "std(A0) == 0.012", "variance(A1) <= 0.0001", "corr(A0, A2) == 0.3",
            "skew(A3) == -0.5", "kurtosis(A3) == 4",
        ]).p
        #expect(abs(moment(p, 0, 1) - moment(p, 1, 1) - 0.001) <= 1e-11)
        #expect(moment(p, 2, 1) >= 0.002 - 1e-11)
        #expect(abs(moment(p, 0, 2).squareRoot() - 0.012) <= 1e-9)
        #expect(moment(p, 1, 2) <= 0.0001 + 1e-11)
        let deviation = moment(p, 3, 2).squareRoot()
        #expect(abs(moment(p, 3, 3) / Double.pow(deviation, 3) + 0.5) <= 1e-6)
        #expect(abs(moment(p, 3, 4) / Double.pow(deviation, 4) - 4) <= 1e-6)
        let (a, b) = (panel.column(0), panel.column(2))
        let (ma, mb) = (Vector.dot(a, p), Vector.dot(b, p))
        let covariance = p.indices.reduce(0.0) { $0 + p[$1] * (a[$1] - ma) * (b[$1] - mb) }
        #expect(abs(covariance / (moment(p, 0, 2) * moment(p, 2, 2)).squareRoot() - 0.3) <= 1e-8)
    }

    @Test("A mean view alone is the exponential tilting of the textbook")
    func closedForm() throws {
        let p = try pool(["A1 == 0.003"]).p
        // ln(p_t T) is linear in the return.
        let x = panel.column(1)
        let slope = Double.log(p[1] / p[0]) / (x[1] - x[0])
        for t in 2..<300 { #expect(abs(Double.log(p[t] / p[0]) - slope * (x[t] - x[0])) <= 1e-9) }
        #expect(abs(Vector.dot(x, p) - 0.003) <= 1e-12)
    }

    @Test("Riskfolio-Lib's program has the same solution", .enabled(if: Oracle.isPresent, "shared/oracle is absent"))
    func peer() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        let names = panel.assets
        let body: JSONValue = [
            "assets": JSONValue(names), "model": "EP",
            "views": [
                "items": JSONValue([
                    "\(names[0]) - \(names[1]) == 0.0002", "\(names[4]) == 0.0006", "\(names[2]) >= 0.0008",
                ])
            ],
        ]
        let request = try OptimizeRequest(json: body)
        let found = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let p = try #require(found.scenarioWeights)
        // The peer's solver stops at 1e-8 or so; ours satisfies the views to 1e-12 and has no larger an entropy.
        let entropy = p.reduce(0) { $0 + $1 * Double.log($1 * 500) }
        #expect(abs(entropy - 0.003388121008698921) <= 1e-7)
        #expect(abs(Vector.dot(p, p) - 0.0020136970717308765) <= 1e-8)
        #expect(abs(Vector.norm2(found.mean) - 0.0030521939544481233) <= 1e-7)
        #expect(abs(Vector.norm2(found.covariance.storage) - 0.0019606393202931402) <= 1e-8)
        #expect(abs(found.mean[0] - found.mean[1] - 0.0002) <= 1e-12)
        #expect(abs(found.mean[4] - 0.0006) <= 1e-12)
        #expect(found.mean[2] >= 0.0008 - 1e-12)
    }

    @Test("Views of the value at risk hold", arguments: [(4, "=="), (40, "=="), (6, ">="), (30, "<=")])
    func valueAtRisk(rank: Int, sense: String) throws {
        let x = panel.column(0)
        let level = -x.sorted()[rank]
        let p = try pool(["VaR(A0) \(sense) \(level)"]).p
        let tail = x.indices.reduce(0.0) { $0 + (x[$1] <= -level ? p[$1] : 0) }
        #expect(abs(tail - 0.05) <= 1e-10)
    }

    @Test(
        "Views of the conditional value at risk hold, heavier or lighter than the sample's",
        arguments: [0.6, 0.8, 0.95, 1.1, 1.3])
    func conditionalValueAtRisk(factor: Double) throws {
        let tail = TailViews.Tail(series: panel.column(0), level: 0, alpha: 0.05, sense: .equal, name: "")
        let uniform = [Double](repeating: 1 / 300.0, count: 300)
        let level = factor * tail.conditionalValueAtRisk(uniform)
        let found = try pool(["CVaR(A0) == \(level)"])
        #expect(abs(tail.conditionalValueAtRisk(found.p) - level) <= 1e-8 * level)
        // No other anchor of the convex programs does better: a fine search over all losses.
        var least = Double.infinity
        for e in panel.column(0).map({ -$0 }) where e < level {
            var own = tail
            own.level = level
            if let other = try? ExponentialTilting(prior: uniform, conditions: [own.condition(e, isAtMost: true)]),
                factor < 1
            {
                least = min(least, other.relativeEntropy)
            }
        }
        if factor < 1 { #expect(found.entropy <= least + 1e-12) }
    }

    @Test("Rankings as chains of inequalities hold")
    func ranking() throws {
        let p = try pool(["A3 >= A2 >= A1 >= A0"]).p
        let means = (0..<4).map { moment(p, $0, 1) }
        for (a, b) in zip(means, means.dropFirst()) { #expect(b >= a - 1e-11) }
    }

    @Test("Inequalities alone and groups alone work, which crash in Riskfolio-Lib")
    func inequalitiesAndGroups() throws {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = .entropyPooling
        request.constraints.groups = [.init("G", ["A0", "A1"])]
        var views = ViewsRequest()
        var first = ViewsRequest.View(weights: [.init("G", 1)], level: 0.003)
        first.sense = .atLeast
        var second = ViewsRequest.View(weights: [.init("G", 1), .init("A3", -1)], level: 0.0005)
        second.sense = .atLeast
        views.items = [first, second]
        request.views = views
        let found = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252).mean
        #expect((found[0] + found[1]) / 2 >= 0.003 - 1e-12)
        #expect((found[0] + found[1]) / 2 - found[3] >= 0.0005 - 1e-12)
    }

    @Test("Views that no probabilities satisfy are refused by name")
    func conflict() throws {
        let problem = caught { try pool(["A0 >= 0.5"]) }
        #expect(problem?.code == "OPT-101")
        #expect(problem?.conflict == ["#/views/items/0"])
        let pair = caught { try pool(["A2 >= 0", "A0 == 0.001", "A0 == 0.002"]) }
        #expect(pair?.code == "OPT-101")
        #expect(pair?.conflict == ["#/views/items/1", "#/views/items/2"])
        #expect(caught { try pool(["CVaR(A0) == 5"]) }?.code == "OPT-101")
        #expect(caught { try pool(["CVaR(A0) <= -1"]) }?.code == "OPT-101")
    }

    @Test("Repeated views are one view")
    func repeated() throws {
        let once = try pool(["A0 == 0.002"]).p
        let thrice = try pool(["A0 == 0.002", "A0 == 0.002", "2 A0 == 0.004"]).p
        for (a, b) in zip(once, thrice) { #expect(abs(a - b) <= 1e-10) }
    }

    @Test("A prior of zero stays zero, and other priors are tilted")
    func prior() throws {
        var prior = (0..<300).map { Double($0 % 3) }
        let total = prior.reduce(0, +)
        prior = prior.map { $0 / total }
        let p = try pool(["A0 == 0.002"], prior: prior).p
        for t in 0..<300 where prior[t] == 0 { #expect(p[t] == 0) }
        #expect(abs(Vector.dot(panel.column(0), p) - 0.002) <= 1e-11)
    }

    @Test("Opinions pool linearly and logarithmically; what they leave is the prior's")
    func opinions() {
        let prior = [0.25, 0.25, 0.25, 0.25]
        let first = [0.4, 0.3, 0.2, 0.1]
        let second = [0.1, 0.1, 0.4, 0.4]
        let linear = OpinionPooling.pool([(first, 0.5), (second, 0.3)], prior: prior, .linear)
        for t in 0..<4 { #expect(abs(linear[t] - (0.5 * first[t] + 0.3 * second[t] + 0.05)) <= 1e-15) }
        let log = OpinionPooling.pool([(first, 0.5), (second, 0.5)], prior: prior, .logarithmic)
        let raw = zip(first, second).map { ($0 * $1).squareRoot() }
        let total = raw.reduce(0, +)
        for t in 0..<4 { #expect(abs(log[t] - raw[t] / total) <= 1e-15) }
    }

    @Test("The answer of a request with EP passes verification, and its metrics are the sample's")
    func answer() throws {
        let body: JSONValue = [
            "assets": JSONValue(panel.assets), "model": "EP", "objective": "MinRisk",
            "views": ["items": ["std(A0) == 0.02", "A1 >= 0.001"]],
        ]
        let request = try OptimizeRequest(json: body)
        let result = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: result) == [])
        #expect(result.moments?.scenarioWeights?.count == 300)
    }
}
