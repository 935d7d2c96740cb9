import HTTPTypes
import ServiceKit
import WireFormat

/// Refuses optimisations before they are routed while the gate would refuse them anyway.
///
/// It says what the gate says, so tenants are treated as behind the router. What the gate never refuses passes: answers that are kept, what asks to be a
/// job, and callers whose credentials have not been seen lately.
struct OverloadShield: Sendable {
    let optimizer: Optimizer
    let authenticator: Authenticator

    private static let paths: Set<String> = ["/api/portfolio/optimize", "/api/v1/portfolio/optimize"]
    /// A request with one of these is read as a whole: it may want to be a job, has a deadline of its own, or comes from a web page.
    private static let special: [HTTPField.Name] = [.prefer, .requestTimeout, .origin, .expect, .idempotencyKey]

    var refusal: EarlyRefusal {
        EarlyRefusal(
            concerns: { head in
                head.method == .post && optimizer.gate.isShedding && head.path.map { Self.paths.contains($0) } ?? false
                    && !Self.special.contains { head.headerFields[$0] != nil }
            },
            problem: { head, body in
                guard let principal = authenticator.remembered(head.headerFields), principal.allows(.optimize),
                    optimizer.replies[ReplyKey(tenant: principal.tenant, body: body, isStrict: false)] == nil
                else { return nil }
                return optimizer.gate.refusalOnArrival(tenant: principal.tenant, deadline: .now + .seconds(30))
            })
    }
}
