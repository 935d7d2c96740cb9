import Foundation
import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/rebalance/{plan}/execute`: trades a confirmed plan of a stored portfolio at the embedded paper broker and books it.
///
/// The paper broker lives inside the transaction: intents, fills, cash, positions, lots, verification and audit are one commit, so a
/// crash leaves either nothing or all of it. The same call again gives the first answer.
struct ExecutePlan: Endpoint {
    let optimizer: Optimizer

    private enum Outcome: Sendable {
        case done(JSONValue)
        /// Committed as such: the plan has reached an end.
        case refused(Problem)
    }

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let id = try context.planID()
        let reader = MemberReader(try await request.jsonBody())
        let venue = reader.string("venue", required: true, maximumLength: 32)
        if let venue, venue != "paper" {
            reader.fault(
                "venue", .unknownValue, "\"\(Problem.echo(venue))\" is not a venue of this installation; known: paper.")
        }
        let seed = reader.int("seed", in: 0...Int(Int32.max)) ?? 0
        try reader.finishAndThrow()
        let requestID = context.requestID
        let outcome = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await Self.execute(
                id, seed: UInt64(seed), actor: principal.subject, requestID: requestID, on: connection)
        }
        switch outcome {
        case .refused(let problem): throw problem
        case .done(let report): return Response(json: report)
        }
    }

    private static func execute(
        _ id: String, seed: UInt64, actor: String, requestID: String, on connection: PostgresConnection
    ) async throws -> Outcome {
        guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
        if let report = try await PlanStore.execution(of: id, on: connection) { return .done(report) }
        guard plan.state == "CONFIRMED" else {
            throw Problem(.wrongState, "The plan is \(plan.state); only one that is CONFIRMED can be executed.")
        }
        guard let portfolioID = plan.portfolioID else {
            throw Problem(
                .wrongState, "The plan's holdings came with its request: there is no portfolio to book it in.")
        }
        let portfolio = try await PortfolioStore.lock(portfolioID, on: connection)
        let holdings = try await HoldingStore.load(of: portfolioID, on: connection)
        guard portfolio?.version == plan.portfolioVersion, SealedPlan.hash(of: holdings.json) == plan.holdingsHash
        else {
            try await PlanStore.move(
                plan.id, from: plan.state, to: "SUPERSEDED", actor: actor, reason: "the portfolio has changed",
                requestID: requestID,
                on: connection)
            return .refused(
                Problem(.versionClash, "The portfolio or its holdings have changed since: make a new plan."))
        }
        let request = try await PlanStore.request(of: plan.id, on: connection)
        let sheet = try TradeSheet(plan, request: request, holdings: holdings)
        var state = plan.state
        func advance(_ next: String, _ reason: String) async throws {
            try await PlanStore.move(
                id, from: state, to: next, actor: actor, reason: reason, requestID: requestID, on: connection)
            state = next
        }
        try await advance("EXECUTING", "at the paper broker")
        let run = PaperRun(sheet, seed: seed)
        try await PlanStore.log(run.events, of: id, on: connection)
        let isWhole =
            run.book.halt == nil
            && sheet.legs.indices.allSatisfy { leg in
                run.book.orders.contains { $0.leg == leg && $0.filled == sheet.legs[leg].quantity }
            }
        try await advance(
            run.book.halt == nil ? (isWhole ? "COMPLETED" : "COMPLETED_SHORT") : "HALTED",
            run.book.halt ?? "every leg has ended")
        let differences = run.book.differences(venueCash: run.venue.cash, venuePositions: run.venue.positions)
        if run.book.halt == nil, differences.isEmpty {
            try await advance("VERIFIED", "books and venue agree")
            try await HoldingStore.replace(
                sheet.holdings(after: run, on: UTCTimestamp.now.date), of: portfolioID, on: connection)
            try await advance("RECORDED", "fills, cash, positions and lots are booked")
        } else if run.book.halt == nil {
            try await advance("MISMATCH", differences.joined(separator: "; "))
        }
        let report = sheet.report(of: run, plan: id, state: state, differences: differences)
        try await PlanStore.setExecution(report, of: id, on: connection)
        return .done(report)
    }
}

/// What a stored plan says about its trades.
struct TradeSheet: Sendable {
    var legs: [ExecutionLeg]
    /// By leg: the price of the decision and the cost that was expected.
    var decisions: [(price: FixedDecimal, cost: FixedDecimal)]
    var quotes: [String: MarketQuote]
    var commission: CommissionSchedule
    var cashFloor: FixedDecimal
    var minimumTrade: FixedDecimal
    var lotSize: FixedDecimal
    var before: Holdings
    private let planID: String
    private let planHash: [UInt8]

    init(_ plan: StoredPlan, request: JSONValue, holdings: Holdings) throws(Problem) {
        let unreadable = Problem(.internalError, "The stored plan cannot be read.")
        guard let body = try? StrictJSON.parse(plan.body, limits: .stored) else { throw unreadable }
        let settings = try RebalanceSettings(json: request["settings"] ?? .object(JSONObject()))
        let (costs, limits) = (settings.costs, settings.constraints)
        commission = CommissionSchedule(
            perOrder: costs.perOrder, perShare: costs.perShare, rate: costs.rate, minimum: costs.minimum,
            maximumRate: costs.maximumRate)
        func decimal(_ value: JSONValue?) throws(Problem) -> FixedDecimal {
            guard let read = value?.stringValue.flatMap({ FixedDecimal($0) }) else { throw unreadable }
            return read
        }
        cashFloor = max(limits.cashFloor, limits.cashFloorWeight * (try decimal(body["drift"]?["portfolio_value"])))
        minimumTrade = limits.minTrade
        lotSize = limits.lotSize
        legs = []
        decisions = []
        quotes = [:]
        for leg in body["legs"]?.arrayValue ?? [] {
            let asset = leg["asset"]?.stringValue ?? ""
            let quantity = try decimal(leg["quantity"])
            let price = try decimal(leg["price"])
            let edge = try decimal(leg["costs"]?["spread"]) + (try decimal(leg["costs"]?["impact"]))
            var lots: [(id: String, quantity: FixedDecimal)] = []
            for lot in leg["lots"]?.arrayValue ?? [] {
                lots.append((lot["id"]?.stringValue ?? "", try decimal(lot["quantity"])))
            }
            legs.append(
                ExecutionLeg(
                    asset: asset, isSale: leg["side"]?.stringValue == "sell", quantity: quantity,
                    limitPrice: try decimal(leg["limit_price"]), lots: lots))
            decisions.append((price, try decimal(leg["costs"]?["total"]) - (try decimal(leg["costs"]?["ticket"]))))
            // Spread and impact as the plan expected them, so that the broker's mean is the plan's cost.
            quotes[asset] = MarketQuote(price: price, halfSpread: edge / quantity)
        }
        before = holdings
        planID = plan.id
        planHash = plan.hash
    }

    /// Deterministic, at most 48 characters: of the plan's hash, the leg and the attempt.
    func clientID(_ leg: Int, _ attempt: Int) -> String {
        "p"
            + String(
                Hex.text(SealedPlan.hash(of: [.string(Hex.text(planHash)), JSONValue(leg), JSONValue(attempt)])).prefix(
                    40))
    }

    /// Shares held by asset.
    var positions: [String: FixedDecimal] {
        Dictionary(
            before.positions.map { position in
                let lots = position.lots.compactMap { FixedDecimal($0.quantity) }.reduce(.zero, +)
                return (position.asset, position.quantity.flatMap { FixedDecimal($0) } ?? lots)
            }, uniquingKeysWith: +)
    }

    /// The holdings with what was filled: lots consumed in the plan's order, purchases as new lots with their costs.
    func holdings(after run: PaperRun, on day: CalendarDate) -> Holdings {
        var after = before
        after.cash = run.book.cash.description
        for order in run.book.orders where order.filled > 0 {
            let leg = legs[order.leg]
            if !after.positions.contains(where: { $0.asset == leg.asset }) {
                after.positions.append(Holdings.Position(asset: leg.asset, quantity: nil, lots: []))
            }
            guard let at = after.positions.firstIndex(where: { $0.asset == leg.asset }) else { continue }
            let hadLots = !after.positions[at].lots.isEmpty || positions[leg.asset] == nil
            after.positions[at].quantity = run.book.positions[leg.asset]?.description
            guard hadLots else { continue }
            if leg.isSale {
                for lot in leg.lots {
                    guard let place = after.positions[at].lots.firstIndex(where: { $0.id == lot.id }),
                        let held = FixedDecimal(after.positions[at].lots[place].quantity)
                    else { continue }
                    let sold = lot.quantity - (run.book.lots[lot.id] ?? lot.quantity)
                    after.positions[at].lots[place].quantity = (held - sold).description
                }
                after.positions[at].lots.removeAll { $0.quantity == "0" }
            } else {
                let basis = (order.filledValue + order.commission) / order.filled
                after.positions[at].lots.append(
                    Holdings.Lot(
                        id: "\(planID).\(order.leg + 1)", acquired: day, quantity: order.filled.description,
                        basisPerShare: basis.description))
            }
        }
        after.positions.removeAll { $0.quantity == "0" }
        return after
    }

    /// Orders, books and the implementation shortfall: what was paid beyond the prices of the decision, against what was expected.
    func report(of run: PaperRun, plan: String, state: String, differences: [String]) -> JSONValue {
        var slippage = FixedDecimal.zero
        var commissions = FixedDecimal.zero
        var expected = FixedDecimal.zero
        var orders: [JSONValue] = []
        for order in run.book.orders {
            let leg = legs[order.leg]
            let decided = decisions[order.leg].price * order.filled
            let paid = leg.isSale ? decided - order.filledValue : order.filledValue - decided
            slippage += paid
            commissions += order.commission
            expected += decisions[order.leg].cost
            orders.append([
                "client_order_id": .string(order.clientID), "asset": .string(leg.asset),
                "side": .string(leg.isSale ? "sell" : "buy"),
                "quantity": JSONValue(order.quantity), "filled": JSONValue(order.filled),
                "average_price": order.filled > 0
                    ? JSONValue((order.filledValue / order.filled).rounded(places: 8)) : .null,
                "commission": JSONValue(order.commission.rounded(places: 8)), "state": .string(order.state.rawValue),
            ])
        }
        return [
            "plan_id": .string(plan), "state": .string(state), "venue": "paper", "orders": .array(orders),
            "cash": JSONValue(run.book.cash),
            "positions": .object(
                JSONObject(run.book.positions.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) })),
            "shortfall": [
                "execution": JSONValue(slippage.rounded(places: 8)), "fees": JSONValue(commissions.rounded(places: 8)),
                "total": JSONValue((slippage + commissions).rounded(places: 8)),
                "expected": JSONValue(expected.rounded(places: 8)),
            ],
            "differences": JSONValue(differences),
        ]
    }
}

/// One run of a sheet at the paper broker, to its end.
struct PaperRun: Sendable {
    private(set) var book: ExecutionBook
    private(set) var venue: PaperVenue
    private(set) var events: [ExecutionEvent] = []

    init(_ sheet: TradeSheet, seed: UInt64) {
        let cash = FixedDecimal(sheet.before.cash) ?? 0
        book = ExecutionBook(
            legs: sheet.legs, cash: cash, positions: sheet.positions, commission: sheet.commission,
            cashFloor: min(cash, sheet.cashFloor),
            minimumTrade: sheet.minimumTrade, lotSize: sheet.lotSize, identify: { sheet.clientID($0, $1) })
        venue = PaperVenue(
            cash: cash, positions: sheet.positions, quotes: sheet.quotes, settings: .init(commission: sheet.commission),
            seed: seed)
        // Each turn writes an event or fills a share; the bound only guards against a broker that never ends.
        for _ in 0..<100_000 {
            switch book.next() {
            case .finished: return
            case .record(let event): write(event)
            case .submit(let clientID, let leg, let quantity):
                switch venue.submit(
                    clientID: clientID, asset: sheet.legs[leg].asset, isSale: sheet.legs[leg].isSale, quantity: quantity
                ) {
                case .accepted: write(.accepted(clientID: clientID))
                case .rejected(let reason): write(.rejected(clientID: clientID, reason: reason))
                case .duplicate: write(.unanswered(clientID: clientID))
                }
            case .lookup(let clientID):
                write(venue.lookup(clientID) == nil ? .absent(clientID: clientID) : .accepted(clientID: clientID))
            case .await(let clientID):
                for fill in venue.trade(clientID) {
                    write(.fill(clientID: clientID, fillID: fill.fillID, quantity: fill.quantity, price: fill.price))
                }
            }
        }
        write(.halted(reason: "the broker does not end"))
    }

    private mutating func write(_ event: ExecutionEvent) {
        events.append(event)
        book.apply(event)
    }
}

extension PlanStore {
    /// The request that made a plan.
    static func request(of id: String, on connection: PostgresConnection) async throws -> JSONValue {
        let rows = try await connection.query(
            "SELECT request::text FROM ballast.rebalance_plan WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id)"
        )
        let text = try rows.first?.decode(String.self, at: 0) ?? "{}"
        return (try? StrictJSON.parse(text, limits: .stored)) ?? .object(JSONObject())
    }

    /// What became of a plan's orders; nil before they are booked.
    static func execution(of id: String, on connection: PostgresConnection) async throws -> JSONValue? {
        let rows = try await connection.query(
            "SELECT execution::text FROM ballast.rebalance_plan WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id)"
        )
        guard let text = try rows.first?.decode(String?.self, at: 0) else { return nil }
        return try? StrictJSON.parse(text, limits: .stored)
    }

    static func setExecution(_ report: JSONValue, of id: String, on connection: PostgresConnection) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.rebalance_plan SET execution = \(report.serialized())::json
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id)
            """)
    }

    /// Writes the log of an execution.
    static func log(_ events: [ExecutionEvent], of id: String, on connection: PostgresConnection) async throws {
        _ = try await connection.execute(
            """
            INSERT INTO ballast.rebalance_execution_event (tenant_id, plan_id, seq, event)
            SELECT ballast.current_tenant(), \(id), e.seq, e.event::jsonb
            FROM unnest(\(events.map { $0.json.serialized() })) WITH ORDINALITY AS e (event, seq)
            """)
    }
}
