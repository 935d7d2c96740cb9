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

        init(_ request: OptimizeRequest) {
            assets = request.assets
            factors = request.factors?.symbols ?? []
            start = request.startDate
            end = request.endDate
            keepsGaps = request.keepsGaps
        }
    }

    private struct Entry: Sendable {
        var panel: Carried<LoadedPanel>
        var mark: DataWatch.Mark
    }

    private let entries: ResultCache<Key, Entry>

    /// - Parameter bytes: most that all panels may take.
    init(bytes: Int) { entries = ResultCache(bytes: bytes) { $0.panel.value.estimatedBytes } }

    /// The panel of a request, if nothing it was made from has changed since.
    func panel(of request: OptimizeRequest, at mark: DataWatch.Mark) -> LoadedPanel? {
        guard let entry = entries[Key(request)], entry.mark.hasSameData(as: mark) else { return nil }
        return entry.panel.value
    }

    /// Keeps a panel that was read after the mark was taken.
    func keep(_ panel: LoadedPanel, of request: OptimizeRequest, at mark: DataWatch.Mark) {
        entries[Key(request)] = Entry(panel: Carried(panel), mark: mark)
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
