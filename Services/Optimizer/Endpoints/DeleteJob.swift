import HTTPTypes
import Hummingbird
import ServiceKit
import WireFormat

/// `DELETE /api/jobs/{job}`: cancels a job that has not ended; its solve stops within a moment. One that has ended is 409.
struct DeleteJob: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery()
        let id = context.parameters.get("job") ?? ""
        guard Job.isID(id),
            let outcome = try await optimizer.jobStore.cancel(id, for: principal, requestID: context.requestID)
        else { throw Problem.noJob(id) }
        guard outcome.cancelled else {
            throw Problem(.wrongState, "The job is \(outcome.state.rawValue): it cannot be cancelled any more.")
        }
        return try GetJob.response(try await optimizer.job(context), status: .ok, tenant: principal)
    }
}
