public import Hummingbird
public import Logging
import HTTPTypes
public import ServiceLifecycle
import WireFormat

/// The port for those who run the service: `/healthz` `/readyz` `/metrics` `/version`. Apart from the public port, loopback by
/// default, without credentials, and the last to close.
public struct OpsServer: Service {
    private let service: String
    private let host: String
    private let port: Int
    private let readiness: ReadinessChecks
    private let metrics: PrometheusRegistry
    private let version: ServiceVersion
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - port: 0 lets the system choose; `onListening` is told.
    public init(
        service: String, host: String, port: Int, readiness: ReadinessChecks, metrics: PrometheusRegistry,
        version: ServiceVersion = ServiceVersion(), logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.service = service
        self.host = host
        self.port = port
        self.readiness = readiness
        self.metrics = metrics
        self.version = version
        self.logger = logger
        self.onListening = onListening
    }

    public func run() async throws {
        let app = HTTPService.application(
            router: router(), host: host, port: port, guards: .operations, logger: logger, onListening: onListening)
        try await app.run()
    }

    /// The routes, for tests without a socket.
    public func router() -> Router<BallastRequestContext> {
        BallastRouter.build(metrics: nil, logger: logger) { router in
            // Answering shows that the event loop and the executor turn; it never asks the database.
            router.get("healthz") { _, _ in Response(json: ["status": "alive"]) }
            router.get("readyz") { _, _ in
                let report = await readiness.report()
                return Response(json: report.json, status: report.isReady ? .ok : .serviceUnavailable)
            }
            router.get("metrics") { _, _ in
                Response(text: await metrics.text(), mediaType: TextFormat.mediaType)
            }
            router.get("version") { _, _ in
                Response(json: [
                    "service": .string(service), "version": .string(version.version), "commit": .string(version.commit),
                ])
            }
        }
    }
}
