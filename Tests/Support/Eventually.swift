/// Waits until something stands that others bring about and tell nobody; the suite's time limit ends it if they never do.
public func eventually(_ holds: () async throws -> Bool) async throws {
    while !(try await holds()) { try await Task.sleep(for: .milliseconds(1)) }
}
