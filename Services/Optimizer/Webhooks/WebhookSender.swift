import Foundation
import HTTPFetch
import Logging
import PostgresClient
import ServiceLifecycle
import WireFormat

/// Posts deliveries that are due, a few at a time; a 2xx takes one, anything else is tried again with growing patience.
///
/// The receiver sees each at least once: `webhook-id` stays the same over the attempts, so that it can tell. Redirects are not followed, and
/// the list of hosts is looked at again for every attempt. Source: Standard Webhooks 1.0.
struct WebhookSender: Service {
    let store: WebhookStore
    let hosts: WebhookHosts
    let client: HTTPClient
    let listener: PostgresListener
    let event: Event
    let logger: Logger

    /// How often the table is looked at without being told to.
    static let poll = Duration.seconds(2)
    static let timeout = Duration.seconds(10)
    static let channel = "ballast_webhook"

    func run() async throws {
        await cancelWhenGracefulShutdown {
            let wake = WakeSignal()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in listener.notifications(channels: [Self.channel]) { wake.wake() } }
                while !Task.isCancelled {
                    do {
                        let due = try await store.claim()
                        if due.isEmpty { await wake.wait(atMost: Self.poll) } else { await deliver(due) }
                    } catch {
                        if Task.isCancelled { break }
                        logger.warning(
                            "Webhook deliveries cannot be claimed, trying again", metadata: ["error": "\(error)"])
                        // The database is away: nothing tells when it is back.
                        try? await Task.sleep(for: .milliseconds(500))
                    }
                }
                group.cancelAll()
            }
        }
    }

    func deliver(_ due: [ClaimedDelivery]) async {
        await withTaskGroup(of: Void.self) { group in
            for delivery in due { group.addTask { await deliver(delivery) } }
        }
    }

    private func deliver(_ delivery: ClaimedDelivery) async {
        let (status, error) = await attempt(delivery)
        let isTaken = status.map { (200..<300).contains($0) } ?? false
        event.delivered(isTaken ? "taken" : "refused")
        do {
            try await store.finish(
                delivery, status: status, error: isTaken ? nil : error ?? "status \(status ?? 0)", isTaken: isTaken)
        } catch {
            // Its hold runs out in a minute, and it is sent again.
            logger.warning("The end of a webhook delivery is not written", metadata: ["error": "\(error)"])
        }
    }

    private func attempt(_ delivery: ClaimedDelivery) async -> (status: Int?, error: String?) {
        let id = delivery.id.uuidString.lowercased()
        let timestamp = Int(Date().timeIntervalSince1970)
        let body = Array(delivery.body.utf8)
        do {
            try hosts.check(delivery.url)
        } catch { return (nil, error.detail) }
        guard let signature = WebhookSignature.sign(id: id, timestamp: timestamp, body: body, secret: delivery.secret)
        else {
            return (nil, "the secret cannot be read")
        }
        var request = HTTPRequest(
            .post, delivery.url,
            headers: [
                HTTPHeader("Content-Type", "application/json"), HTTPHeader("webhook-id", id),
                HTTPHeader("webhook-timestamp", String(timestamp)), HTTPHeader("webhook-signature", signature),
            ], body: body)
        request.timeout = Self.timeout
        request.bodyLimit = 64 << 10
        do throws(FetchError) {
            return (try await client.fetch(request).status, nil)
        } catch { return (nil, "\(error)") }
    }
}
