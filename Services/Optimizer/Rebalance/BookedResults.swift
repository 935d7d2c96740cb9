import PostgresClient
import Reallocation
import WireFormat

/// What earlier plans of a portfolio booked, for the tax of the next: results of the year, losses carried into it, and what was sold at a loss
/// lately.
final class BookedResults: Sendable {
    private let years: [Int: GainStore.Year]
    private let lossSales: [(asset: String, date: CalendarDate)]

    private init(years: [Int: GainStore.Year], lossSales: [(asset: String, date: CalendarDate)]) {
        self.years = years
        self.lossSales = lossSales
    }

    static func load(_ portfolio: String, on connection: PostgresConnection) async throws -> BookedResults {
        BookedResults(
            years: try await GainStore.years(of: portfolio, on: connection),
            lossSales: try await GainStore.lossSales(of: portfolio, on: connection))
    }

    /// A plan's request with the booked figures in the place of those that it does not give. What it gives holds, but for the sales at
    /// a loss, of which both count.
    func completed(_ body: JSONValue) -> JSONValue {
        guard !years.isEmpty, var request = body.objectValue, var settings = request["settings"]?.objectValue,
            var tax = settings["tax"]?.objectValue, tax["mode"] != "none"
        else { return body }
        let day = request["as_of"]?.stringValue.flatMap { CalendarDate(iso: $0) } ?? UTCTimestamp.now.date
        let year = years[day.year] ?? GainStore.Year()
        let regime = TaxRegime.inForce(tax["regime"]?.stringValue ?? "us", on: day)
        let cap = tax["ordinary_cap"]?.fixed ?? regime?.ordinaryCap ?? 0
        let carry = TaxYear.carry(
            into: day.year, from: years.mapValues { (short: $0.short, long: $0.long) }, cap: cap)
        for (name, value) in [
            ("realised_short", year.short), ("realised_long", year.long), ("carry_short", carry.short),
            ("carry_long", carry.long),
        ] where tax[name] == nil && value != 0 {
            tax[name] = JSONValue(value)
        }
        if !lossSales.isEmpty {
            let given = tax["recent_loss_sales"]?.arrayValue ?? []
            let booked: [JSONValue] = lossSales.filter { $0.date <= day }.map {
                ["asset": .string($0.asset), "date": .string($0.date.description)]
            }
            tax["recent_loss_sales"] = .array(given + booked.filter { !given.contains($0) })
        }
        settings["tax"] = .object(tax)
        request["settings"] = .object(settings)
        return .object(request)
    }
}

extension JSONValue {
    /// A decimal that is given as a text or a number.
    fileprivate var fixed: FixedDecimal? {
        if let text = stringValue { return FixedDecimal(text) }
        if case .number(let number) = self { return FixedDecimal(number) }
        return nil
    }
}
