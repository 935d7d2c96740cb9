import ConvexSolver
import Foundation
import LinearAlgebra
import TestSupport
import Testing

/// Certified optima of real windows: `optimization.WINDOW.json` of the shared oracle.
@Suite(
    "Certified mean-variance optima", .enabled(if: SharedFolder.url("oracle/windows.json") != nil, "no ../shared"))
struct OracleTests {
    static let windows = ["sp500_n10_T500", "sp500_n10_T1008", "sp500_n20_T500", "sp500_n20_T1008"]

    private struct Window: Decodable {
        var file: String
        var tickers: [String]
        var T: Int
        var last_return_date: String
    }

    private struct Records: Decodable {
        struct Record: Decodable {
            struct Limits: Decodable {
                struct Group: Decodable {
                    var assets: [Int]
                    var min: Double?
                    var max: Double?
                }
                var lower: Double?
                var upper: Double?
                var groups: [Group]?
            }
            var rm: String
            var obj: String
            var value: Double
            var weights: [Double]
            var `case`: String?
            var constraints: Limits?
        }
        var records: [Record]
    }

    /// T x n simple returns of a window.
    private static func returns(_ name: String) throws -> Matrix {
        let all = try JSONDecoder().decode(
            [String: Window].self, from: Data(contentsOf: #require(SharedFolder.url("oracle/windows.json"))))
        let window = try #require(all[name])
        let text = try String(contentsOf: #require(SharedFolder.url("data/\(window.file)")), encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        let header = lines[0].map(String.init)
        let columns = try window.tickers.map { try #require(header.firstIndex(of: $0)) }
        let last = try #require(lines.firstIndex { $0[0] == Substring(window.last_return_date) })
        var result = Matrix(rows: window.T, columns: columns.count)
        for t in 0..<window.T {
            let row = last - window.T + 1 + t
            for (j, column) in columns.enumerated() {
                let now = try #require(Double(lines[row][column]))
                let before = try #require(Double(lines[row - 1][column]))
                result[t, j] = now / before - 1
            }
        }
        return result
    }

    private static func moments(_ name: String) throws -> (covariance: Matrix, means: [Double]) {
        var centred = try returns(name)
        let T = centred.rows
        let means = centred.transposedMultiplied(by: [Double](repeating: 1 / Double(T), count: T))
        for j in means.indices { for t in 0..<T { centred[t, j] -= means[j] } }
        var covariance = Matrix(rows: means.count, columns: means.count)
        covariance.syrk(centred, transposed: true, scale: 1 / Double(T - 1))
        covariance.mirrorLowerTriangle()
        return (covariance, means)
    }

    private static func records(_ family: String, _ window: String) throws -> [Records.Record]? {
        guard let url = SharedFolder.url("oracle/\(family).\(window).json") else { return nil }
        return try JSONDecoder().decode(Records.self, from: Data(contentsOf: url)).records.filter {
            ["MinRisk", "Utility", "MaxRet"].contains($0.obj) && ($0.rm == "MV" || $0.obj == "MaxRet")
        }
    }

    private static func check(_ record: Records.Record, _ covariance: Matrix, _ means: [Double]) throws {
        let n = means.count
        let limits = record.constraints
        var rows: [[Double]] = []
        var h: [Double] = []
        for group in limits?.groups ?? [] {
            let members = (0..<n).map { group.assets.contains($0) ? 1.0 : 0 }
            if let most = group.max {
                rows.append(members)
                h.append(most)
            }
            if let least = group.min {
                rows.append(members.map { -$0 })
                h.append(-least)
            }
        }
        // Utility is mu'w - 2 w'Sw: P = 4 S.
        var P: Matrix? = covariance
        var q = [Double](repeating: 0, count: n)
        if record.obj == "Utility" {
            P = Matrix(rows: n, columns: n, columnMajor: covariance.storage.map { 4 * $0 })
            q = means.map { -$0 }
        } else if record.obj == "MaxRet" {
            P = nil
            q = means.map { -$0 }
        }
        let program = QuadraticProgram(
            P: P, q: q, A: Matrix([[Double](repeating: 1, count: n)]), b: [1],
            G: rows.isEmpty ? nil : Matrix(rows), h: h,
            lower: [Double](repeating: limits?.lower ?? 0, count: n),
            upper: [Double](repeating: limits?.upper ?? 1, count: n))
        let solution = try InteriorPointMethod.solve(program)
        #expect(solution.status == .optimal)
        #expect(max(solution.primalResidual, solution.dualResidual, solution.relativeGap) < 1e-12)
        let w = solution.x
        let variance = Vector.dot(w, covariance.symmetricMultiplied(by: w))
        let reward = Vector.dot(means, w)
        let value =
            switch record.obj {
            case "MinRisk": variance.squareRoot()
            case "Utility": reward - 2 * variance
            default: reward
            }
        // The records' own certified gap is at most 1e-9.
        #expect((value - record.value).magnitude <= 1e-8 * record.value.magnitude, "\(record.obj) \(record.case ?? "")")
        guard record.obj != "MaxRet" else { return }
        for j in 0..<n { #expect((w[j] - record.weights[j]).magnitude < 1e-4) }
    }

    @Test("Minimum risk, utility and largest return", arguments: windows)
    func optimization(window: String) throws {
        let records = try #require(try Self.records("optimization", window))
        #expect(records.count >= 3)
        let (covariance, means) = try Self.moments(window)
        for record in records { try Self.check(record, covariance, means) }
    }

    @Test("With bounds and groups", arguments: windows)
    func constrained(window: String) throws {
        guard let all = try Self.records("constrained", window) else { return }
        let records = all.filter { $0.case == "bounds" || $0.case == "groups" }
        #expect(records.count >= 4)
        let (covariance, means) = try Self.moments(window)
        for record in records { try Self.check(record, covariance, means) }
    }
}
