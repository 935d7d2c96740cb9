import Crypto
import Foundation
import HTTPFetch
import WireFormat

/// Where a tenant wants to be told of what happens.
struct Webhook: Sendable {
    /// What can be told.
    enum Event: String, Sendable, CaseIterable {
        /// A portfolio has a new result.
        case portfolioResult = "portfolio.result"
        /// A recalculation came to no result; the last one stands.
        case portfolioProblem = "portfolio.problem"
        /// Requests, jobs or recalculations met a problem of the data, the optimisation or the system.
        case problem
        case jobDone = "job.done"
        case jobFailed = "job.failed"
        case jobCancelled = "job.cancelled"
    }

    var id: String
    var url: String
    var events: [String]
    var createdAt: UTCTimestamp
    /// Deliveries by how they stand, of the last seven days.
    var pending: Int64
    var sent: Int64
    var failed: Int64
    /// What the last attempt that was not taken came to.
    var lastError: String?

    var json: JSONValue {
        [
            "webhook_id": .string(id), "url": .string(url), "events": JSONValue(events),
            "created_at": .string(createdAt.isoString),
            "deliveries": [
                "pending": JSONValue(Int(pending)), "sent": JSONValue(Int(sent)), "failed": JSONValue(Int(failed)),
            ], "last_error": JSONValue(lastError),
        ]
    }
}

/// The hosts that may be told: an exact list, so that no tenant makes the service call where it should not.
struct WebhookHosts: Sendable, Equatable {
    let hosts: Set<String>

    init(_ list: String) {
        hosts = Set(list.split(separator: ",").map { $0.filter { $0 != " " }.lowercased() }.filter { !$0.isEmpty })
    }

    /// Refuses an address that is not `https` at a listed host; `http` is taken for this machine alone, where it is listed.
    func check(_ url: String) throws(Problem) {
        let pointer = JSONPointer(["url"])
        let address: HTTPAddress
        do throws(FetchError) { address = try HTTPAddress(url) } catch {
            throw Problem(pointer, .badFormat, "It has to be an https address: \(error).")
        }
        guard address.scheme == "https" || address.isLoopback else {
            throw Problem(pointer, .badFormat, "It has to be an https address.")
        }
        guard hosts.contains(address.host) else {
            throw Problem(
                pointer, .unknownValue,
                "\(Problem.echo(address.host)) is not among the hosts of BALLAST_WEBHOOK_HOSTS, which the operator sets."
            )
        }
    }
}

/// How a delivery proves where it comes from. Source: Standard Webhooks 1.0 (symmetric signatures).
enum WebhookSignature {
    private static let prefix = "whsec_"

    /// A new secret: 32 random bytes.
    static func makeSecret() -> String {
        var generator = SystemRandomNumberGenerator()
        return prefix + Data((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }).base64EncodedString()
    }

    /// `v1,` and HMAC-SHA256 over id, time and body, in base64; nil for a secret that is none.
    static func sign(id: String, timestamp: Int, body: [UInt8], secret: String) -> String? {
        guard secret.hasPrefix(prefix), let key = Data(base64Encoded: String(secret.dropFirst(prefix.count))) else {
            return nil
        }
        var mac = HMAC<SHA256>(key: SymmetricKey(data: key))
        mac.update(data: Data("\(id).\(timestamp).".utf8))
        mac.update(data: body)
        return "v1," + Data(mac.finalize()).base64EncodedString()
    }
}
