import Realtime
import ServiceKit
import Synchronization
import WebSocketTransport
import WireFormat

/// Decides on requests for a WebSocket: path, origin, version, number of connections, credentials.
final class Upgrade: Sendable {
    /// Hosted and self-hosted paths of Supabase Realtime.
    static let paths: Set<String> = ["/realtime/v1/websocket", "/socket/websocket"]

    /// What is decided by configuration.
    struct Rules: Sendable {
        /// Origins of browsers that may connect; empty: all.
        var allowedOrigins: Set<String> = []
        var mostConnections = 10_000
        /// Before a refusal is sent, so that a client in a loop does no harm.
        var refusalDelay: Duration = .seconds(2)
        /// Longest value of a header field.
        var longestHeader = 4096
    }

    private let rules: Rules
    private let gate: Gate
    private let observer: Observer
    private let open: @Sendable (WebSocketConnection, Identity, RealtimeVersion, WebSocketUpgradeRequest) async -> Void
    private let connections = Atomic<Int>(0)

    init(
        rules: Rules, gate: Gate, observer: Observer,
        open:
            @escaping @Sendable (WebSocketConnection, Identity, RealtimeVersion, WebSocketUpgradeRequest) async -> Void
    ) {
        self.rules = rules
        self.gate = gate
        self.observer = observer
        self.open = open
    }

    /// Open sockets.
    var count: Int { connections.load(ordering: .relaxed) }

    func decide(_ request: WebSocketUpgradeRequest) async -> WebSocketUpgradeDecision {
        guard Self.paths.contains(request.path) else { return .passToHTTP }
        guard let version = RealtimeVersion(vsn: request.parameter("vsn")) else {
            return await refuse(403, "unsupported vsn", body: "")
        }
        guard request.headers.allSatisfy({ $0.value.utf8.count <= rules.longestHeader }) else {
            return await refuse(431, "Header value is too long")
        }
        if !rules.allowedOrigins.isEmpty, let origin = request.header("origin"), !rules.allowedOrigins.contains(origin)
        {
            return await refuse(403, "Origin is not allowed")
        }
        guard count < rules.mostConnections else { return await refuse(429, "Too many connected users") }
        let identity: Identity
        do throws(GateError) {
            identity = try await gate.identify(Self.credential(request))
        } catch {
            return await refuse(error.refusal.status, error.refusal.reason)
        }
        return .accept { connection in
            self.connections.add(1, ordering: .relaxed)
            self.observer.record(.opened)
            await self.open(connection, identity, version, request)
            self.connections.subtract(1, ordering: .relaxed)
            self.observer.record(.closed(connection.closure?.description ?? "closed by us"))
        }
    }

    /// `x-api-key` wins over `apikey`; our own clients may send Authorization instead.
    private static func credential(_ request: WebSocketUpgradeRequest) -> String? {
        if let key = request.header("x-api-key") ?? request.parameter("apikey"), !key.isEmpty { return key }
        guard let header = request.header("authorization"), header.lowercased().hasPrefix("bearer ") else { return nil }
        return String(header.dropFirst(7))
    }

    private func refuse(_ status: Int, _ reason: String, body: String? = nil) async -> WebSocketUpgradeDecision {
        observer.record(.upgradeRefused(status: status, reason: reason))
        try? await Task.sleep(for: rules.refusalDelay)
        let json: JSONValue = ["error": .string(reason)]
        return .refuse(status: status, json: body ?? json.serialized())
    }
}
