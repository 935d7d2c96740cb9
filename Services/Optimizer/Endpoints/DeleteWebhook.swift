import Hummingbird
import ServiceKit
import WireFormat

/// `DELETE /api/webhooks/{webhook}`: nothing is told any more, not even what waits to be told.
struct DeleteWebhook: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .admin)
        try request.allowQuery()
        let id = context.parameters.get("webhook") ?? ""
        guard Job.isID(id), try await optimizer.webhooks.delete(id, for: principal, requestID: context.requestID) else {
            throw Problem(.noSuchResource, "There is no webhook \"\(Problem.echo(id))\".")
        }
        return Response(status: .noContent)
    }
}
