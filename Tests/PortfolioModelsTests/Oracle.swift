import Foundation
import LinearAlgebra
import PortfolioModels
import TestSupport
import WireFormat

/// The reference answers of `shared/oracle`, and the windows of real prices that they belong to.
enum Oracle {
    static let isPresent = SharedFolder.url("oracle") != nil
    static let windows = ["sp500_n10_T500", "sp500_n20_T500", "sp500_n10_T1008", "sp500_n20_T1008"]

    enum Failure: Error { case missing(String), malformed(String) }

    /// The records of a family on a window; empty where that file does not exist.
    static func records(_ family: String, _ window: String) throws -> [JSONValue] {
        guard let url = SharedFolder.url("oracle/\(family).\(window).json") else { return [] }
        let document = try StrictJSON.parse(Data(contentsOf: url), limits: .stored)
        guard let records = document["records"]?.arrayValue else { throw Failure.malformed(url.lastPathComponent) }
        return records
    }

    /// The panel of a window, checked against the sums that come with it.
    static func panel(_ window: String) throws -> ReturnPanel {
        guard let url = SharedFolder.url("oracle/windows.json") else { throw Failure.missing("windows.json") }
        let all = try StrictJSON.parse(Data(contentsOf: url), limits: .stored)
        guard let entry = all[window], let file = entry["file"]?.stringValue,
            let tickers = entry["tickers"]?.arrayValue?.compactMap({ $0.stringValue }),
            let last = entry["last_return_date"]?.stringValue, let length = entry["T"]?.intValue,
            let prices = SharedFolder.url("data/\(file)")
        else { throw Failure.malformed("windows.json") }
        let lines = try String(contentsOf: prices, encoding: .utf8).split(whereSeparator: { $0.isNewline })
        let header = lines[0].split(separator: ",").map { String($0) }
        let rows = lines.dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        guard let end = rows.firstIndex(where: { $0[0] == last }) else { throw Failure.malformed(file) }
        let window = rows[(end - length)...end]
        let dates = try window.map { row in
            guard let date = CalendarDate(iso: row[0]) else { throw Failure.malformed(file) }
            return date
        }
        let series = try tickers.map { ticker -> [Double?] in
            guard let column = header.firstIndex(of: ticker) else { throw Failure.missing(ticker) }
            return window.map { Double($0[column]) }
        }
        let panel = try ReturnPanel.fromPrices(assets: tickers, dates: Array(dates), prices: series)
        let sum = panel.returns.storage.reduce(0, +)
        guard let expected = entry["check"]?["sum_of_all_returns"]?.doubleValue,
            abs(sum - expected) < 1e-11 * abs(expected)
        else { throw Failure.malformed("the sum of returns of \(file)") }
        return panel
    }
}

extension JSONValue {
    /// A number of the oracle, which a test cannot do without.
    func number(_ key: String) throws -> Double {
        guard let value = self[key]?.doubleValue else { throw Oracle.Failure.malformed(key) }
        return value
    }

    /// A list of numbers.
    func numbers(_ key: String) throws -> [Double] {
        guard let values = self[key]?.arrayValue else { throw Oracle.Failure.malformed(key) }
        return values.compactMap { $0.doubleValue }
    }

    /// A text.
    func text(_ key: String) throws -> String {
        guard let value = self[key]?.stringValue else { throw Oracle.Failure.malformed(key) }
        return value
    }
}

/// A request that asks for what a record of the oracle answers.
func oracleRequest(_ record: JSONValue, panel: ReturnPanel) throws -> OptimizeRequest {
    var request = OptimizeRequest(assets: panel.assets)
    request.periodsPerYear = 252
    let parameters = record["params"]
    request.riskFreeRate = 252 * (parameters?["rf"]?.doubleValue ?? 0)
    request.riskAversion = parameters?["l"]?.doubleValue ?? 2
    if let objective = record["obj"]?.stringValue.flatMap({ ObjectiveName(rawValue: $0) }) {
        request.objective = objective
    }
    guard let limits = record["constraints"] else { return request }
    if let lower = limits["lower"]?.doubleValue { request.constraints.lowerBound = .all(lower) }
    if let upper = limits["upper"]?.doubleValue { request.constraints.upperBound = .all(upper) }
    request.constraints.short = limits["sum_of_shorts_max"]?.doubleValue
    request.constraints.minReturn = limits["min_return"]?.doubleValue
    for group in limits["groups"]?.arrayValue ?? [] {
        let name = try group.text("name")
        let members = try group.numbers("assets").map { panel.assets[Int($0)] }
        request.constraints.groups.append(.init(name, members))
        request.constraints.groupLimits.append(
            .init(group: name, min: group["min"]?.doubleValue, max: group["max"]?.doubleValue))
    }
    for row in limits["linear"]?.arrayValue ?? [] {
        let coefficients = zip(panel.assets, try row.numbers("coef")).map { ConstraintRequest.AssetValue($0, $1) }
        let level = try row.number("rhs")
        let isAtMost = try row.text("sense") == "<="
        request.constraints.linear.append(
            .init(
                name: nil, coefficients: coefficients, min: isAtMost ? nil : level, max: isAtMost ? level : nil))
    }
    if let benchmark = try? limits.numbers("benchmark") {
        request.constraints.turnover = .init(
            from: zip(panel.assets, benchmark).map { .init($0, $1) },
            perAsset: limits["max_abs_change_per_asset"]?.doubleValue, total: limits["max_sum_abs_change"]?.doubleValue)
    }
    return request
}

/// The problem that an expression throws, or nil.
func caught<R>(_ body: () throws -> R) -> Problem? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? Problem
    }
}

/// A problem's code, or a sentence that there was none.
func problemCode<R>(_ body: () throws -> R) -> String { caught(body)?.code ?? "no problem" }

/// A small generator of repeatable numbers: a 64-bit linear congruence.
struct RepeatableNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493 }

    /// Uniform in (-1, 1).
    mutating func next() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
    }

    /// A whole number from 0 to `count` - 1.
    mutating func pick(_ count: Int) -> Int { min(Int((next() + 1) / 2 * Double(count)), count - 1) }

    /// Roughly normal.
    mutating func normal() -> Double { (0..<6).reduce(0.0) { sum, _ in sum + next() } / 1.4142 }
}

/// A panel of given columns on consecutive weekdays.
func madePanel(_ columns: [[Double]]) throws -> ReturnPanel {
    let names = columns.indices.map { "A\($0)" }
    var dates: [CalendarDate] = []
    var day = 19_000
    while dates.count < columns[0].count {
        if let date = CalendarDate(daysSinceEpoch: day), date.weekday < 6 { dates.append(date) }
        day += 1
    }
    return try ReturnPanel.fromReturns(assets: names, dates: dates, returns: columns.map { $0.map { Optional($0) } })
}

/// A panel of pseudo-random returns with one common factor.
func randomPanel(assets: Int, observations: Int, seed: UInt64, scale: Double = 0.01) throws -> ReturnPanel {
    var numbers = RepeatableNumbers(seed: seed)
    let factor = (0..<observations).map { _ in numbers.normal() }
    return try madePanel(
        (0..<assets).map { asset in
            let beta = 0.5 + 0.1 * Double(asset % 7)
            let drift = 0.05 + 0.02 * numbers.next()
            return factor.map { scale * (drift + beta * $0 + 0.8 * numbers.normal()) }
        })
}

/// A request for a measure and an objective without constraints, daily.
func plainRequest(
    _ panel: ReturnPanel, _ measure: RiskMeasureCode, _ objective: ObjectiveName
) -> OptimizeRequest {
    var request = OptimizeRequest(assets: panel.assets)
    request.riskMeasure = measure
    request.objective = objective
    request.periodsPerYear = 252
    return request
}
