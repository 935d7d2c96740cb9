public import LinearAlgebra
public import WireFormat

/// Simple returns per period of N assets over T periods, complete and finite: what every model starts from.
public struct ReturnPanel: Sendable, Equatable {
    /// N symbols, in the order of the columns.
    public let assets: [String]
    /// T dates, strictly ascending: the ends of the periods.
    public let dates: [CalendarDate]
    /// T x N; what is below 1e-120 in size is zero.
    public let returns: Matrix
    /// What was done about missing figures.
    public internal(set) var missing: OptimizeResponse.MissingReport
    /// The returns of all periods, those that some assets lack included; nil unless asked for.
    public let gapped: GappedReturns?

    /// A panel of returns.
    /// - Parameter gapped: what the panel was made of, for estimators that use incomplete periods.
    /// - Throws: `DAT-002` with fewer than two periods, `DAT-004` where a return is not finite or the shapes differ.
    public init(
        assets: [String], dates: [CalendarDate], returns: Matrix, missing: OptimizeResponse.MissingReport? = nil,
        gapped: GappedReturns? = nil
    ) throws(Problem) {
        guard returns.rows == dates.count, returns.columns == assets.count, !assets.isEmpty else {
            throw Problem(.invalidPrice, "The panel's shape does not fit its dates and assets.")
        }
        guard dates.count >= 2 else {
            throw Problem(.tooLittleHistory, "\(dates.count) complete returns; at least 2 are needed.")
        }
        guard returns.isFinite else { throw Problem(.invalidPrice, "The panel has a return that is not finite.") }
        self.assets = assets
        self.dates = dates
        self.returns = Self.withoutTraces(returns)
        self.gapped = gapped
        self.missing =
            missing ?? OptimizeResponse.MissingReport(policy: .drop, droppedDates: 0, missingByAsset: [])
    }

    /// Returns whose squares have no digits left in a Double are none: a variance of them would be zero beside a mean that is not.
    private static func withoutTraces(_ returns: Matrix) -> Matrix {
        let least = 1e-120
        guard returns.storage.contains(where: { $0 != 0 && abs($0) < least }) else { return returns }
        var plain = returns
        for index in plain.storage.indices where abs(plain.storage[index]) < least { plain.storage[index] = 0 }
        return plain
    }

    /// T.
    public var observations: Int { dates.count }

    /// The panel of some of its assets, in the given order.
    /// - Parameter kept: columns.
    public func restricted(to kept: [Int]) -> ReturnPanel {
        ReturnPanel(
            kept: kept.map { assets[$0] }, dates: dates, returns: returns.selecting(columns: kept), missing: missing,
            gapped: gapped?.restricted(to: kept))
    }

    /// The same assets and dates with other returns, such as a factor model's.
    /// - Throws: as `init`.
    func replacing(returns: Matrix) throws(Problem) -> ReturnPanel {
        try ReturnPanel(assets: assets, dates: dates, returns: returns, missing: missing)
    }

    private init(
        kept: [String], dates: [CalendarDate], returns: Matrix, missing: OptimizeResponse.MissingReport,
        gapped: GappedReturns?
    ) {
        self.gapped = gapped
        assets = kept
        self.dates = dates
        self.returns = returns
        self.missing = missing
    }

    /// The returns of one asset.
    public func column(_ asset: Int) -> [Double] { returns.column(asset) }

    /// R w: the T returns of a portfolio with constant weights.
    public func portfolioReturns(_ weights: [Double]) -> [Double] { returns.multiplied(by: weights) }

    /// The largest root mean square of an asset's returns.
    var typicalReturn: Double {
        let even = [Double](repeating: 1 / Double(max(observations, 1)), count: observations)
        return (returns.columnSquares(weights: even).max() ?? 0).squareRoot()
    }

    /// Periods a year where the request does not say: 365 where a date falls on a weekend, else 252.
    public var periodsPerYear: Double {
        dates.contains { $0.weekday > 5 }
            ? TradingCalendar.sevenDay.periodsPerYear : TradingCalendar.weekday.periodsPerYear
    }

    /// The panel's bytes in a fixed order, for a fingerprint: symbols, dates, then returns by column, little-endian.
    public var canonicalBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(returns.storage.count * 8 + dates.count * 8 + assets.count * 8)
        for asset in assets {
            bytes.append(contentsOf: asset.utf8)
            bytes.append(0)
        }
        var at = bytes.count
        let more = gapped.map { $0.dates.count + $0.returns.storage.count } ?? 0
        bytes.append(contentsOf: repeatElement(0, count: 8 * (dates.count + returns.storage.count + more)))
        func put(_ word: UInt64) {
            for byte in 0..<8 { bytes[at + byte] = UInt8(truncatingIfNeeded: word >> UInt64(8 * byte)) }
            at += 8
        }
        for date in dates { put(UInt64(bitPattern: Int64(date.daysSinceEpoch))) }
        for value in returns.storage { put((value == 0 ? 0 : value).bitPattern) }
        if let gapped {
            for date in gapped.dates { put(UInt64(bitPattern: Int64(date.daysSinceEpoch))) }
            for (value, isKnown) in zip(gapped.returns.storage, gapped.isKnown) {
                put(isKnown ? (value == 0 ? 0 : value).bitPattern : Double.nan.bitPattern)
            }
        }
        return bytes
    }
}

extension ReturnPanel {
    /// Returns from prices: dates on which any asset lacks a price are left out, then p[t] / p[t-1] - 1 between neighbours.
    ///
    /// - Parameters:
    ///   - assets: N symbols.
    ///   - dates: dates of the prices, strictly ascending.
    ///   - prices: one series an asset, a figure a date; nil is missing. Positive and finite.
    ///   - keepsGaps: whether the panel keeps the incomplete periods too.
    /// - Throws: `DAT-003` if no date has all prices, `DAT-002` with fewer than three, `DAT-004` for a bad price.
    public static func fromPrices(
        assets: [String], dates: [CalendarDate], prices: [[Double?]], keepsGaps: Bool = false
    ) throws(Problem) -> ReturnPanel {
        let (kept, report) = try complete(assets: assets, dates: dates, series: prices)
        guard kept.count >= 3 else {
            throw Problem(
                .tooLittleHistory, "\(kept.count) dates on which every asset has a price; at least 3 are needed.")
        }
        var returns = Matrix(rows: kept.count - 1, columns: assets.count)
        for (column, series) in prices.enumerated() {
            let complete = kept.compactMap { series[$0] }
            for row in 1..<complete.count {
                guard complete[row] > 0, complete[row - 1] > 0, complete[row].isFinite, complete[row - 1].isFinite
                else {
                    throw Problem(
                        .invalidPrice,
                        "\(Problem.echo(assets[column])) has a price on \(dates[kept[row]]) that is not positive.")
                }
                returns[row - 1, column] = complete[row] / complete[row - 1] - 1
            }
        }
        return try ReturnPanel(
            assets: assets, dates: kept.dropFirst().map { dates[$0] }, returns: returns, missing: report,
            gapped: keepsGaps && kept.count < dates.count ? GappedReturns(dates: dates, prices: prices) : nil)
    }

    /// Given returns: dates on which any asset lacks one are left out.
    /// - Throws: `DAT-003` if no date is complete, `DAT-002` with fewer than two.
    public static func fromReturns(
        assets: [String], dates: [CalendarDate], returns: [[Double?]], keepsGaps: Bool = false
    ) throws(Problem) -> ReturnPanel {
        let (kept, report) = try complete(assets: assets, dates: dates, series: returns)
        let storage = returns.flatMap { series in kept.compactMap { series[$0] } }
        return try ReturnPanel(
            assets: assets, dates: kept.map { dates[$0] },
            returns: Matrix(rows: kept.count, columns: assets.count, columnMajor: storage), missing: report,
            gapped: keepsGaps && kept.count < dates.count ? GappedReturns(dates: dates, series: returns) : nil)
    }

    /// The inline panel of a request: its assets, its window, complete dates.
    public static func inline(_ panel: InlinePanel, request: OptimizeRequest) throws(Problem) -> ReturnPanel {
        let window = panel.dates.indices.filter { index in
            let date = panel.dates[index]
            return request.startDate.map { date >= $0 } ?? true && request.endDate.map { date <= $0 } ?? true
        }
        let dates = window.map { panel.dates[$0] }
        var series: [[Double?]] = []
        for asset in request.assets {
            guard let column = panel.assets.firstIndex(of: asset) else {
                throw Problem(.unknownSymbol, "\(Problem.echo(asset)) is not a column of the inline panel.")
            }
            let values = panel.values[column]
            series.append(window.map { $0 < values.count ? values[$0] : nil })
        }
        let keepsGaps = request.covarianceEstimator.method == .pairwise
        var filled: [(asset: String, count: Int)] = []
        if request.missing == .forwardFill, panel.kind == .prices {
            for (column, asset) in request.assets.enumerated() {
                let found = ForwardFill.carried(series[column], dates)
                series[column] = found.series
                if found.filled > 0 { filled.append((asset, found.filled)) }
            }
        }
        var made =
            switch panel.kind {
            case .returns: try fromReturns(assets: request.assets, dates: dates, returns: series, keepsGaps: keepsGaps)
            case .prices: try fromPrices(assets: request.assets, dates: dates, prices: series, keepsGaps: keepsGaps)
            }
        made.missing.policy = request.missing
        made.missing.filledByAsset = filled
        return made
    }

    /// The positions of dates on which every series has a figure, and a report of what is left out.
    private static func complete(
        assets: [String], dates: [CalendarDate], series: [[Double?]]
    ) throws(Problem) -> (kept: [Int], report: OptimizeResponse.MissingReport) {
        guard series.count == assets.count, series.allSatisfy({ $0.count == dates.count }) else {
            throw Problem(.invalidPrice, "The panel's shape does not fit its dates and assets.")
        }
        let kept = dates.indices.filter { date in series.allSatisfy { $0[date] != nil } }
        let gaps = zip(assets, series).map { (asset: $0, count: $1.count { $0 == nil }) }
        guard !kept.isEmpty else {
            let worst = gaps.max { $0.count < $1.count }.map { ": \(Problem.echo($0.asset)) misses \($0.count)" } ?? ""
            throw Problem(.emptyWindow, "On none of \(dates.count) dates do all assets have a figure\(worst).")
        }
        return (
            kept,
            OptimizeResponse.MissingReport(
                policy: .drop, droppedDates: dates.count - kept.count, missingByAsset: gaps.filter { $0.count > 0 })
        )
    }
}
