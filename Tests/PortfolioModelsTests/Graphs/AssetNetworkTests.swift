import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

@Suite("Networks of assets")
struct AssetNetworkTests {
    /// networkx 3.6.1 on the edges below.
    private static let recorded: [(CentralityMeasure, [Double])] = [
        (.degree, [2, 3, 3, 3, 2, 3, 2]),
        (
            .eigenvector,
            [
                0.31776650171035, 0.4012020570302, 0.43807852987443, 0.43807852987442, 0.31776650171035,
                0.4012020570302,
                0.30380441566432,
            ]
        ),
        (
            .katz,
            [
                0.35810410050055, 0.39062915183041, 0.3939145105506, 0.3939145105506, 0.35810410050055,
                0.39062915183041,
                0.35777556462853,
            ]
        ),
        (.closeness, [0.5, 0.6, 0.66666666666667, 0.66666666666667, 0.5, 0.6, 0.6]),
        (
            .betweenness,
            [0, 0.16666666666667, 0.26666666666667, 0.26666666666667, 0, 0.16666666666667, 0.13333333333333]
        ),
        (
            .communicability,
            [
                0.1321857776227, 0.32376045879852, 0.40640892172748, 0.40640892172748, 0.1321857776227,
                0.32376045879852,
                0.20816898166191,
            ]
        ),
        (
            .subgraph,
            [
                2.87067110149623, 3.66351752400641, 3.74107050489366, 3.74107050489367, 2.87067110149623,
                3.66351752400642, 2.46261628797969,
            ]
        ),
        (
            .laplacian,
            [
                0.27272727272727, 0.39393939393939, 0.42424242424242, 0.42424242424242, 0.27272727272727,
                0.39393939393939, 0.27272727272727,
            ]
        ),
    ]

    @Test("centralities are those of networkx", arguments: CentralityMeasure.allCases)
    func centralities(measure: CentralityMeasure) throws {
        let network = AssetNetwork(
            edges: [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (3, 5), (5, 6), (1, 6)], order: 7)
        let theirs = try #require(Self.recorded.first { $0.0 == measure }).1
        for (own, other) in zip(try network.centrality(measure), theirs) { #expect(abs(own - other) < 1e-13) }
    }

    @Test("walks of two steps reach the neighbours' neighbours")
    func connections() {
        let path = AssetNetwork(edges: [(0, 1), (1, 2), (2, 3)], order: 4)
        #expect(path.connections().storage.reduce(0, +) == 6)
        #expect(path.connections(within: 2).storage.reduce(0, +) == 10)
        #expect(path.connections(within: 3) == Matrix((0..<4).map { i in (0..<4).map { i == $0 ? 0 : 1 } }))
    }

    @Test(
        "networks of real returns are Riskfolio-Lib's", .enabled(if: Oracle.isPresent, "shared/oracle is not here"))
    func real() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        // Riskfolio-Lib 7.4.0: degrees, and the figures of one asset.
        for (graph, degrees, closeness, communicability) in [
            (NetworkGraph.minimumSpanningTree, [2.0, 1, 2, 1, 1, 1, 2, 2, 5, 1], 0.692307692308, 0.907342251638),
            (.triangulated, [5, 3, 6, 3, 5, 3, 8, 4, 8, 3], 0.9, 0.676620813199),
        ] {
            let network = try AssetNetwork(panel, graph: graph, codependence: .init())
            #expect(try network.centrality(.degree) == degrees)
            #expect(abs(try network.centrality(.closeness)[8] - closeness) < 1e-12)
            #expect(abs(try network.centrality(.communicability)[8] - communicability) < 1e-12)
        }
    }

    @Test("limits of the average centrality hold, bind, and can conflict")
    func limits() throws {
        let panel = try randomPanel(assets: 8, observations: 120, seed: 71)
        let network = try AssetNetwork(panel, graph: .minimumSpanningTree, codependence: .init())
        let degrees = try network.centrality(.degree)
        for measure in [RiskMeasureCode.mv, .cvar] {
            var request = OptimizeRequest(assets: panel.assets)
            request.periodsPerYear = 252
            request.objective = .minimumRisk
            request.riskMeasure = measure
            let free = try PortfolioOptimization.run(request, panel: panel)
            let average = zip(free.weights, degrees).reduce(0) { $0 + $1.0 * $1.1 }
            let level = (1 + average) / 2
            request.constraints.centrality = .init(max: level)
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [])
            let now = zip(found.weights, degrees).reduce(0) { $0 + $1.0 * $1.1 }
            #expect(abs(now - level) < 1e-9)
            #expect(found.solution.binding.contains { $0.constraint == "centrality.max" && $0.dual > 0 })
            request.constraints.centrality = .init(max: 0.5)
            let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
            #expect(problem.code == "OPT-101")
        }
    }

    @Test("the member's decoding names what is wrong")
    func decoding() throws {
        func pointer(_ text: JSONValue) -> String {
            do {
                _ = try OptimizeRequest(
                    json: ["assets": ["A", "B"], "constraints": ["centrality": text]])
                return "none"
            } catch {
                return error.errors.map { "\($0.pointer)" }.joined(separator: " ")
            }
        }
        #expect(pointer(["min": 1]) == "none")
        #expect(pointer(["measure": "Betweeness", "graph": "TMFG", "codependence": "tail", "max": 0.2]) == "none")
        #expect(pointer([:]) == "#/constraints/centrality/max")
        #expect(pointer(["measure": "Centre", "max": 1]) == "#/constraints/centrality/measure")
        #expect(pointer(["min": 2, "max": 1]) == "#/constraints/centrality/min")
        let request = try OptimizeRequest(json: ["assets": ["A", "B"], "constraints": ["centrality": ["max": 1]]])
        #expect(try OptimizeRequest(json: request.json) == request)
    }
}
