/// The operation did not end in time: the test would otherwise hang.
public struct DeadlineExceeded: Error {}

/// Runs the operation and cancels it after the limit, which then is the error.
public func withDeadline<R: Sendable>(
    _ limit: Duration = .seconds(20), _ operation: @escaping @Sendable () async throws -> R
) async throws -> R {
    try await withThrowingTaskGroup(of: R.self) { group in
        group.addTask(operation: operation)
        group.addTask {
            try await Task.sleep(for: limit)
            throw DeadlineExceeded()
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw DeadlineExceeded() }
        return result
    }
}
