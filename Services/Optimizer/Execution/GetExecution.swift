import Foundation
import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

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
