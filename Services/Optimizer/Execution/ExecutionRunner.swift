import Foundation
import Logging
import PostgresClient
import ServiceKit
import ServiceLifecycle

/// Goes on with executions that nobody works on: those of a process that died, and those of venues that take their time.
///
/// It looks on start and each second after that. Leases keep two processes from the same one; the log's numbers would, too.
struct ExecutionRunner: Service {
    let optimizer: Optimizer

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                while !Task.isCancelled {
                    do {
                        for open in try await ExecutionStore.abandoned(optimizer.pool) {
                            group.addTask { await resume(open) }
                        }
                    } catch {
                        if Task.isCancelled { break }
                        optimizer.logger.warning(
                            "Executions cannot be listed, trying again", metadata: ["error": "\(error)"])
                    }
                    await optimizer.executionWake.wait(atMost: .seconds(1))
                }
            }
        }
    }

    private func resume(_ open: (tenant: UUID, plan: String)) async {
        do {
            _ = try await Executor(optimizer, tenant: open.tenant, plan: open.plan).run()
        } catch {
            if Task.isCancelled { return }
            optimizer.logger.error(
                "An execution stopped and is tried again", metadata: ["plan": "\(open.plan)", "error": "\(error)"])
        }
    }
}
