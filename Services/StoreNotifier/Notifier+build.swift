import HummingbirdCore
import Logging
import PostgresClient
import ServiceKit
import ServiceLifecycle
import WebSocketTransport

/// The store-notifier, wired from its settings; called by `main` and by the tests.
struct Notifier {
    /// What is decided outside.
    struct Settings: Sendable {
        var host = "127.0.0.1"
        var port = 8081
        var opsHost = "127.0.0.1"
        var opsPort = 9081
        var sqlDirectory = "sql"
        var rules = Upgrade.Rules()
        var joinRefusalDelay: Duration = .seconds(1)
        var webSocket = WebSocketConfiguration()
        var onListening: @Sendable (Int) async -> Void = { _ in }
        var onOpsListening: @Sendable (Int) async -> Void = { _ in }
    }

    /// In the order of their start.
    let services: [any Service]
    let hub: Hub
    let upgrade: Upgrade

    static func build(
        _ settings: Settings, pool: PostgresPool, tokens: JWTVerifier?, readiness: ReadinessChecks,
        metrics: PrometheusRegistry, logger: Logger
    ) -> Notifier {
        let observer = Observer(logger: logger, metrics: metrics)
        let authenticator = Authenticator(keys: APIKeys(pool), tokens: tokens)
        let (gate, hub, topics) = (Gate(authenticator: authenticator), Hub(observer: observer), TopicHub())
        let source = PostgresChangeSource(pool)
        let cursors = CursorStore(pool, observer: observer, everySecond: { hub.pingAll() })
        let environment = SocketSession.Environment(
            hub: hub, topics: topics, source: source, cursors: cursors, gate: gate, observer: observer,
            refusalDelay: settings.joinRefusalDelay)
        let upgrade = Upgrade(rules: settings.rules, gate: gate, observer: observer) {
            connection, identity, version, request in
            await SocketSession(
                connection: connection, version: version, identity: identity, request: request, environment: environment
            ).run()
        }
        var guards = ServerGuards.standard
        guards.connections = settings.rules.mostConnections
        let router = BallastRouter.build(metrics: metrics, drain: readiness.drain, logger: logger) { router in
            BroadcastRoutes(topics: topics, gate: gate).add(to: router)
        }
        let server = WebSocketServer.builder(configuration: settings.webSocket) { await upgrade.decide($0) }
        let application = HTTPService.application(
            router: router, host: settings.host, port: settings.port, guards: guards, server: server, logger: logger,
            onListening: settings.onListening)

        readiness.addDatabase(pool, sqlDirectory: settings.sqlDirectory)
        readiness.add("log") {
            guard hub.live != nil else { throw ReadinessChecks.NotReady("the change log has not been found yet") }
            return "following"
        }
        metrics.addPool(pool)
        metrics.describe("realtime_sockets", "Open WebSockets")
        metrics.describe("realtime_channels", "Joined channels with bindings to changes")
        metrics.addCollector {
            [
                .init("realtime_sockets", value: Double(upgrade.count)),
                .init("realtime_channels", value: Double(hub.count)),
            ]
        }
        let (sequencerWakeUp, readerWakeUp) = (WakeUp(), WakeUp())
        return Notifier(
            services: [
                pool,
                OpsServer(
                    service: "store-notifier", host: settings.opsHost, port: settings.opsPort, readiness: readiness,
                    metrics: metrics, logger: logger, onListening: settings.onOpsListening),
                CredentialWatcher(authenticator, pool: pool, logger: logger),
                Maintenance(pool: pool, observer: observer),
                cursors,
                Sequencer(pool: pool, wakeUp: sequencerWakeUp, reader: readerWakeUp, observer: observer),
                ChangeReader(source: source, hub: hub, wakeUp: readerWakeUp, observer: observer),
                Listening(
                    listener: PostgresListener(pool.configuration, logger: logger), sequencer: sequencerWakeUp,
                    reader: readerWakeUp),
                application,
            ],
            hub: hub, upgrade: upgrade)
    }
}
