import Foundation
import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/rebalance/{plan}/cancel`: ends an execution. Nothing new is sent, what is open is taken back, what is filled stays booked.
/// A plan that is confirmed and not yet executing is rejected.
struct CancelPlan: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let id = try context.planID()
        let reader = MemberReader(try await request.jsonBody())
        let reason = reader.string("reason", maximumLength: 1000) ?? "cancelled"
        try reader.finishAndThrow()
        let requestID = context.requestID
        let tenant = principal.tenant
        try await optimizer.pool.transaction(.app(tenant)) { connection in
            guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
            switch plan.state {
            case "EXECUTING", "PAUSED":
                guard try await ExecutionStore.stop(id, reason: reason, on: connection) else {
                    throw Problem(.wrongState, "The execution has ended.")
                }
                try await PortfolioStore.audit(
                    actor: principal.subject, action: "rebalance.cancel", object: id,
                    detail: ["reason": .string(reason)],
                    requestID: requestID, on: connection)
            case "CONFIRMED":
                try await PlanStore.move(
                    id, from: plan.state, to: "REJECTED", actor: principal.subject, reason: reason,
                    requestID: requestID, on: connection)
            default:
                throw Problem(
                    .wrongState,
                    "The plan is \(plan.state); only one that is CONFIRMED, EXECUTING or PAUSED can be cancelled.")
            }
        }
        optimizer.executionWake.wake()
        return Response(json: try await GetExecution.progress(id, tenant: tenant, optimizer: optimizer))
    }
}

/// `GET /api/rebalance/{plan}/execution`: how far the execution is, or its report once it has ended.
struct GetExecution: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let id = try context.planID()
        return Response(json: try await Self.progress(id, tenant: principal.tenant, optimizer: optimizer))
    }

    /// The report, or the books as the log has made them so far.
    static func progress(_ id: String, tenant: UUID, optimizer: Optimizer) async throws -> JSONValue {
        try await optimizer.pool.transaction(.app(tenant)) { connection -> JSONValue in
            guard let plan = try await PlanStore.find(id, locks: false, on: connection) else {
                throw Problem.noPlan(id)
            }
            if let report = try await PlanStore.execution(of: id, on: connection) { return report }
            guard let record = try await ExecutionStore.find(id, on: connection) else {
                return [
                    "plan_id": .string(id), "state": .string(plan.state), "venue": .null, "orders": [], "unfilled": [],
                    "cash": .null, "positions": [:], "shortfall": .null, "differences": [],
                ]
            }
            let request = try await PlanStore.request(of: id, on: connection)
            let sheet = try TradeSheet(plan, request: request, holdings: record.before)
            var book = sheet.book(try ExecutionSettings(json: record.settings).limits)
            let log = try await ExecutionStore.log(of: id, on: connection)
            book.replay(log.events)
            let earlier = try await GainStore.earlier(than: id, of: record.portfolioID, on: connection)
            let booking = sheet.booking(log.events, days: log.days, earlier: earlier)
            let prices = try await PlanStore.quotes(of: sheet.legs.map { $0.asset }, on: connection)
            return sheet.report(
                of: book, booking: booking, plan: id, venue: record.venue, state: plan.state, differences: [],
                endPrices: prices.mapValues { $0.price })
        }
    }
}

/// `POST /api/rebalance/{plan}/pause` and `/resume`: holds an execution where it is, and lets it go on. While it is paused nothing new is
/// sent; orders that are open stay so and their fills are booked. The same call again changes nothing.
struct PausePlan: Endpoint {
    let optimizer: Optimizer
    let isPause: Bool

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let id = try context.planID()
        let reader = MemberReader(try await request.jsonBody())
        let reason = reader.string("reason", maximumLength: 1000) ?? (isPause ? "paused" : "resumed")
        try reader.finishAndThrow()
        let (requestID, isPause, tenant) = (context.requestID, isPause, principal.tenant)
        try await optimizer.pool.transaction(.app(tenant)) { connection in
            guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
            let (from, to) = isPause ? ("EXECUTING", "PAUSED") : ("PAUSED", "EXECUTING")
            if plan.state == to { return }
            guard plan.state == from else {
                throw Problem(
                    .wrongState,
                    "The plan is \(plan.state); only one that is \(from) can be \(isPause ? "paused" : "resumed").")
            }
            try await ExecutionStore.setPaused(isPause ? reason : nil, of: id, on: connection)
            try await PlanStore.move(
                id, from: from, to: to, actor: principal.subject, reason: reason, requestID: requestID, on: connection)
        }
        optimizer.executionWake.wake()
        return Response(json: try await GetExecution.progress(id, tenant: tenant, optimizer: optimizer))
    }
}

/// `GET /api/trading/costs`: what orders have taught about the cost of each venue, the one that was traded at last first.
struct GetTradingCosts: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let items = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await TradingCostStore.all(on: connection).map { $0.json }
        }
        return Response(json: ["items": .array(items), "next": .null])
    }
}

/// `DELETE /api/trading/costs/{venue}`: forgets what a venue has taught.
struct DeleteTradingCosts: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let venue = context.parameters.get("venue") ?? ""
        let requestID = context.requestID
        try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            guard try await TradingCostStore.forget(venue, on: connection) else {
                throw Problem(.noSuchResource, "Nothing is known of the venue \"\(Problem.echo(venue))\".")
            }
            try await PortfolioStore.audit(
                actor: principal.subject, action: "trading.forget_costs", object: venue, detail: [:],
                requestID: requestID, on: connection)
        }
        return Response(status: .noContent)
    }
}

/// `GET /api/trading/halt`: whether the tenant's kill switch is on.
struct GetHalt: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let halt = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await ExecutionStore.halt(on: connection)
        }
        return Response(json: halt)
    }
}

/// `PUT /api/trading/halt`: turns the kill switch on or off. While it is on nothing new is sent anywhere for the tenant, and open orders
/// are taken back.
struct PutHalt: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let reader = MemberReader(try await request.jsonBody())
        let isOn = reader.bool("on") ?? false
        if !reader.has("on") { reader.fault("on", .missing, "Whether it is on has to be said.") }
        let reason = reader.string("reason", maximumLength: 1000) ?? "turned on"
        try reader.finishAndThrow()
        let requestID = context.requestID
        let halt = try await optimizer.pool.transaction(.app(principal.tenant)) { connection -> JSONValue in
            try await ExecutionStore.setHalt(isOn, reason: reason, actor: principal.subject, on: connection)
            try await PortfolioStore.audit(
                actor: principal.subject, action: isOn ? "trading.halt" : "trading.resume", object: "trading",
                detail: ["reason": .string(reason)], requestID: requestID, on: connection)
            return try await ExecutionStore.halt(on: connection)
        }
        return Response(json: halt)
    }
}
