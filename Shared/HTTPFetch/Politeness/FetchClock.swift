internal import Foundation

/// The times a fetcher goes by, replaceable in tests.
public struct FetchClock: Sendable {
    /// Time since a fixed moment; never goes back.
    public var now: @Sendable () -> Duration
    /// Seconds since 1970, for dates in headers.
    public var unixSeconds: @Sendable () -> Int
    public var sleep: @Sendable (Duration) async throws -> Void

    public init(
        now: @escaping @Sendable () -> Duration, unixSeconds: @escaping @Sendable () -> Int,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.now = now
        self.unixSeconds = unixSeconds
        self.sleep = sleep
    }

    public static let system: FetchClock = {
        let start = ContinuousClock.now
        return FetchClock(
            now: { ContinuousClock.now - start },
            unixSeconds: { Int(Date().timeIntervalSince1970) },
            sleep: { try await Task.sleep(for: $0) })
    }()
}
