public import LinearAlgebra
public import WireFormat

/// Returns of assets over every period of a window in which some have none: what a covariance by pairs is made of.
///
/// A panel keeps the periods that all assets have; histories of unequal length leave it few. Here each asset keeps its own.
public struct GappedReturns: Sendable, Equatable {
    /// T dates, strictly ascending: the ends of the periods.
    public let dates: [CalendarDate]
    /// T x N, zero where a return is missing.
    public let returns: Matrix
    /// Whether there is a return, by place in `returns.storage`.
    public let isKnown: [Bool]

    init(dates: [CalendarDate], returns: Matrix, isKnown: [Bool]) {
        self.dates = dates
        self.returns = returns
        self.isKnown = isKnown
    }

    /// Given returns, one series an asset; nil is missing.
    public init(dates: [CalendarDate], series: [[Double?]]) {
        self.dates = dates
        let flat = series.flatMap { $0 }
        returns = Matrix(rows: dates.count, columns: series.count, columnMajor: flat.map { $0 ?? 0 })
        isKnown = flat.map { $0 != nil }
    }

    /// Returns between neighbouring dates on which an asset has both prices.
    /// - Parameter prices: one series an asset, a figure a date; positive where it is not nil.
    public init(dates: [CalendarDate], prices: [[Double?]]) {
        let series = prices.map { prices in
            zip(prices, prices.dropFirst()).map { before, after -> Double? in
                guard let before, let after, before > 0, after > 0 else { return nil }
                return after / before - 1
            }
        }
        self.init(dates: Array(dates.dropFirst()), series: series)
    }

    /// T x N, NaN where a return is missing.
    var withGaps: Matrix {
        var result = returns
        for index in isKnown.indices where !isKnown[index] { result.storage[index] = .nan }
        return result
    }

    func restricted(to kept: [Int]) -> GappedReturns {
        let rows = dates.count
        return GappedReturns(
            dates: dates, returns: returns.selecting(columns: kept),
            isKnown: kept.flatMap { isKnown[($0 * rows)..<(($0 + 1) * rows)] })
    }

    /// The periods whose ends lie in one of some spans of dates.
    func within(_ spans: [ClosedRange<CalendarDate>]) -> GappedReturns {
        let kept = dates.indices.filter { t in spans.contains { $0.contains(dates[t]) } }
        let rows = dates.count
        return GappedReturns(
            dates: kept.map { dates[$0] }, returns: returns.selecting(rows: kept),
            isKnown: (0..<returns.columns).flatMap { column in kept.map { isKnown[column * rows + $0] } })
    }
}
