import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `PUT /api/portfolio/{id}/recalculation`: members that are absent stay as they are. Switching it on wants a run at once: what
/// changed while it was off is not in the result yet, and a parked job starts afresh.
struct PutRecalculation: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery()
        let id = try context.portfolioID()
        let wanted = MemberReader(try await request.jsonBody())
        let isEnabled = wanted.bool("enabled")
        let quiet = wanted.int("quiet_ms", in: 0...3_600_000)
        let longest = wanted.int("max_wait_ms", in: 0...86_400_000)
        try wanted.finishAndThrow()
        let requestID = context.requestID
        let settings = try await optimizer.pool.transaction(.app(principal.tenant)) {
            connection -> RecalculationSettings in
            guard let portfolio = try await PortfolioStore.lock(id, on: connection) else {
                throw Problem.noPortfolio(id)
            }
            var settings = portfolio.recalculation
            settings.isEnabled = isEnabled ?? settings.isEnabled
            settings.quietMilliseconds = quiet ?? settings.quietMilliseconds
            settings.maxWaitMilliseconds = longest ?? max(settings.maxWaitMilliseconds, settings.quietMilliseconds)
            guard settings.quietMilliseconds <= settings.maxWaitMilliseconds else {
                throw Problem(
                    JSONPointer(["quiet_ms"]), .contradiction,
                    "quiet_ms \(settings.quietMilliseconds) is above max_wait_ms \(settings.maxWaitMilliseconds).")
            }
            if settings != portfolio.recalculation {
                try await PortfolioStore.update(
                    id: id, name: portfolio.name, request: portfolio.request, requestHash: portfolio.requestHash,
                    recalculation: settings, on: connection)
                try await PortfolioStore.audit(
                    actor: principal.subject, action: "portfolio.recalculation", object: id, detail: settings.json,
                    requestID: requestID, on: connection)
            }
            if settings.isEnabled, isEnabled == true { _ = try await PortfolioStore.want(id, on: connection) }
            return settings
        }
        optimizer.workerWake.wake()
        return Response(json: settings.json)
    }
}
