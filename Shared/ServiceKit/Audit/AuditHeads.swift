public import Logging
public import PostgresClient
public import ServiceLifecycle

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes the head of each tenant's audit chain to the log, at the start and each hour: a copy outside of the database.
public struct AuditHeads: Service {
    private let audit: AuditTrail
    private let interval: Duration
    private let logger: Logger

    public init(_ pool: PostgresPool, interval: Duration = .seconds(3600), logger: Logger) {
        audit = AuditTrail(pool)
        self.interval = interval
        self.logger = logger
    }

    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                do {
                    for head in try await audit.heads() {
                        logger.info(
                            "Audit head",
                            metadata: ["tenant": "\(head.tenant)", "seq": "\(head.seq)", "hash": "\(head.hash)"])
                    }
                } catch {
                    logger.warning("Audit heads not read", metadata: ["error": "\(error)"])
                }
                try await Task.sleep(for: interval)
            }
        }
    }
}
