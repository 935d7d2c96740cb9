import LinearAlgebra
import PortfolioModels
import WireFormat

/// Panels that stored prices made before, for as long as the data watch has seen no change of prices, names or calendars.
///
/// The mark is of before the panel was read, so that what changed while it was read counts as a change. Prices belong to all tenants, and so do their
/// panels.
final class PanelCache: Sendable {
    /// Everything that a panel depends on besides the data.
    private struct Key: Hashable, Sendable {
        var assets: [String]
        var factors: [String]
        var start: CalendarDate?
        var end: CalendarDate?
        var keepsGaps: Bool
        var missing: MissingPolicy

        init(_ request: OptimizeRequest) {
            assets = request.assets
            factors = request.factors?.symbols ?? []
            start = request.startDate
            end = request.endDate
            keepsGaps = request.keepsGaps
            missing = request.missing
        }
    }

    private struct Entry: Sendable {
        var panel: Carried<LoadedPanel>
        var data: UInt64
    }

    /// A panel of the data that a caller has seen.
    private struct Wanted: Hashable, Sendable {
        var key: Key
        var data: UInt64
    }

    private let entries: ResultCache<Key, Entry>
    private let flights = SingleFlight<Wanted, Carried<LoadedPanel>>()

    /// - Parameter bytes: most that all panels may take.
    init(bytes: Int) { entries = ResultCache(bytes: bytes) { $0.panel.value.estimatedBytes } }

    /// The panel of a request: one that was read before, if nothing it was made from has changed since; one that is being read for another who has seen
    /// the same data; else one that is read now. The reading is cancelled when the last who waits for it has left.
    /// - Parameter mark: what the caller has seen, of before this call.
    func panel(
        of request: OptimizeRequest, at mark: DataWatch.Mark, read: @escaping @Sendable () async throws -> LoadedPanel
    ) async throws -> LoadedPanel {
        let wanted = Wanted(key: Key(request), data: mark.data)
        if let entry = entries[wanted.key], entry.data == wanted.data { return entry.panel.value }
        let entries = entries
        return try await flights.value(for: wanted) { _, _ in
            let panel = Carried(try await read())
            entries[wanted.key] = Entry(panel: panel, data: wanted.data)
            return panel
        }.value.value
    }

    /// How full it is.
    var statistics: (entries: Int, bytes: Int, evictions: Int) { entries.statistics }
}

extension LoadedPanel {
    /// About how much memory it takes.
    fileprivate var estimatedBytes: Int {
        let columns = panel.assets.count + (factors?.assets.count ?? 0)
        let gapped = panel.gapped.map { 9 * $0.returns.storage.count } ?? 0
        return gapped + 8 * panel.dates.count * (columns + 2) + 100 * (columns + symbols.count) + 512
    }
}
