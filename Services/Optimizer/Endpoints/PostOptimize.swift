import HTTPTypes
import Hummingbird
import ServiceKit
import WireFormat

/// `POST /api/portfolio/optimize`: decode -> admit -> load -> solve and verify -> record -> respond.
///
/// With `Prefer: respond-async` or `?async=true`, or where the solve would probably outlast the caller's patience, the request becomes a job: 202
/// with its place.
struct PostOptimize: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let start = ContinuousClock.now
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery("async")
        let timeout = try request.timeout()
        let isAsync = try request.queryFlag("async") ?? false
        let body = try await request.jsonBody()
        let wanted = try OptimizeRequest(json: body)
        let isStrict = request.prefers("handling=strict")
        let observations = CostModel.observations(of: wanted, today: UTCTimestamp.now.date)
        let cost = optimizer.costs.estimate(wanted, observations: observations)
        if isAsync || request.prefers("respond-async") || cost > timeout / .seconds(1) {
            return try await later(body, isStrict, cost, principal, context)
        }
        let call = OptimizeCall(
            request: wanted, isStrict: isStrict, principal: principal, requestID: context.requestID, lane: .request,
            start: start, limit: timeout, cost: cost)
        let optimizer = optimizer
        return try await watchingClient(of: context.channel) {
            var response = Response(json: try await optimizer.respond(to: call).json)
            response.headers[.cacheControl] = "no-store"
            return response
        }
    }

    /// The request as a job.
    private func later(
        _ body: JSONValue, _ isStrict: Bool, _ cost: Double, _ principal: Principal, _ context: BallastRequestContext
    ) async throws -> Response {
        let id = try await optimizer.jobStore.add(
            body, isStrict: isStrict, estimateSeconds: cost, for: principal, requestID: context.requestID)
        guard let job = try await optimizer.jobStore.find(id, tenant: principal.tenant) else { throw Problem.noJob(id) }
        var response = try GetJob.response(job, status: .accepted, tenant: principal)
        response.headers[.location] = "/api/jobs/\(id)"
        response.headers[.preferenceApplied] = "respond-async"
        return response
    }
}
