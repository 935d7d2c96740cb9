import HTTPTypes
import Hummingbird
import ServiceKit
import WireFormat

/// `GET /api/jobs/{job}`: how a job stands, and its result or problem once it has ended.
struct GetJob: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let job = try await optimizer.job(context)
        return try Self.response(job, status: .ok, tenant: principal)
    }

    static func response(_ job: Job, status: HTTPResponse.Status, tenant: Principal) throws -> Response {
        var response = Response(json: try job.json(), status: status)
        response.headers[.cacheControl] = "no-store"
        if !job.state.isOver { response.headers[.retryAfter] = "1" }
        return response
    }
}

extension Optimizer {
    /// The job that the path names.
    func job(_ context: BallastRequestContext) async throws -> Job {
        let id = context.parameters.get("job") ?? ""
        guard Job.isID(id), let principal = context.principal,
            let job = try await jobStore.find(id, tenant: principal.tenant)
        else { throw Problem.noJob(id) }
        return job
    }
}

extension Problem {
    /// The tenant has no job of this id; whether another has is not told.
    static func noJob(_ id: String) -> Problem {
        Problem(.noSuchResource, "There is no job \"\(Problem.echo(id))\".")
    }
}
