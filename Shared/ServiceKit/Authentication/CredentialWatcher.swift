public import Logging
public import PostgresClient
public import ServiceLifecycle

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Makes an `Authenticator` forget its keys as soon as the table changes, and notes once a minute which keys were used.
public struct CredentialWatcher: Service {
    private let authenticator: Authenticator
    private let keys: APIKeys
    private let listener: PostgresListener
    private let interval: Duration
    private let logger: Logger
    private let onForget: @Sendable () -> Void

    /// The channel that the trigger on `ballast.api_key` notifies.
    public static let channel = "ballast_api_key"

    /// - Parameter onForget: told after each time that the keys were forgotten; tests wait for it.
    public init(
        _ authenticator: Authenticator, pool: PostgresPool, interval: Duration = .seconds(60), logger: Logger,
        onForget: @escaping @Sendable () -> Void = {}
    ) {
        self.authenticator = authenticator
        keys = APIKeys(pool)
        listener = PostgresListener(pool.configuration, logger: logger)
        self.interval = interval
        self.logger = logger
        self.onForget = onForget
    }

    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await forget() }
                group.addTask { try await note() }
                try await group.waitForAll()
            }
        }
    }

    /// Each event counts: what was notified before a (re)connection is lost.
    private func forget() async {
        for await _ in listener.notifications(channels: [Self.channel]) {
            authenticator.forgetKeys()
            onForget()
        }
    }

    private func note() async throws {
        while true {
            try await Task.sleep(for: interval)
            let byTenant = Dictionary(grouping: authenticator.takeUsedKeys(), by: { $0.value })
            for (tenant, used) in byTenant {
                do {
                    try await keys.touch(used.map { $0.key }.sorted(), tenant: tenant)
                } catch {
                    logger.warning("Use of keys not noted", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
