public import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore

/// Puts a router behind a port, with the guards that Hummingbird leaves off.
public enum HTTPService {
    /// - Parameters:
    ///   - port: 0 lets the system choose; `onListening` is told the port in either case.
    ///   - server: another channel builder, for WebSocket upgrades; it has to apply `guards` itself.
    public static func application(
        router: Router<BallastRequestContext>, host: String, port: Int, guards: ServerGuards = .standard,
        server: HTTPServerBuilder? = nil, logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> some ApplicationProtocol {
        Application(
            router: router,
            server: server ?? guards.server,
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(guards.connections)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) },
            logger: logger)
    }
}
