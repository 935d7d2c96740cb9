/// The time for something is over.
public struct TimeLimitPassed: Error, Sendable, Equatable {
    public init() {}
}

/// Runs `body` and cancels it after `limit`; throws `TimeLimitPassed` then. It returns when `body` has returned.
public func withTimeLimit<Result: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withEndings([.after(limit)], body)
}
