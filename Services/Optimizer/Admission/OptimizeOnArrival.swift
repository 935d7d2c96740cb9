import CoreMetrics
import Foundation
import HTTPTypes
import ServiceKit
import WireFormat

/// What becomes of `POST /api/portfolio/optimize` before it is routed: an answer that is ready is sent, and while the gate would refuse it, it is refused.
///
/// Both say what the endpoint says. What may be asked of neither passes: callers whose credentials have not been seen lately, and requests with
/// fields that change what is answered.
struct OptimizeOnArrival: Sendable {
    private let optimizer: Optimizer
    private let access: Routes.Access
    private let drain: DrainState?
    private let questions: MarkQuestions
    /// By path and status.
    private let timers: [String: [Int: any TimerHandler]]

    private static let paths = ["/api/portfolio/optimize", "/api/v1/portfolio/optimize"]
    /// A request with one of these is read as a whole: it may want to be a job, has a deadline of its own, or comes from a web page.
    private static let special: [StaticString] = ["Prefer", "X-Request-Timeout", "Origin", "Expect", "Idempotency-Key"]

    init(_ optimizer: Optimizer, access: Routes.Access, registry: PrometheusRegistry, drain: DrainState?) {
        self.optimizer = optimizer
        self.access = access
        self.drain = drain
        questions = MarkQuestions(optimizer.watch)
        timers = Dictionary(
            uniqueKeysWithValues: Self.paths.map { path in
                (
                    path,
                    Dictionary(
                        uniqueKeysWithValues: [200, 429, 503].map { status in
                            (
                                status,
                                HTTPMetricsMiddleware.timer(registry, method: "POST", route: path, status: status)
                            )
                        })
                )
            })
    }

    var answer: EarlyAnswer { EarlyAnswer(concerns: { concerns($0) }, decide: { decide($0) }) }

    private func concerns(_ head: EarlyAnswer.Head) -> Bool {
        guard head.isPost, timers[head.path] != nil, drain?.isDraining != true else { return false }
        let type = head["Content-Type"]
        return (type == nil || type == "application/json") && !Self.special.contains { head[$0] != nil }
    }

    private func decide(_ arrival: EarlyAnswer.Arrival) -> EarlyAnswer.Decision {
        let principal = access.authenticator.remembered(
            authorization: arrival.head["Authorization"], apiKey: arrival.head["x-api-key"])
        guard let principal, principal.allows(.optimize) else { return .pass }
        let key = ReplyKey(tenant: principal.tenant, body: arrival.body, isStrict: false)
        if let reply = optimizer.replies[key] {
            guard let mark = reply.mark else {
                return repeated(reply, arrival, principal).map { .reply($0) } ?? .pass
            }
            return .replyLater(
                ask: { isGood in questions.ask(for: principal.tenant) { isGood($0 == mark) } },
                make: { repeated(reply, arrival, principal) })
        }
        guard optimizer.gate.isShedding,
            let refusal = optimizer.gate.refusalOnArrival(tenant: principal.tenant, deadline: .now + .seconds(30))
        else { return .pass }
        let problem = refusal.ready
        record(arrival, status: problem.status)
        optimizer.event.problems.count(refusal.code.rawValue)
        if refusal.cause == .load {
            optimizer.notices.note(
                refusal.code, tenant: principal.tenant, source: arrival.requestID, detail: refusal.problem.detail)
        }
        return .refuse(problem)
    }

    /// The reply to an earlier call with the same bytes. Nil for a caller over its quota, who is refused behind the router.
    private func repeated(
        _ reply: CachedReply, _ arrival: EarlyAnswer.Arrival, _ principal: Principal
    ) -> EarlyAnswer.Reply? {
        var fields = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if access.origins != .none { fields.append(("Vary", "Origin")) }
        do throws(Problem) { try access.limiter.take(principal) { fields.append(($0.rawName, $1)) } } catch {
            return nil
        }
        optimizer.event.cacheHit()
        record(arrival, status: 200)
        return EarlyAnswer.Reply(
            fields: fields, body: reply.bytes(requestID: arrival.requestID, since: arrival.since, isCached: true))
    }

    private func record(_ arrival: EarlyAnswer.Arrival, status: Int) {
        guard let timer = timers[arrival.head.path]?[status] else { return }
        timer.recordNanoseconds(Int64((ContinuousClock.now - arrival.since) / .nanoseconds(1)))
    }
}
