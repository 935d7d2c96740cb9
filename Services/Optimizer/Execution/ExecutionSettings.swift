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
    /// How the paper broker behaves.
    var paper = PaperMarket()
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
        if let inner = reader.object("paper") { paper = PaperMarket(inner) }
        if venue != "paper", reader.has("paper") {
            reader.fault("paper", .contradiction, "Only the paper broker reads it.")
        }
        try reader.finishAndThrow()
    }
}

/// How the paper broker behaves, whatever the plan takes it for.
struct PaperMarket: Sendable, Equatable {
    /// Half spreads and impact as multiples of what the plan's settings say: the truth that orders can teach.
    var spreadFactor: FixedDecimal = 1
    var impactFactor = 1.0
    var depthNoise = 0.5
    var permanentShare = 0.0
    var partialShare = 0.3
    var rejectShare = 0.0
    /// Looks, at most, before an order has reached the book.
    var latency = 0
    /// Whether limit prices bind; otherwise orders take what the book has, up to `limits.collar`.
    var isLimited = false

    init() {}

    init(_ reader: MemberReader) {
        spreadFactor = reader.fixed("spread_factor", in: 0...100) ?? 1
        impactFactor = reader.double("impact_factor", in: Interval(lower: 0, upper: 100)) ?? 1
        depthNoise = reader.double("depth_noise", in: Interval(lower: 0, upper: 1)) ?? depthNoise
        permanentShare = reader.double("permanent_share", in: .unit) ?? permanentShare
        partialShare = reader.double("partial_share", in: .unit) ?? partialShare
        rejectShare = reader.double("reject_share", in: .unit) ?? rejectShare
        latency = reader.int("latency", in: 0...100) ?? latency
        let word = reader.string("orders") ?? "market"
        if word != "market", word != "limit" {
            reader.fault("orders", .unknownValue, "\"\(Problem.echo(word))\" is neither market nor limit.")
        }
        isLimited = word == "limit"
        reader.finish()
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
        _ name: String, sheet: TradeSheet, settings: ExecutionSettings, log: [ExecutionEvent]
    ) throws(Problem) -> any TradingVenue {
        if name == "paper" { return PaperDesk(sheet, settings, log: log) }
        guard let venue = venues[name] else {
            throw Problem(
                .wrongState,
                "\"\(Problem.echo(name))\" is not a venue of this installation any more; known: \(names.joined(separator: ", "))."
            )
        }
        return venue
    }
}
