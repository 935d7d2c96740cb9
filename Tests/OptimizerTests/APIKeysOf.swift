import ServiceKit

@testable import Optimizer

/// Keys of the default tenant with other scopes.
struct APIKeysOf {
    private let service: ServiceUnderTest

    init(_ service: ServiceUnderTest) { self.service = service }

    func create(scopes: Set<Scope>) async throws -> String {
        try await APIKeys(service.optimizer.pool).create(name: "scoped", scopes: scopes).reveal()
    }
}

/// Nobody's keys.
struct NoKeys: APIKeySource {
    func key(id: String) async throws -> StoredAPIKey? { nil }
}
