import LinearAlgebra
import PortfolioModels
import PostgresClient
import WireFormat

/// A panel that is ready to be solved, and what is to be said about where it came from.
struct LoadedPanel: Sendable {
    /// Of the request's assets.
    var panel: ReturnPanel
    /// Of the stored factors that the request names, on the panel's dates.
    var factors: ReturnPanel?
    /// Of both.
    var fingerprint: PanelFingerprint
    /// The newest tick of the change log that the data may show; nil for an inline panel.
    var tick: Int64?
    /// The snapshot in which stored data was read.
    var snapshot: String?
    /// Every symbol of market_data whose rows the panel may contain.
    var symbols: [String]
    /// Aliases and the like that the caller should know about.
    var warnings: [PortfolioWarning]
}

/// Gets the panel of a request: its own figures, or stored prices in one snapshot.
enum PanelLoader {
    /// Fewest returns that an estimate is made from.
    static let fewestReturns = 10

    /// The panel that came with the request.
    static func inline(_ inline: InlinePanel, of request: OptimizeRequest) throws(Problem) -> LoadedPanel {
        let panel = try ReturnPanel.inline(inline, request: request)
        return LoadedPanel(
            panel: panel, fingerprint: PanelFingerprint(panel), tick: nil, snapshot: nil, symbols: [], warnings: [])
    }

    /// Stored prices of the request's assets, and of the factors that it names, in its window, within the caller's REPEATABLE READ transaction.
    /// - Throws: `DAT-001` for names nobody knows, `DAT-002` for too little history, `DAT-003` where the assets share no days.
    static func stored(
        _ request: OptimizeRequest, prices: PriceCache, on connection: PostgresConnection
    ) async throws -> LoadedPanel {
        let revision = try await PriceStore.revision(on: connection)
        let factors = request.factors?.symbols ?? []
        let own = Set(request.assets)
        let more = factors.indices.filter { !own.contains(factors[$0]) }
        let places = Places(assets: request.assets.count, factors: more)
        let assets = try await AssetStore.resolve(
            request.assets + more.map { factors[$0] }, from: request.startDate, to: request.endDate, on: connection)
        try await refuseUnknown(assets, places, on: connection)
        try refuseTwice(assets, places)
        let histories = try await prices.histories(of: assets.flatMap { $0.symbols }, at: revision, on: connection)
        let series = PriceStore.series(
            of: assets, from: request.startDate, to: request.endDate, histories: histories)
        try refuseEmpty(series, places)
        let aligned = AlignedPrices(series, filling: request.missing)
        guard !aligned.dates.isEmpty else { throw noCommonDays(series, places) }
        guard aligned.dates.count > fewestReturns else { throw tooShort(aligned, series, places) }
        let whole = try ReturnPanel.fromAligned(
            aligned, policy: request.missing, gapped: request.keepsGaps ? GappedReturns(series) : nil)
        let columns = Dictionary(zip(whole.assets, whole.assets.indices), uniquingKeysWith: { first, _ in first })
        return LoadedPanel(
            panel: more.isEmpty ? whole : whole.restricted(to: Array(request.assets.indices)),
            factors: factors.isEmpty ? nil : whole.restricted(to: factors.compactMap { columns[$0] }),
            fingerprint: PanelFingerprint(whole), tick: revision.tick, snapshot: revision.snapshot.text,
            symbols: Set(assets.flatMap { $0.symbols }).sorted(),
            warnings: WindowWarnings.of(series, aligned, request))
    }

    // MARK: What the data can be refused for

    /// Where the request names what is loaded: its assets, then the factors that are none of them.
    private struct Places {
        var assets: Int
        /// Positions in `factors.assets`.
        var factors: [Int]

        subscript(index: Int) -> JSONPointer {
            index < assets
                ? JSONPointer(["assets", String(index)])
                : JSONPointer(["factors", "assets", String(factors[index - assets])])
        }
    }

    private static func refuseUnknown(
        _ assets: [ResolvedAsset], _ places: Places, on connection: PostgresConnection
    ) async throws {
        let unknown = assets.indices.filter { !assets[$0].isKnown }
        guard !unknown.isEmpty else { return }
        let known = try await AssetStore.knownNames(on: connection)
        var suggestions = JSONObject()
        let violations = unknown.map { index in
            let name = assets[index].name
            let nearest = NearestName.of(name, among: known)
            suggestions[name] = JSONValue(nearest.map { [$0] } ?? [])
            let hint = nearest.map { " Did you mean \($0)?" } ?? ""
            return Violation(
                places[index], .other("unknown_symbol"),
                "There is no data for \"\(Problem.echo(name))\".\(hint)")
        }
        let names = unknown.map { Problem.echo(assets[$0].name) }.joined(separator: ", ")
        var problem = Problem(.unknownSymbol, "There is no data for \(names).", errors: violations)
        problem.extensions = JSONObject([
            ("unknown", JSONValue(unknown.map { assets[$0].name })), ("suggestions", .object(suggestions)),
        ])
        throw problem
    }

    /// FB and META in one request are one asset twice.
    private static func refuseTwice(_ assets: [ResolvedAsset], _ places: Places) throws(Problem) {
        var first: [String: String] = [:]
        for (index, asset) in assets.enumerated() {
            if let other = first.updateValue(asset.name, forKey: asset.symbol) {
                throw Problem(
                    places[index], .duplicate,
                    "\(Problem.echo(asset.name)) and \(Problem.echo(other)) are the same asset, \(asset.symbol).")
            }
        }
    }

    private static func refuseEmpty(_ series: [PriceSeries], _ places: Places) throws(Problem) {
        let empty = series.indices.filter { series[$0].days.isEmpty }
        guard !empty.isEmpty else { return }
        let names = empty.map { Problem.echo(series[$0].asset) }.joined(separator: ", ")
        let violations = empty.map { index in
            Violation(
                places[index], .other("no_history"),
                "\(Problem.echo(series[index].asset)) has no price in the window.")
        }
        if empty.count == series.count {
            throw Problem(.emptyWindow, "No asset has a price in the window.", errors: violations)
        }
        throw Problem(.tooLittleHistory, "No price in the window: \(names).", errors: violations)
    }

    private static func spans(_ series: [PriceSeries], _ places: Places) -> [Violation] {
        series.enumerated().map { index, one in
            let span = one.first.flatMap { first in one.last.map { "\(first) to \($0)" } } ?? "none"
            return Violation(
                places[index], .other("history"),
                "\(Problem.echo(one.asset)): \(one.days.count) days, \(span).", value: Double(one.days.count))
        }
    }

    private static func noCommonDays(_ series: [PriceSeries], _ places: Places) -> Problem {
        Problem(.emptyWindow, "On no day of the window do all assets have a price.", errors: spans(series, places))
    }

    private static func tooShort(
        _ aligned: AlignedPrices, _ series: [PriceSeries], _ places: Places
    ) -> Problem {
        Problem(
            .tooLittleHistory,
            "The assets share \(aligned.dates.count) days with prices; at least \(fewestReturns + 1) are needed.",
            errors: spans(series, places))
    }
}

extension OptimizeRequest {
    /// Whether the days count on which some of the assets have no price.
    var keepsGaps: Bool { covarianceEstimator.method == .pairwise }
}

extension ReturnPanel {
    /// Simple returns between neighbouring rows of aligned prices.
    static func fromAligned(
        _ aligned: AlignedPrices, policy: MissingPolicy = .drop, gapped: GappedReturns? = nil
    ) throws(Problem) -> ReturnPanel {
        let prices = aligned.prices
        var returns = Matrix(rows: max(0, prices.rows - 1), columns: prices.columns)
        for column in 0..<prices.columns {
            for row in 0..<returns.rows { returns[row, column] = prices[row + 1, column] / prices[row, column] - 1 }
        }
        let missing = OptimizeResponse.MissingReport(
            policy: policy, droppedDates: aligned.gaps.dropped,
            missingByAsset: aligned.gaps.byAsset.map { (asset: $0.asset, count: $0.days) },
            filledByAsset: aligned.gaps.filled.map { (asset: $0.asset, count: $0.days) })
        return try ReturnPanel(
            assets: aligned.assets, dates: Array(aligned.dates.dropFirst()), returns: returns, missing: missing,
            gapped: gapped)
    }
}

extension GappedReturns {
    /// Of stored prices over their whole histories, on the days on which an asset that rules has a price: see `AlignedPrices`.
    init(_ series: [PriceSeries]) {
        let mixed = series.contains { $0.isContinuous } && series.contains { !$0.isContinuous }
        let rulers = mixed ? series.filter { !$0.isContinuous } : series
        let days = Set(rulers.flatMap { $0.days }).sorted()
        let dated = days.compactMap { day in CalendarDate(daysSinceEpoch: day).map { (day: day, date: $0) } }
        let prices = series.map { one -> [Double?] in
            let shift = mixed && one.isContinuous ? 1 : 0
            let known = Dictionary(zip(one.days, one.prices), uniquingKeysWith: { first, _ in first })
            return dated.map { known[$0.day - shift] }
        }
        self.init(dates: dated.map { $0.date }, prices: prices)
    }
}
