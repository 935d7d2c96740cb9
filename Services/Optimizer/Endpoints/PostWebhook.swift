import HTTPTypes
import Hummingbird
import ServiceKit
import WireFormat

/// `POST /api/webhooks`: tells an address of what happens from now on. The answer carries the secret that signs, once.
struct PostWebhook: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .admin)
        try request.allowQuery()
        let wanted = MemberReader(try await request.jsonBody())
        let url = wanted.string("url", required: true, maximumLength: 2000)
        let known = Webhook.Event.allCases.map { $0.rawValue }
        let events = wanted.strings("events")
        for (at, event) in (events ?? []).enumerated() where !known.contains(event) {
            wanted.faults.record(
                Violation(
                    JSONPointer(["events", String(at)]), .unknownValue,
                    "Known events: \(known.joined(separator: ", "))."))
        }
        if events?.isEmpty == true { wanted.fault("events", .outOfRange, "At least one event is wanted.") }
        try wanted.finishAndThrow()
        guard let url else { throw Problem(.missingMember, "The member url is required.") }
        try optimizer.webhookHosts.check(url)
        let chosen = events.map { given in known.filter { given.contains($0) } } ?? known
        let (id, secret) = try await optimizer.webhooks.add(
            url: url, events: chosen, for: principal, requestID: context.requestID)
        let body: JSONValue = [
            "webhook_id": .string(id), "url": .string(url), "events": JSONValue(chosen), "secret": .string(secret),
        ]
        var response = Response(json: body, status: .created)
        response.headers[.location] = "/api/webhooks"
        response.headers[.cacheControl] = "no-store"
        return response
    }
}
