import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `GET /api/portfolio/{id}/gains?year=2026`: results that executed plans have booked in a year, by fill and lot, with what wash sales
/// took away, their sums by term, and the losses carried into the year.
struct GetGains: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery("year")
        let id = try context.portfolioID()
        var year = UTCTimestamp.now.date.year
        if let text = request.query("year") {
            guard let given = Int(text), (1900...9998).contains(given) else {
                throw Problem(.invalidParameter, "year is a number from 1900 to 9998.")
            }
            year = given
        }
        let wanted = year
        let found = try await optimizer.pool.transaction(.app(principal.tenant)) {
            connection -> (sales: [JSONValue], years: [Int: GainStore.Year])? in
            guard try await PortfolioStore.find(id, on: connection) != nil else { return nil }
            return (
                try await GainStore.list(of: id, year: wanted, on: connection),
                try await GainStore.years(of: id, on: connection)
            )
        }
        guard let found else { throw Problem.noPortfolio(id) }
        let sums = found.years[year] ?? GainStore.Year()
        let cap = CalendarDate(year: year, month: 12, day: 31).flatMap { TaxRegime.inForce("us", on: $0) }?.ordinaryCap
        let carry = TaxYear.carry(
            into: year, from: found.years.mapValues { (short: $0.short, long: $0.long) }, cap: cap ?? 0)
        return Response(json: [
            "portfolio_id": .string(id), "year": JSONValue(year),
            "short": JSONValue(sums.short.rounded(places: 8)), "long": JSONValue(sums.long.rounded(places: 8)),
            "carry_short": JSONValue(carry.short.rounded(places: 8)),
            "carry_long": JSONValue(carry.long.rounded(places: 8)),
            "items": .array(found.sales), "next": .null,
        ])
    }
}
