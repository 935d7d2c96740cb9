public import WireFormat

/// A trade of a plan spread over time, with what other risk aversions would cost.
///
/// Half the quoted spread is the fixed cost of a share; parts of a day's volume that move the price by one spread, for as long as they are traded and
/// for good, make the two impacts. Source: Almgren and Chriss (2001), Optimal execution of portfolio transactions, section 3.4.
public struct LegSchedule: Sendable, Equatable {
    /// Shares of each interval in whole lots, the first one first.
    public var slices: [FixedDecimal]
    public var intervalDays: Double
    public var chosen: AlmgrenChriss.Schedule
    /// The cheapest and riskiest first.
    public var frontier: [AlmgrenChriss.Schedule]

    /// Times the risk aversion that is asked for.
    private static let multiples = [0, 0.01, 0.1, 1, 10, 100]

    /// Nil where spread, volume or volatility are not known, or the permanent impact is too large for so few intervals.
    init?(_ shares: FixedDecimal, _ quote: MarketQuote, lotSize: FixedDecimal, _ settings: RebalanceSettings.Schedule) {
        guard let volume = quote.dailyVolume?.double, volume > 0, let volatility = quote.dailyVolatility,
            quote.halfSpread > 0
        else { return nil }
        let spread = 2 * quote.halfSpread.double
        let problem = AlmgrenChriss(
            shares: shares.magnitude.double, horizon: settings.days, intervals: settings.intervals,
            sigma: quote.price.double * volatility, epsilon: spread / 2,
            eta: spread / (settings.temporaryVolume * volume), gamma: spread / (settings.permanentVolume * volume))
        guard let found = problem.schedule(riskAversion: settings.riskAversion) else { return nil }
        chosen = found
        intervalDays = settings.days / Double(settings.intervals)
        frontier = problem.frontier(riskAversions: Self.multiples.map { $0 * settings.riskAversion })
        var lots = found
        lots.slices = found.slices.map { $0 / lotSize.double }
        let whole = lots.wholeShares.map { FixedDecimal($0) * lotSize }
        // Lots beyond what whole numbers hold are not spread.
        guard whole.reduce(.zero, +) == shares.magnitude else { return nil }
        slices = whole
    }

    /// As a plan says it.
    var json: JSONValue {
        [
            "slices": .array(slices.map { JSONValue($0) }), "interval_days": JSONValue(intervalDays),
            "expected_cost": JSONValue(chosen.expectedCost), "standard_deviation": JSONValue(chosen.standardDeviation),
            "half_life_days": JSONValue(chosen.halfLife),
            "frontier": .array(
                frontier.map {
                    [
                        "risk_aversion": JSONValue($0.riskAversion), "expected_cost": JSONValue($0.expectedCost),
                        "standard_deviation": JSONValue($0.standardDeviation),
                    ]
                }),
        ]
    }
}
