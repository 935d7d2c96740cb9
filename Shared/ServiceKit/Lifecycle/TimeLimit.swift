/// The time for something is over.
public struct TimeLimitPassed: Error, Sendable, Equatable {
    public init() {}
}

/// Runs `body` and cancels it after `limit`; throws `TimeLimitPassed` then. It returns when `body` has returned.
public func withTimeLimit<Result: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Alarms.shared.sleep(until: .now + limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw TimeLimitPassed() }
        return result
    }
}
