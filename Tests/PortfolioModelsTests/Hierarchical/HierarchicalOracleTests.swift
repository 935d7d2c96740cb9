import ConvexSolver
import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Hierarchical models against the oracle", .enabled(if: Oracle.isPresent, "no ../shared"))
struct HierarchicalOracleTests {
    static let windows = ["sp500_n10_T500", "sp500_n20_T1008"]

    @Test("linkage matrices with and without leaf order", arguments: windows)
    func linkage(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("hierarchical", window).filter { $0["kind"]?.stringValue == "linkage" }
        #expect(records.count == 4)
        for record in records {
            let method = try #require(LinkageMethod(rawValue: try record.text("linkage")))
            let distance = try Codependence(panel).distance
            let plain = Linkage.tree(distance, method)
            try compare(plain, record, "Z_without_leaf_ordering", "\(method)")
            let ordered = OptimalLeafOrdering.ordered(plain, distance)
            try compare(ordered, record, "Z", "\(method), ordered")
            #expect(ordered.leafOrder == (try record.numbers("leaf_order").map { Int($0) }), "\(method)")
        }
    }

    private func compare(_ tree: Dendrogram, _ record: JSONValue, _ key: String, _ label: String) throws {
        let rows = try #require(record[key]?.arrayValue)
        #expect(rows.count == tree.merges.count)
        for (merge, row) in zip(tree.merges, rows) {
            let values = try #require(row.arrayValue).compactMap { $0.doubleValue }
            #expect(
                [merge.left, merge.right, merge.size] == [Int(values[0]), Int(values[1]), Int(values[3])], "\(label)")
            #expect(abs(merge.height - values[2]) <= 1e-13, "\(label)")
        }
    }

    @Test("codependence matrices", arguments: windows)
    func codependence(window: String) throws {
        let panel = try Oracle.panel(window)
        let stored =
            try Oracle.records("hierarchical", window).compactMap { record -> (String, JSONValue)? in
                guard let matrix = record["codependence_matrix"] else { return nil }
                return (try record.text("codependence"), matrix)
            }
            + Oracle.records("estimators", window).filter { $0["kind"]?.stringValue == "codependence" }.compactMap {
                guard let matrix = $0["value"] else { return nil }
                return (try $0.text("method"), matrix)
            }
        #expect(stored.count == (window == "sp500_n10_T500" ? 11 : 8))
        for (name, matrix) in stored {
            let measure = try #require(Codependence.Measure(rawValue: name))
            let similarity = try Codependence(panel, .init(measure: measure)).similarity
            for (i, row) in try #require(matrix.arrayValue).enumerated() {
                for (j, value) in try #require(row.arrayValue).enumerated() {
                    let expected = try #require(value.doubleValue)
                    let own = measure == .absolutePearson ? abs(similarity[i, j]) : similarity[i, j]
                    #expect(abs(own - expected) <= 1e-12, "\(name) at \(i), \(j)")
                }
            }
        }
    }

    /// All of them. FLPM and SLPM have the target zero.
    @Test("HRP, HERC, HERC2 and NCO portfolios", arguments: windows)
    func portfolios(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("hierarchical", window).filter { $0["kind"]?.stringValue == "portfolio" }
        var compared: [String: Int] = [:]
        for record in records {
            let model = try record.text("model")
            let code = try record.text("rm")
            let label = "\(model) \(code) \(try record.text("linkage")) \(record["obj"]?.stringValue ?? "")"
            let solution = try Self.model(record, panel).solve()
            let expected = try record.numbers("weights")
            // Closed forms to 1e-8 of their own size. Optima are compared by value (the oracle's weights of MAD, CVaR and CDaR
            // come from linear programs, whose minimisers need not be unique), and ERC by what it promises: the record is
            // Riskfolio-Lib's alone, to the 1e-5 of its conic solver.
            let isOptimised = model == "NCO"
            let isLinear = isOptimised && code != "MV"
            let tolerance = isOptimised ? (record["obj"]?.stringValue == "ERC" ? 2e-5 : isLinear ? 2e-4 : 1e-6) : 1e-8
            for (own, other) in zip(solution.weights, expected) {
                #expect(
                    abs(own - other) <= tolerance * (isOptimised ? 1 : abs(other)), "\(label) \(own) \(other)")
            }
            if isLinear, let measure = RiskMeasureCode(rawValue: code).flatMap({ RiskMeasures.measure($0) }) {
                let own = measure.value(of: panel.portfolioReturns(solution.weights))
                let other = measure.value(of: panel.portfolioReturns(expected))
                #expect(abs(own - other) <= 1e-6 * other, "\(label): \(own) \(other)")
            }
            #expect(abs(solution.weights.reduce(0, +) - 1) <= 1e-12, "\(label)")
            if let clusters = try? record.numbers("clusters") {
                #expect(solution.clusters == clusters.map { Int($0) }, "\(label)")
            }
            if let k = record["k"]?.intValue, let clusters = solution.clusters {
                #expect(Set(clusters).count == k, "\(label)")
            }
            compared[model, default: 0] += 1
        }
        let isSmall = window == "sp500_n10_T500"
        #expect(compared == ["HRP": isSmall ? 41 : 31, "HERC": isSmall ? 72 : 50, "HERC2": 40, "NCO": 44])
    }

    @Test("equal contributions of NCO are equal", arguments: windows)
    func equalContributions(window: String) throws {
        let panel = try Oracle.panel(window)
        var input = try HierarchicalInput(panel)
        input.clustering.clusters = 3
        let solution = try NestedClusters(
            input, inner: NestedEqualContributions(), outer: NestedEqualContributions()
        ).solve()
        let groups = Dendrogram.groups(try #require(solution.clusters))
        let slope = input.covariance.symmetricMultiplied(by: solution.weights)
        // Over the clusters' portfolios.
        let shares = groups.map { $0.reduce(0) { $0 + solution.weights[$1] * slope[$1] } }
        for share in shares { #expect(abs(share - shares[0]) <= 1e-10 * shares[0]) }
        for members in groups {
            let inside = input.covariance.submatrix(rows: members, columns: members)
            let w = members.map { solution.weights[$0] }
            let contributions = zip(w, inside.symmetricMultiplied(by: w)).map { $0 * $1 }
            for value in contributions { #expect(abs(value - contributions[0]) <= 1e-10 * contributions[0]) }
        }
    }

    static func model(_ record: JSONValue, _ panel: ReturnPanel) throws -> any HierarchicalModel {
        var input = try HierarchicalInput(panel)
        input.risk = try #require(HierarchicalRisk(code: try record.text("rm")))
        input.clustering.linkage = try #require(LinkageMethod(rawValue: try record.text("linkage")))
        input.clustering.codependence.measure = try #require(
            Codependence.Measure(rawValue: try record.text("codependence")))
        input.clustering.clusters = record["k_requested"]?.intValue
        if let most = record["max_k"]?.intValue { input.clustering.mostClusters = most }
        if let least = record["w_min"]?.doubleValue, let most = record["w_max"]?.doubleValue {
            let n = panel.assets.count
            input.limits = try WeightLimits(
                lower: .init(repeating: least, count: n), upper: .init(repeating: most, count: n))
        }
        switch try record.text("model") {
        case "HRP": return HierarchicalRiskParity(input)
        case "HERC": return HierarchicalEqualRisk(input)
        case "HERC2": return HierarchicalEqualRisk(input, isEqualWithin: true)
        default:
            var request = OptimizeRequest(assets: panel.assets)
            request.riskMeasure = try #require(RiskMeasureCode(rawValue: try record.text("rm")))
            request.riskAversion = try record.number("l")
            guard let objective = ObjectiveName(rawValue: try record.text("obj")) else {
                return NestedClusters(input, inner: NestedEqualContributions(), outer: NestedEqualContributions())
            }
            request.objective = objective
            let nested = NestedMeanRisk(
                request: request, parameters: RiskParameters(), riskFreeRate: try record.number("rf"), deadline: .none)
            return NestedClusters(input, inner: nested, outer: nested)
        }
    }
}
