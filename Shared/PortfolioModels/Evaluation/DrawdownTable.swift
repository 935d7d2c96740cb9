public import WireFormat

/// The falls of a portfolio's compounded value from its peaks, the deepest first; the start counts as a peak.
public enum DrawdownTable {
    /// - Parameters:
    ///   - x: returns per period, one a date.
    ///   - limit: most entries.
    public static func of(_ x: [Double], dates: [CalendarDate], limit: Int) -> [MetricsResponse.Drawdown] {
        var found: [(peak: Int, trough: Int, end: Int?, depth: Double)] = []
        var (level, top, peak) = (1.0, 1.0, -1)
        var open: (trough: Int, depth: Double)?
        for t in x.indices {
            level *= max(0, 1 + x[t])
            if level >= top {
                if let fall = open { found.append((peak, fall.trough, t, fall.depth)) }
                (top, peak, open) = (level, t, nil)
                continue
            }
            let depth = 1 - level / top
            if depth > open?.depth ?? 0 { open = (t, depth) }
        }
        if let fall = open { found.append((peak, fall.trough, nil, fall.depth)) }
        // Equal depths by time: a table that depends on nothing else.
        found.sort { $0.depth != $1.depth ? $0.depth > $1.depth : $0.peak < $1.peak }
        return found.prefix(max(0, limit)).map { fall in
            MetricsResponse.Drawdown(
                depth: fall.depth, peak: fall.peak >= 0 ? dates[fall.peak] : nil, trough: dates[fall.trough],
                recovery: fall.end.map { dates[$0] }, periodsToTrough: fall.trough - fall.peak,
                periodsToRecovery: fall.end.map { $0 - fall.trough },
                periods: (fall.end ?? x.count - 1) - fall.peak)
        }
    }
}
