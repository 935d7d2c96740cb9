public import WireFormat

/// Where a portfolio's return beyond its benchmark's came from, by class of assets.
///
/// ```
/// allocation   (w_c - b_c) (B_c - B)
/// selection    b_c (R_c - B_c)
/// interaction  (w_c - b_c) (R_c - B_c)
/// ```
/// w_c, b_c are a class' weights at the start of the window, R_c, B_c its returns over the whole window in portfolio and benchmark, B the
/// benchmark's. A class that one side lacks has no return of its own there: the other side's counts, so that its whole effect is
/// allocation; Riskfolio-Lib divides by zero.
///
/// Source: G. Brinson, N. Fachler (1985), Measuring Non-US Equity Portfolio Performance, Journal of Portfolio Management 11(3).
public enum BrinsonAttribution {
    /// - Parameters:
    ///   - weights: N, of the portfolio.
    ///   - benchmark: N.
    ///   - classes: names and members; assets in none form the class `other`.
    public static func of(
        weights: [Double], benchmark: [Double], classes: [ConstraintRequest.Group], panel: ReturnPanel
    ) -> MetricsResponse.Attribution {
        let returns = panel.assets.indices.map { asset in
            panel.column(asset).reduce(1.0) { $0 * (1 + $1) } - 1
        }
        func sum(_ w: [Double], _ members: [Int]) -> Double { members.reduce(0) { $0 + w[$1] } }
        func gain(_ w: [Double], _ members: [Int]) -> Double { members.reduce(0) { $0 + w[$1] * returns[$1] } }
        let all = Array(panel.assets.indices)
        let total = gain(benchmark, all)
        var places: [String: Int] = [:]
        for (index, asset) in panel.assets.enumerated() { places[asset] = index }
        var sets = classes.map { (name: $0.name, members: $0.assets.compactMap { places[$0] }) }
        let grouped = Set(sets.flatMap { $0.members })
        let rest = all.filter { !grouped.contains($0) }
        var name = "other"
        while classes.contains(where: { $0.name == name }) { name += "_" }
        if !rest.isEmpty { sets.append((name, rest)) }
        let rows = sets.filter { !$0.members.isEmpty }.map { set -> MetricsResponse.Attribution.Row in
            let (w, b) = (sum(weights, set.members), sum(benchmark, set.members))
            let (above, below) = (gain(weights, set.members), gain(benchmark, set.members))
            let own = w != 0 ? above / w : b != 0 ? below / b : 0
            let base = b != 0 ? below / b : own
            return .init(
                name: set.name, weight: w, benchmarkWeight: b, allocation: (w - b) * (base - total),
                selection: b * (own - base), interaction: (w - b) * (own - base))
        }
        return .init(portfolioReturn: gain(weights, all), benchmarkReturn: total, rows: rows)
    }
}
