import Logging
import ServiceLifecycle
import Synchronization

/// Services in a group that ends when one of them says so.
struct ServiceStack: Sendable {
    let services: [any Service]
    let logger: Logger

    func run() async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { service in
                service is StopService
                    ? .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)
                    : .init(service: service)
            }, logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(15)
        try await ServiceGroup(configuration: configuration).run()
    }
}

/// A service that runs until it is told to stop, and takes the others with it.
final class StopService: Service {
    private let (stream, continuation) = AsyncStream.makeStream(of: Void.self)

    func stop() { continuation.finish() }

    func run() async throws {
        for await _ in stream {}
    }
}
