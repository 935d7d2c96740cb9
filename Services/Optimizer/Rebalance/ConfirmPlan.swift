import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `POST /api/rebalance/{plan}/confirm`: a person says yes to exactly this plan.
///
/// It runs only where the hash is the plan's, the plan waits and has not expired, the portfolio and its holdings are those it was made
/// from, and no price has moved beyond the plan's tolerance. The same call again gives the first answer.
struct ConfirmPlan: Endpoint {
    let optimizer: Optimizer

    private enum Outcome: Sendable {
        case confirmed(StoredPlan)
        /// Committed as such: the plan has reached an end.
        case refused(Problem)
    }

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceConfirm)
        try request.allowQuery()
        let id = try context.planID()
        let reader = MemberReader(try await request.jsonBody())
        let hash = reader.string("plan_hash", required: true, maximumLength: 128) ?? ""
        try reader.finishAndThrow()
        let key = request.headers[.idempotencyKey] ?? ""
        guard key.utf8.count <= 255 else { throw Problem(.invalidHeader, "Idempotency-Key has at most 255 bytes.") }
        let requestID = context.requestID
        let outcome = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await Self.confirm(
                id, hash: hash, key: key, actor: principal.subject, requestID: requestID, on: connection)
        }
        switch outcome {
        case .refused(let problem): throw problem
        case .confirmed(let plan):
            return Response(json: [
                "plan_id": .string(plan.id), "plan_hash": .string(Hex.text(plan.hash)), "state": .string(plan.state),
                "confirmed_by": JSONValue(plan.confirmedBy), "confirmed_at": JSONValue(plan.confirmedAt?.isoString),
            ])
        }
    }

    private static func confirm(
        _ id: String, hash: String, key: String, actor: String, requestID: String, on connection: PostgresConnection
    ) async throws -> Outcome {
        guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
        guard hash == Hex.text(plan.hash) else {
            throw Problem(.preconditionFailed, "The hash is not that of the plan: read the plan again.")
        }
        if plan.confirmedAt != nil, plan.idempotencyKey == key { return .confirmed(plan) }
        guard plan.state == "AWAITING_CONFIRM" else {
            throw Problem(.wrongState, "The plan is \(plan.state); only one that is AWAITING_CONFIRM can be confirmed.")
        }
        if plan.isExpired {
            try await PlanStore.move(
                plan.id, from: plan.state, to: "EXPIRED", actor: actor, reason: "confirmed too late",
                requestID: requestID, on: connection)
            return .refused(Problem(.wrongState, "The plan has expired: make a new one."))
        }
        if let portfolio = plan.portfolioID {
            let current = try await PortfolioStore.lock(portfolio, on: connection)
            let holdings = try await HoldingStore.load(of: portfolio, on: connection)
            if current?.version != plan.portfolioVersion || SealedPlan.hash(of: holdings.json) != plan.holdingsHash {
                try await PlanStore.move(
                    plan.id, from: plan.state, to: "SUPERSEDED", actor: actor, reason: "the portfolio has changed",
                    requestID: requestID,
                    on: connection)
                return .refused(
                    Problem(.versionClash, "The portfolio or its holdings have changed since: make a new plan."))
            }
            if let moved = try await movedPrice(plan, on: connection) { throw moved }
        }
        try await PlanStore.confirm(plan, actor: actor, key: key, requestID: requestID, on: connection)
        guard let confirmed = try await PlanStore.find(id, locks: false, on: connection) else {
            throw Problem.noPlan(id)
        }
        return .confirmed(confirmed)
    }

    /// The refusal of a plan of which a price has moved further than its tolerance; nil where none has.
    private static func movedPrice(_ plan: StoredPlan, on connection: PostgresConnection) async throws -> Problem? {
        guard let prices = try? StrictJSON.parse(plan.prices, limits: .stored).objectValue,
            let tolerance = FixedDecimal(plan.tolerance)
        else { return Problem(.internalError, "The stored plan cannot be read.") }
        let quotes = try await PlanStore.quotes(of: prices.keys, on: connection)
        for (asset, value) in prices.members {
            guard let then = value.stringValue.flatMap({ FixedDecimal($0) }), let now = quotes[asset]?.price else {
                continue
            }
            if (now - then).magnitude > tolerance * then {
                return Problem(
                    .preconditionFailed,
                    "\(Problem.echo(asset)) moved from \(then) to \(now), more than \((tolerance * 100)) %: make a new plan."
                )
            }
        }
        return nil
    }
}
