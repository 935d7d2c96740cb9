public import WireFormat

/// Whose law, from which day: what differs between countries and years is data, not code.
///
/// Rates are not part of it, since they depend on the person: a request gives them, and the regime says what they apply to.
/// The entries are a model with a source and a date, not tax advice; add or change an entry, never the code.
public struct TaxRegime: Sendable, Equatable {
    public var code: String
    public var effective: CalendarDate
    public var holdingPeriod: HoldingPeriod
    /// The share of a long-term gain that is taxed at all.
    public var longInclusion: FixedDecimal
    /// The share of a short-term gain that is taxed.
    public var shortInclusion: FixedDecimal
    /// Most of a net loss that reduces ordinary income in a year.
    public var ordinaryCap: FixedDecimal
    public var washSale: WashSaleRule?
    /// The method that the law prescribes; nil leaves the choice.
    public var prescribedMethod: DisposalMethod?
    public var source: String

    /// The entry of a code that is in force on a day; nil for a code or a day that is not known.
    public static func inForce(_ code: String, on day: CalendarDate) -> TaxRegime? {
        all.filter { $0.code == code && $0.effective <= day }.max { $0.effective < $1.effective }
    }

    /// Every entry, by code and date.
    public static let all: [TaxRegime] = [
        entry(
            "us", 1978, years: 1, cap: 3000, wash: .unitedStates,
            "US IRC 1222, 1211(b) as amended for years from 1978, 1091"),
        // Tokens are neither stock nor securities under section 1091, as of the year 2025.
        entry("us-token", 2014, years: 1, cap: 3000, wash: nil, "US IRC 1222, 1211(b); Notice 2014-21"),
        entry(
            "de-token", 2009, years: 1, long: 0, cap: 0, wash: nil,
            "DE EStG 23(1) no. 2: private sales are free after one year"),
        entry(
            "ca", 2001, years: nil, short: FixedDecimal("0.5"), cap: 0, wash: .canada, method: .average,
            "CA ITA 38(a), 47, 54 superficial loss"),
        entry(
            "gb", 2008, years: nil, cap: 0, wash: .unitedKingdom, method: .average, "GB TCGA 1992 s.104, s.105, s.106A"),
    ].compactMap { $0 }

    private static func entry(
        _ code: String, _ year: Int, years: Int?, long: FixedDecimal? = 1, short: FixedDecimal? = 1, cap: FixedDecimal,
        wash: WashSaleRule?, method: DisposalMethod? = nil, _ source: String
    ) -> TaxRegime? {
        guard let effective = CalendarDate(year: year, month: 1, day: 1), let long, let short else { return nil }
        return TaxRegime(
            code: code, effective: effective, holdingPeriod: years.map { .years($0) } ?? .none, longInclusion: long,
            shortInclusion: short, ordinaryCap: cap, washSale: wash, prescribedMethod: method, source: source)
    }
}
