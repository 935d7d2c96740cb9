import Foundation
import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

/// Made-up data with ties and coinciding points, against SciPy 1.17.1 and Riskfolio-Lib 7.4.0 (`Peers/hierarchical.py`).
@Suite("Trees and codependence against SciPy and Riskfolio-Lib")
struct HierarchicalPeerTests {
    /// The sample of `Peers/hierarchical.json`, or a larger one that BALLAST_HIERARCHICAL_SAMPLE names.
    static func sample(_ part: String) throws -> [JSONValue] {
        let larger = ProcessInfo.processInfo.environment["BALLAST_HIERARCHICAL_SAMPLE"].map { URL(filePath: $0) }
        let own = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Peers/hierarchical.json").standardized
        let document = try StrictJSON.parse(Data(contentsOf: larger ?? own), limits: .stored)
        return try #require(document[part]?.arrayValue)
    }

    private static func matrix(_ value: JSONValue?) throws -> Matrix {
        let rows = try #require(value?.arrayValue)
        return Matrix(try rows.map { row in try #require(row.arrayValue).compactMap { $0.doubleValue } })
    }

    private static func panel(_ value: JSONValue) throws -> ReturnPanel {
        let series = try #require(value["returns"]?.arrayValue)
        return try madePanel(try series.map { try #require($0.arrayValue).compactMap { $0.doubleValue } })
    }

    private func same(_ tree: Dendrogram, _ rows: Matrix) -> Bool {
        guard tree.merges.count == rows.rows else { return false }
        return tree.merges.enumerated().allSatisfy { index, merge in
            merge.left == Int(rows[index, 0]) && merge.right == Int(rows[index, 1])
                && merge.size == Int(rows[index, 3])
                && abs(merge.height - rows[index, 2]) <= 1e-12 * max(1, rows[index, 2])
        }
    }

    @Test("linkage matrices, leaf orders and cuts, ties included")
    func trees() throws {
        let cases = try Self.sample("trees")
        #expect(cases.count >= 24)
        for (number, entry) in cases.enumerated() {
            let distance = try Self.matrix(entry["distance"])
            for (name, record) in entry["trees"]?.objectValue?.members.map({ ($0.key, $0.value) }) ?? [] {
                let method = try #require(LinkageMethod(rawValue: name))
                let tree = Linkage.tree(distance, method)
                #expect(same(tree, try Self.matrix(record["plain"])), "case \(number), \(name)")
                let ordered = OptimalLeafOrdering.ordered(tree, distance)
                let theirs = try Self.matrix(record["ordered"])
                // Among orders of equal length the peer's choice hangs on its quicksort.
                #expect(
                    same(ordered, theirs) || Self.length(ordered, distance) <= Self.length(theirs, distance) + 1e-6,
                    "case \(number), \(name), ordered")
                for (k, labels) in record["clusters"]?.objectValue?.members.map({ ($0.key, $0.value) }) ?? [] {
                    let expected = try #require(labels.arrayValue).compactMap { $0.intValue }
                    #expect(tree.clusters(try #require(Int(k))) == expected, "case \(number), \(name), \(k) clusters")
                }
            }
        }
    }

    private static func length(_ tree: Dendrogram, _ distance: Matrix) -> Double {
        let order = tree.leafOrder
        return zip(order, order.dropFirst()).reduce(0) { $0 + distance[$1.0, $1.1] }
    }

    private static func length(_ rows: Matrix, _ distance: Matrix) -> Double {
        length(
            Dendrogram(
                merges: (0..<rows.rows).map {
                    .init(left: Int(rows[$0, 0]), right: Int(rows[$0, 1]), height: rows[$0, 2], size: Int(rows[$0, 3]))
                }), distance)
    }

    /// SciPy's method, which Riskfolio-Lib's weights rest on, turns the children of each node for that node's own best order; from
    /// five leaves on the whole may then be longer than the shortest order of all.
    @Test("leaf orders of small trees are the shortest: enumeration of all orders")
    func leafOrders() {
        var numbers = RepeatableNumbers(seed: 3)
        for n in 2...4 {
            for method in LinkageMethod.allCases where method != .dbht {
                let points = (0..<n).map { _ in [numbers.normal(), numbers.normal(), numbers.normal()] }
                var distance = Matrix(rows: n, columns: n)
                for i in 0..<n {
                    for j in 0..<n {
                        distance[i, j] = zip(points[i], points[j]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                            .squareRoot()
                    }
                }
                let tree = Linkage.tree(distance, method)
                var best = Double.infinity
                for turns in 0..<(1 << (n - 1)) {
                    var turned = tree
                    for index in tree.merges.indices where turns >> index & 1 == 1 {
                        turned.merges[index].left = tree.merges[index].right
                        turned.merges[index].right = tree.merges[index].left
                    }
                    best = min(best, Self.length(turned, distance))
                }
                let own = Self.length(OptimalLeafOrdering.ordered(tree, distance), distance)
                #expect(own <= best * (1 + 1e-6), "\(method), \(n)")
            }
        }
    }

    @Test("codependence of every kind, with tied returns")
    func codependence() throws {
        for (number, entry) in try Self.sample("panels").enumerated() {
            let panel = try Self.panel(entry)
            let records = try #require(entry["codependence"]?.objectValue?.members)
            #expect(records.count == 13)
            for record in records {
                let words = record.key.split(separator: " ")
                var options = Codependence.Options(
                    measure: try #require(Codependence.Measure(rawValue: String(words[0]))))
                if words.count == 2 {
                    options.binning = HistogramBinning(code: String(words[1])) ?? .count(Int(words[1]) ?? 0)
                }
                let own = try Codependence(panel, options)
                let theirs = try #require(record.value.arrayValue)
                let (similarity, distance) = (try Self.matrix(theirs[0]), try Self.matrix(theirs[1]))
                // Two kinds are kept to 8 decimals, which may fall either way. A root turns 1e-16 into 1e-8.
                let isRounded = ["mutual_info", "tail"].contains(String(words[0]))
                let tolerance = isRounded ? 1.01e-8 : 1e-12
                for i in 0..<similarity.rows {
                    for j in 0..<similarity.rows {
                        // On its diagonal the peer has an asset with itself in bins of another number.
                        if i == j, isRounded { continue }
                        let likeness =
                            options.measure == .absoluteSpearman ? abs(own.similarity[i, j]) : own.similarity[i, j]
                        #expect(
                            abs(likeness - similarity[i, j]) <= tolerance,
                            "case \(number), \(record.key) at \(i), \(j): \(likeness) \(similarity[i, j])")
                        let miss = abs(own.distance[i, j] - distance[i, j])
                        #expect(
                            miss <= tolerance * max(1, 1 / max(similarity[i, j], 1e-8)) || distance[i, j] < 1e-7,
                            "case \(number), distance of \(record.key) at \(i), \(j)")
                    }
                }
            }
        }
    }

    @Test("numbers of clusters")
    func clusterCounts() throws {
        for (number, entry) in try Self.sample("panels").enumerated() {
            let distance = try Codependence(try Self.panel(entry)).distance
            for record in entry["clusters"]?.objectValue?.members ?? [] {
                let tree = Linkage.tree(distance, try #require(LinkageMethod(rawValue: record.key)))
                let expected = try #require(record.value.arrayValue).compactMap { $0.intValue }
                let own = [
                    TwoDifferenceGap.count(tree, distance, most: 10),
                    StandardisedSilhouette.count(tree, distance, most: 10),
                ]
                #expect(own == expected, "case \(number), \(record.key)")
            }
        }
    }

    @Test("directed bubble trees")
    func bubbleTrees() throws {
        for (number, entry) in try Self.sample("panels").enumerated() {
            let panel = try Self.panel(entry)
            for record in entry["dbht"]?.objectValue?.members ?? [] {
                var options = HierarchicalClustering.Options(linkage: .dbht)
                options.codependence.measure = try #require(Codependence.Measure(rawValue: record.key))
                for (isOrdered, key) in [(false, "plain"), (true, "ordered")] {
                    options.isLeafOrdered = isOrdered
                    let own = try HierarchicalClustering(panel, options).tree
                    #expect(same(own, try Self.matrix(record.value[key])), "case \(number), \(record.key), \(key)")
                }
            }
        }
    }

    @Test("portfolios of choices that the oracle does not have")
    func portfolios() throws {
        for (number, entry) in try Self.sample("portfolios").enumerated() {
            let panel = try Self.panel(entry)
            for record in try #require(entry["answers"]?.arrayValue) {
                let own = try HierarchicalOracleTests.model(record, panel).solve().weights
                let label = try ["model", "rm", "codependence", "linkage"].map { try record.text($0) }
                for (weight, other) in zip(own, try record.numbers("weights")) {
                    #expect(abs(weight - other) <= 1e-8, "case \(number), \(label): \(weight) \(other)")
                }
            }
        }
    }
}
