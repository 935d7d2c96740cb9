import LinearAlgebra
import PortfolioModels
import WireFormat

/// Prices of several assets on the days they share: the inner join on trading date.
///
/// Where assets of an exchange meet assets that trade around the clock, the exchange's sessions rule. A session of day d closes
/// hours before the round-the-clock bar of d does, so such an asset counts with its bar of d - 1, the last that has ended: no value
/// from after the close gets into the row, and a weekend's moves fall on Monday.
struct AlignedPrices: Sendable {
    var assets: [String]
    var dates: [CalendarDate]
    /// `dates.count` x `assets.count`.
    var prices: Matrix
    /// What was left out, for `data.missing`.
    var gaps: Gaps

    /// What alignment had to leave out.
    struct Gaps: Sendable, Equatable {
        /// Days inside the joint window on which at least one asset has no price.
        var dropped = 0
        /// Per asset, on how many of those days it was the asset without a price; assets without gaps are absent.
        var byAsset: [(asset: String, days: Int)] = []
        /// Per asset, on how many days its last price was carried over; assets without are absent.
        var filled: [(asset: String, days: Int)] = []
        /// The first of the dropped days.
        var examples: [CalendarDate] = []
        /// Assets that count with the bar before the session.
        var shifted: [String] = []

        static func == (a: Gaps, b: Gaps) -> Bool {
            a.dropped == b.dropped && a.examples == b.examples && a.shifted == b.shifted
                && a.byAsset.elementsEqual(b.byAsset, by: ==) && a.filled.elementsEqual(b.filled, by: ==)
        }

        /// Most of the dropped days that are named.
        static let mostExamples = 10
    }

    /// Joins the series on their days. Complexity: one pass over all days and assets.
    init(_ series: [PriceSeries], filling policy: MissingPolicy = .drop) {
        var series = series
        let mixed = series.contains { $0.isContinuous } && series.contains { !$0.isContinuous }
        let shift = series.map { mixed && $0.isContinuous ? 1 : 0 }
        assets = series.map { $0.asset }
        var gaps = Gaps()
        gaps.shifted = zip(series, shift).filter { $0.1 > 0 }.map { $0.0.asset }

        // The joint window, and the sessions in it: the days on which an asset that rules has a price.
        let rulers = series.indices.filter { shift[$0] == 0 }
        let start = series.indices.compactMap { i in series[i].days.first.map { $0 + shift[i] } }.max() ?? 0
        let end = series.indices.compactMap { i in series[i].days.last.map { $0 + shift[i] } }.min() ?? -1
        guard !series.isEmpty, !series.contains(where: { $0.days.isEmpty }), start <= end else {
            dates = []
            prices = Matrix(rows: 0, columns: series.count)
            self.gaps = gaps
            return
        }
        var isSession = [Bool](repeating: false, count: end - start + 1)
        for i in rulers {
            for day in series[i].days where day >= start && day <= end { isSession[day - start] = true }
        }

        if policy == .forwardFill {
            let sessions = isSession.indices.filter { isSession[$0] }.map { $0 + start }
            for i in series.indices {
                let found = ForwardFill.carried(
                    series[i].days, series[i].prices, over: sessions.map { $0 - shift[i] },
                    longest: series[i].isContinuous ? 1 : ForwardFill.longest)
                (series[i].days, series[i].prices) = (found.days, found.prices)
                if found.filled > 0 { gaps.filled.append((series[i].asset, found.filled)) }
            }
        }

        // Where each asset's price of each session is; a session that one of them lacks falls out.
        var missingCount = [Int](repeating: 0, count: series.count)
        var has = [Int](repeating: 0, count: isSession.count)
        for i in series.indices {
            for day in series[i].days {
                let at = day + shift[i] - start
                if at >= 0, at < has.count, isSession[at] { has[at] += 1 }
            }
        }
        var joint: [Int] = []
        joint.reserveCapacity(has.count)
        var dropped: [Int] = []
        for at in has.indices where isSession[at] {
            if has[at] == series.count { joint.append(at + start) } else { dropped.append(at + start) }
        }
        let rows = joint.count
        var storage: [Double] = []
        storage.reserveCapacity(rows * series.count)
        for i in series.indices {
            var row = 0
            for (day, price) in zip(series[i].days, series[i].prices) {
                while row < rows, joint[row] < day + shift[i] { row += 1 }
                if row < rows, joint[row] == day + shift[i] {
                    storage.append(price)
                    row += 1
                }
            }
            if !dropped.isEmpty {
                let own = Set(series[i].days.lazy.map { $0 + shift[i] })
                missingCount[i] = dropped.count { !own.contains($0) }
            }
        }
        gaps.dropped = dropped.count
        gaps.examples = dropped.prefix(Gaps.mostExamples).compactMap { CalendarDate(daysSinceEpoch: $0) }
        gaps.byAsset = zip(assets, missingCount).filter { $0.1 > 0 }.map { (asset: $0.0, days: $0.1) }
        dates = joint.compactMap { CalendarDate(daysSinceEpoch: $0) }
        prices = Matrix(rows: rows, columns: series.count, columnMajor: storage)
        self.gaps = gaps
    }
}
