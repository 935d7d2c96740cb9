import WireFormat

/// What a caller should know when the assets' common days are much fewer than the window that was asked for.
enum WindowWarnings {
    /// Days by which a window may be shorter without a word: weekends and holidays.
    static let tolerance = 7

    /// One warning for each end that is cut by more than the tolerance, naming the assets that cut it.
    static func of(_ series: [PriceSeries], _ aligned: AlignedPrices, _ request: OptimizeRequest) -> [PortfolioWarning]
    {
        guard let first = aligned.dates.first, let last = aligned.dates.last else { return [] }
        let starts = series.compactMap { $0.days.first }
        let ends = series.compactMap { $0.days.last }
        let wantedStart = request.startDate?.daysSinceEpoch ?? starts.min() ?? first.daysSinceEpoch
        // An open end is where the newest data is: without a clock nobody can say that data is late.
        let wantedEnd = min(request.endDate?.daysSinceEpoch ?? .max, ends.max() ?? last.daysSinceEpoch)
        var warnings: [PortfolioWarning] = []
        if first.daysSinceEpoch - wantedStart > tolerance {
            let late = series.filter { $0.days.first.map { $0 - wantedStart > tolerance } ?? false }
            let detail = "The data start on \(first): \(names(late)) no earlier prices."
            warnings.append(PortfolioWarning(code: "window_shortened", pointer: place("start_date"), detail: detail))
        }
        if wantedEnd - last.daysSinceEpoch > tolerance {
            let early = series.filter { $0.days.last.map { wantedEnd - $0 > tolerance } ?? false }
            let detail = "The data end on \(last): \(names(early)) no later prices."
            warnings.append(PortfolioWarning(code: "window_shortened", pointer: place("end_date"), detail: detail))
        }
        return warnings
    }

    private static func place(_ member: String) -> JSONPointer { JSONPointer([member]) }

    private static func names(_ series: [PriceSeries]) -> String {
        let names = series.prefix(10).map { Problem.echo($0.asset) }.joined(separator: ", ")
        return series.isEmpty
            ? "the assets share"
            : names + (series.count > 10 ? " and others" : "") + (series.count == 1 ? " has" : " have")
    }
}
