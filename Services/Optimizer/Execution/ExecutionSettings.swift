import Reallocation
import ServiceKit
import ServiceLifecycle
import WireFormat

/// What a call of `execute` says: where to trade, and at most what.
struct ExecutionSettings: Sendable {
    var venue: String
    /// Of the paper broker.
    var seed: UInt64
    /// How long an order may wait before it is taken back.
    var orderSeconds: Double
    var limits: ExecutionLimits
    /// As it is kept.
    var json: JSONValue

    init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        self.json = json
        venue = reader.string("venue", required: true, maximumLength: 32) ?? ""
        seed = UInt64(reader.int("seed", in: 0...Int(Int32.max)) ?? 0)
        limits = ExecutionLimits()
        orderSeconds = 30
        if let inner = reader.object("limits") {
            let amounts: ClosedRange<FixedDecimal> = 0...1_000_000_000_000
            limits.order = inner.fixed("order", in: amounts)
            limits.plan = inner.fixed("plan", in: amounts)
            limits.day = inner.fixed("day", in: amounts)
            limits.collar = inner.fixed("collar", in: 0...1)
            limits.attempts = inner.int("attempts", in: 1...20) ?? 1
            limits.repriceStep = inner.fixed("reprice_step", in: 0...1) ?? 0
            orderSeconds = inner.double("order_seconds", in: Interval(lower: 0, upper: 86_400)) ?? 30
            inner.finish()
        }
        try reader.finishAndThrow()
    }
}

/// Where this installation may trade, and at most how much.
struct TradingDesk: Sendable {
    /// Most value of one order, and of all of a day; nil without a limit.
    var orderLimit: FixedDecimal?
    var dayLimit: FixedDecimal?
    /// Venues beyond the paper broker, by name.
    var venues: [String: any TradingVenue] = [:]
    /// What runs beside them: streams.
    var services: [any Service] = []

    var names: [String] { ["paper"] + venues.keys.sorted() }

    func venue(
        _ name: String, sheet: TradeSheet, seed: UInt64, log: [ExecutionEvent]
    ) throws(Problem) -> any TradingVenue {
        if name == "paper" { return PaperDesk(sheet, seed: seed, log: log) }
        guard let venue = venues[name] else {
            throw Problem(
                .wrongState,
                "\"\(Problem.echo(name))\" is not a venue of this installation any more; known: \(names.joined(separator: ", "))."
            )
        }
        return venue
    }
}
