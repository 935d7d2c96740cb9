import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

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
