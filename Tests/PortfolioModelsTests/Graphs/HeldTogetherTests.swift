import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Limits of what is held of a neighbourhood and of a cluster.
@Suite("Assets that are not held together")
struct HeldTogetherTests {
    struct Limit: Sendable, CustomTestStringConvertible {
        var name: String
        var apply: @Sendable (inout ConstraintRequest) -> Void
        /// Riskfolio-Lib 7.4.0 with HiGHS 1.16: the objective by window, measure and objective. The worst realisation of the larger window is
        /// HiGHS' linear program on the assets that the peer holds: its mixed-integer one is 1e-6 above that.
        var recorded: [(window: String, RiskMeasureCode, ObjectiveName, Double)]

        var testDescription: String { name }
    }

    private static let small = "sp500_n10_T500"
    private static let large = "sp500_n20_T500"

    private static func network(_ graph: NetworkGraph, _ walk: Int) -> @Sendable (inout ConstraintRequest) -> Void {
        { constraints in
            var limit = NeighbourhoodRequest()
            limit.graph = graph
            limit.walkSize = walk
            constraints.network = limit
        }
    }

    static let limits: [Limit] = [
        Limit(
            name: "spanning tree", apply: network(.minimumSpanningTree, 1),
            recorded: [
                (small, .cvar, .minimumRisk, 0.0215833767284), (small, .mad, .sharpe, 0.141111385976),
                (small, .worstRealisation, .minimumRisk, 0.0366688318729),
                (large, .cvar, .minimumRisk, 0.0194995135038),
                (large, .mad, .sharpe, 0.166420214553), (large, .worstRealisation, .minimumRisk, 0.0332857262122),
            ]),
        Limit(
            name: "two edges of the spanning tree", apply: network(.minimumSpanningTree, 2),
            recorded: [
                (small, .cvar, .minimumRisk, 0.0224871413959), (small, .mad, .sharpe, 0.129103123313),
                (large, .cvar, .minimumRisk, 0.0204983621379), (large, .mad, .sharpe, 0.152076737611),
                (large, .worstRealisation, .minimumRisk, 0.03566133328469276),
            ]),
        Limit(
            name: "planar graph", apply: network(.triangulated, 1),
            recorded: [
                (small, .worstRealisation, .minimumRisk, 0.0479575356698),
                (large, .cvar, .minimumRisk, 0.0206586118915),
                (large, .mad, .sharpe, 0.152076737611), (large, .worstRealisation, .minimumRisk, 0.03566133328469276),
            ]),
        Limit(
            name: "four clusters",
            apply: {
                var limit = ClusterLimitRequest()
                limit.clustering.linkage = .ward
                limit.clustering.count = 4
                $0.clusters = limit
            },
            recorded: [
                (small, .cvar, .minimumRisk, 0.0210931750953), (small, .mad, .sharpe, 0.141508928423),
                (large, .cvar, .minimumRisk, 0.0194995135038), (large, .mad, .sharpe, 0.16676464404),
            ]),
    ]

    @Test("are those of Riskfolio-Lib", .enabled(if: Oracle.isPresent, "shared/oracle is not here"), arguments: limits)
    func peer(limit: Limit) throws {
        for (window, measure, objective, value) in limit.recorded {
            let panel = try Oracle.panel(window)
            var wanted = plainRequest(panel, measure, objective)
            limit.apply(&wanted.constraints)
            let found = try PortfolioOptimization.run(wanted, panel: panel)
            try Verification.check(wanted, panel: panel, result: found)
            let miss = abs(found.solution.objectiveValue - value) / value
            #expect(miss < 1e-8, "\(window) \(measure) \(objective): \(found.solution.objectiveValue), theirs \(value)")
        }
    }

    @Test("networks are Riskfolio-Lib's", .enabled(if: Oracle.isPresent, "shared/oracle is not here"))
    func matrices() throws {
        let recorded: [(NetworkGraph, Int, [[Int]])] = [
            (.minimumSpanningTree, 1, [[1, 8], [0], [5, 8], [6], [8], [2], [3, 8], [8, 9], [0, 2, 4, 6, 7], [7]]),
            (
                .minimumSpanningTree, 2,
                [
                    [1, 2, 4, 6, 7, 8], [0, 8], [0, 4, 5, 6, 7, 8], [6, 8], [0, 2, 6, 7, 8], [2, 8],
                    [0, 2, 3, 4, 7, 8], [0, 2, 4, 6, 8, 9], [0, 1, 2, 3, 4, 5, 6, 7, 9], [7, 8],
                ]
            ),
            (
                .triangulated, 1,
                [
                    [1, 2, 3, 6, 8], [0, 6, 8], [0, 3, 4, 5, 6, 8], [0, 2, 6], [2, 5, 6, 7, 8], [2, 4, 8],
                    [0, 1, 2, 3, 4, 7, 8, 9], [4, 6, 8, 9], [0, 1, 2, 4, 5, 6, 7, 9], [6, 7, 8],
                ]
            ),
        ]
        let panel = try Oracle.panel(Self.small)
        for (graph, walk, rows) in recorded {
            let matrix = try AssetNetwork(panel, graph: graph, codependence: .init()).connections(within: walk)
            #expect(rows.indices.map { i in rows.indices.filter { matrix[$0, i] != 0 } } == rows)
        }
    }

    @Test("are the best of all sets of assets that keep the rule", arguments: limits)
    func enumeration(limit: Limit) throws {
        let cases: [(RiskMeasureCode, ObjectiveName, UInt64)] = [
            (.mv, .minimumRisk, 21), (.mv, .sharpe, 22), (.cvar, .utility, 23), (.cdar, .minimumRisk, 24),
            (.mad, .maximumReturn, 25), (.slpm, .sharpe, 26),
        ]
        for (measure, objective, seed) in cases {
            let panel = try randomPanel(assets: 7, observations: 80, seed: seed)
            var wanted = plainRequest(panel, measure, objective)
            wanted.riskFreeRate = -0.9
            let plain = wanted
            limit.apply(&wanted.constraints)
            let found = try PortfolioOptimization.run(wanted, panel: panel)
            #expect(Verification.faults(wanted, panel: panel, result: found) == [])
            let sets = try forbidden(wanted.constraints, panel)
            var best: Double?
            for mask in 1..<(1 << panel.assets.count) {
                let held = panel.assets.indices.filter { mask >> $0 & 1 == 1 }
                guard sets.allSatisfy({ set in held.filter { set.contains($0) }.count <= 1 }) else { continue }
                var one = plain
                one.constraints.upperBound = .byAsset(
                    panel.assets.indices.map { .init(panel.assets[$0], held.contains($0) ? 1 : 0) })
                let value = try PortfolioOptimization.run(one, panel: panel).solution.objectiveValue
                best = best.map { objective == .minimumRisk ? min($0, value) : max($0, value) } ?? value
            }
            let value = try #require(best)
            let miss = abs(found.solution.objectiveValue - value) / abs(value)
            #expect(miss <= 2e-7, "\(measure) \(objective): \(found.solution.objectiveValue), enumerated \(value)")
            #expect(found.solution.status == "optimal")
        }
    }

    /// By powers of the network's matrix: of each set at most one asset is held.
    private func forbidden(_ constraints: ConstraintRequest, _ panel: ReturnPanel) throws -> [Set<Int>] {
        if let limit = constraints.clusters {
            let labels = try HierarchicalClustering(
                panel, .init(linkage: .ward, clusters: limit.clustering.count)
            ).clusters()
            return Dendrogram.groups(labels).map { Set($0) }
        }
        let limit = try #require(constraints.network)
        let network = try AssetNetwork(panel, graph: limit.graph, codependence: .init())
        return panel.assets.indices.map { centre in
            var near: Set<Int> = [centre]
            for _ in 0..<limit.walkSize { near.formUnion(near.flatMap { network.neighbours[$0] }) }
            return near
        }
    }

    @Test("two may be held where two are allowed")
    func most() throws {
        let panel = try randomPanel(assets: 8, observations: 120, seed: 31)
        var wanted = plainRequest(panel, .mv, .minimumRisk)
        var values: [Double] = []
        for most in 1...8 {
            var limit = NeighbourhoodRequest()
            limit.graph = .triangulated
            limit.most = most
            wanted.constraints.network = limit
            let found = try PortfolioOptimization.run(wanted, panel: panel)
            #expect(Verification.faults(wanted, panel: panel, result: found) == [])
            values.append(found.solution.objectiveValue)
        }
        for (tighter, looser) in zip(values, values.dropFirst()) { #expect(looser <= tighter * (1 + 1e-7)) }
        wanted.constraints.network = nil
        let free = try PortfolioOptimization.run(wanted, panel: panel).solution.objectiveValue
        #expect(abs(values[7] - free) <= 1e-9 * free)
        #expect(values[0] > 1.001 * free)
    }

    @Test("a rule that leaves nothing is named, with the number that would do")
    func conflict() throws {
        let panel = try randomPanel(assets: 6, observations: 120, seed: 32)
        var wanted = plainRequest(panel, .mv, .minimumRisk)
        wanted.constraints.upperBound = .all(0.2)
        wanted.constraints.network = NeighbourhoodRequest()
        let problem = try #require(caught { _ = try PortfolioOptimization.run(wanted, panel: panel) })
        #expect(problem.code == "OPT-101")
        #expect(problem.conflict == ["network"])
        let most = try #require(problem.relaxation?.first?.to)
        wanted.constraints.network?.most = Int(most)
        #expect(caught { _ = try PortfolioOptimization.run(wanted, panel: panel) } == nil)
        wanted.constraints.network?.most = Int(most) - 1
        #expect(caught { _ = try PortfolioOptimization.run(wanted, panel: panel) } != nil)
    }

    @Test("one asset and two assets")
    func fewAssets() throws {
        for count in [1, 2] {
            let panel = try randomPanel(assets: count, observations: 50, seed: 33)
            var wanted = plainRequest(panel, .mv, .minimumRisk)
            wanted.constraints.network = NeighbourhoodRequest()
            wanted.constraints.clusters = ClusterLimitRequest()
            let found = try PortfolioOptimization.run(wanted, panel: panel)
            try Verification.check(wanted, panel: panel, result: found)
            #expect(found.weights.filter { $0 != 0 }.count == 1)
        }
    }

    @Test(
        "models that do not choose what they hold say so",
        arguments: ["RiskParity", "WorstCase", "MVSK", "HRP", "NearOptimal"])
    func refused(model: String) throws {
        let panel = try randomPanel(assets: 4, observations: 60, seed: 34)
        var wanted = plainRequest(panel, .mv, .minimumRisk)
        wanted.model = try #require(ModelName(rawValue: model))
        for (name, apply) in [
            ("network", { (c: inout ConstraintRequest) in c.network = NeighbourhoodRequest() }),
            ("clusters", { $0.clusters = ClusterLimitRequest() }),
            ("cardinality", { $0.cardinality = .init(max: 2) }),
        ] {
            wanted.constraints = ConstraintRequest()
            apply(&wanted.constraints)
            let problem = try #require(caught { _ = try PortfolioOptimization.run(wanted, panel: panel) })
            #expect(problem.errors.map { "\($0.pointer)" } == ["#/constraints/\(name)"])
        }
    }

    @Test("the members' decoding names what is wrong")
    func decoding() throws {
        func pointer(_ constraints: JSONValue) -> String {
            do {
                let read = try OptimizeRequest(json: ["assets": ["A", "B"], "constraints": constraints])
                return try OptimizeRequest(json: read.json) == read ? "none" : "not the same"
            } catch {
                return error.errors.map { "\($0.pointer)" }.joined(separator: " ")
            }
        }
        #expect(pointer(["network": [:], "clusters": [:]]) == "none")
        #expect(pointer(["network": ["graph": "TMFG", "codependence": "tail", "walk_size": 2, "max": 2]]) == "none")
        #expect(pointer(["clusters": ["clustering": ["linkage": "DBHT", "k": 2], "max": 1]]) == "none")
        #expect(pointer(["network": ["walk_size": 0]]) == "#/constraints/network/walk_size")
        #expect(pointer(["network": ["max": 0]]) == "#/constraints/network/max")
        #expect(pointer(["clusters": ["clustering": ["k": 3]]]) == "#/constraints/clusters/clustering/k")
        #expect(pointer(["clusters": ["clustering": ["gamma": 0.5]]]) == "#/constraints/clusters/clustering/gamma")
        #expect(pointer(["clusters": ["linkage": "ward"]]) == "#/constraints/clusters/linkage")
    }
}
