import Foundation
import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/rebalance/{plan}/execute`: trades a confirmed plan of a stored portfolio and books it.
///
/// At the paper broker the answer is the report. At a venue that takes its time the answer is 202 and the plan executes on; `GET
/// .../execution` tells how far it is. Each event of an execution is committed before the next step, so that a crash loses nothing: any
/// process goes on from the log. The same call again gives the first answer.
struct ExecutePlan: Endpoint {
    let optimizer: Optimizer

    private enum Outcome: Sendable {
        case done(JSONValue)
        case opened
        /// Committed as such: the plan has reached an end.
        case refused(Problem)
    }

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let id = try context.planID()
        let body = try await request.jsonBody()
        let settings = try ExecutionSettings(json: body)
        guard optimizer.trading.names.contains(settings.venue) else {
            throw Problem(
                JSONPointer(["venue"]), .unknownValue,
                "\"\(Problem.echo(settings.venue))\" is not a venue of this installation; known: \(optimizer.trading.names.joined(separator: ", "))."
            )
        }
        let requestID = context.requestID
        let executor = Executor(optimizer, tenant: principal.tenant, plan: id)
        // The paper broker answers at once: this call works on it itself.
        let owner = settings.venue == "paper" ? executor.owner : nil
        let outcome = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await Self.open(
                id, settings: settings, owner: owner, actor: principal.subject, requestID: requestID,
                on: connection)
        }
        switch outcome {
        case .refused(let problem): throw problem
        case .done(let report): return Response(json: report)
        case .opened:
            if settings.venue == "paper",
                let report = try await executor.run()
            {
                return Response(json: report)
            }
            optimizer.executionWake.wake()
            let progress = try await GetExecution.progress(id, tenant: principal.tenant, optimizer: optimizer)
            return Response(json: progress, status: .accepted)
        }
    }

    private static func open(
        _ id: String, settings: ExecutionSettings, owner: String?, actor: String, requestID: String,
        on connection: PostgresConnection
    ) async throws -> Outcome {
        guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
        if let report = try await PlanStore.execution(of: id, on: connection) { return .done(report) }
        // Executing already: the same call again only looks.
        if ["EXECUTING", "PAUSED"].contains(plan.state),
            let running = try await ExecutionStore.find(id, on: connection),
            running.venue == settings.venue
        {
            return .opened
        }
        guard plan.state == "CONFIRMED" else {
            throw Problem(.wrongState, "The plan is \(plan.state); only one that is CONFIRMED can be executed.")
        }
        guard let portfolioID = plan.portfolioID else {
            throw Problem(
                .wrongState, "The plan's holdings came with its request: there is no portfolio to book it in.")
        }
        if let reason = try await ExecutionStore.halt(on: connection)["reason"]?.stringValue {
            throw Problem(.wrongState, "The kill switch is on: \(Problem.echo(reason)).")
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
        // A plan that cannot be read never starts.
        _ = try TradeSheet(plan, request: try await PlanStore.request(of: plan.id, on: connection), holdings: holdings)
        try await ExecutionStore.open(
            plan, venue: settings.venue, settings: settings.json, before: holdings, owner: owner, actor: actor,
            requestID: requestID, on: connection)
        try await PlanStore.move(
            id, from: plan.state, to: "EXECUTING", actor: actor, reason: "at \(settings.venue)", requestID: requestID,
            on: connection)
        return .opened
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
}
