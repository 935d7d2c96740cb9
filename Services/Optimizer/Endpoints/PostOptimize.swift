import HTTPTypes
import Hummingbird
import ServiceKit
import WireFormat

/// `POST /api/portfolio/optimize`: decode -> admit -> load -> solve and verify -> record -> respond.
///
/// The same bytes again, while nothing they were answered from has changed, get the same answer without any of it.
///
/// With `Prefer: respond-async` or `?async=true`, or where the solve would probably outlast the caller's patience, or has outlasted it, the request becomes
/// a job: 202 with its place.
struct PostOptimize: Endpoint {
    let optimizer: Optimizer

    /// How long a caller waits for a solve who does not say: then it learns where its answer will be.
    static let patience = Duration.seconds(4)

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let start = ContinuousClock.now
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery("async")
        let timeout = try request.timeout()
        let isAsync = try request.queryFlag("async") ?? false
        let isLater = isAsync || request.prefers("respond-async")
        let isStrict = request.prefers("handling=strict")
        let bytes = try await request.jsonBytes()
        let key = ReplyKey(tenant: principal.tenant, body: bytes, isStrict: isStrict)
        // What a stored portfolio is made of may change while it is solved: the mark is of before.
        var mark: DataWatch.Mark?
        if !isLater, let reply = optimizer.replies[key] {
            if reply.mark != nil { mark = try await optimizer.watch.mark(for: principal.tenant) }
            if reply.mark == mark { return repeated(reply, start, context) }
        }
        // Under overload nothing is decoded that would be refused.
        if !isLater, let refusal = optimizer.gate.refusal(tenant: principal.tenant, deadline: start + timeout) {
            throw refusal
        }
        let body: JSONValue
        do { body = try StrictJSON.parse(bytes) } catch { throw Problem(error) }
        let wanted = try OptimizeRequest(json: body)
        let observations = CostModel.observations(of: wanted, today: UTCTimestamp.now.date)
        let cost = optimizer.costs.estimate(wanted, observations: observations)
        let memory = CostModel.bytes(of: wanted)
        try optimizer.memory.check(memory)
        let patience = request.headers[.requestTimeout] == nil ? Self.patience : timeout
        if isLater || cost > patience / .seconds(1) {
            return try await Self.accepted(body, kind: .optimize, isStrict, cost, principal, context, optimizer)
        }
        let call = OptimizeCall(
            request: wanted, isStrict: isStrict, principal: principal, requestID: context.requestID,
            lane: Optimizer.lane(forSeconds: cost), start: start, limit: timeout, cost: cost,
            bytes: memory, patience: patience, client: context.client, mark: mark)
        do {
            let answer = try await optimizer.respond(to: call)
            let reply = CachedReply(answer.response, mark: answer.mark)
            optimizer.replies[key] = reply
            let isCached = answer.response.meta.cached
            return Self.response(
                reply?.bytes(requestID: context.requestID, since: start, isCached: isCached)
                    ?? answer.response.json.bytes())
        } catch  where Self.isOutOfTime(error) {
            let seconds = max(cost, patience / .seconds(1))
            return try await Self.accepted(body, kind: .optimize, isStrict, seconds, principal, context, optimizer)
        }
    }

    /// Whether a call ended because its time did, and not because anything was wrong with it.
    static func isOutOfTime(_ error: any Error) -> Bool {
        error is TimeLimitPassed || (error as? Problem)?.code == ProblemCode.deadline.rawValue
    }

    /// The reply to an earlier call with the same bytes, while nothing that it was made from has changed.
    private func repeated(
        _ reply: CachedReply, _ start: ContinuousClock.Instant, _ context: BallastRequestContext
    ) -> Response {
        optimizer.event.cacheHit()
        return Self.response(reply.bytes(requestID: context.requestID, since: start, isCached: true))
    }

    private static func response(_ bytes: [UInt8]) -> Response {
        var response = Response(bytes: bytes, mediaType: "application/json")
        response.headers[.cacheControl] = "no-store"
        return response
    }

    /// The request as a job.
    static func accepted(
        _ body: JSONValue, kind: JobKind, _ isStrict: Bool, _ cost: Double, _ principal: Principal,
        _ context: BallastRequestContext, _ optimizer: Optimizer
    ) async throws -> Response {
        let id = try await optimizer.jobStore.add(
            body, kind: kind, isStrict: isStrict, estimateSeconds: cost, for: principal, requestID: context.requestID,
            trace: context.trace)
        guard let job = try await optimizer.jobStore.find(id, tenant: principal.tenant) else { throw Problem.noJob(id) }
        var response = try GetJob.response(job, status: .accepted, tenant: principal)
        response.headers[.location] = "/api/jobs/\(id)"
        response.headers[.preferenceApplied] = "respond-async"
        return response
    }
}
