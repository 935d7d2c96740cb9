import ServiceLifecycle

/// All jobs, each in its own loop, until the service stops. A run in progress is rolled back to its last whole batch.
struct Scheduler: Service {
    let loops: [JobLoop]

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for loop in loops { group.addTask { await loop.run() } }
                // Without any job the service still answers on its operations port.
                group.addTask { try? await gracefulShutdown() }
            }
        }
    }
}
