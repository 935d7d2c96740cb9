import Foundation

/// What each tenant has used of late, so that one that asks a hundred times as much goes behind the others while they ask too.
///
/// Seconds of service that fade with a time constant of two seconds. A tenant is in excess when several are active and it has used half as much again as
/// its equal part.
struct TenantShares: Sendable {
    private struct Account {
        var seconds: Double
        var at: ContinuousClock.Instant
    }

    private var accounts: [UUID: Account] = [:]
    private static let fade = 2.0
    /// Who has not asked for so long does not count.
    private static let idle = Duration.seconds(5)
    /// Less than this, an eighth of a core, is nobody's excess.
    private static let least = 0.25
    private static let most = 4096

    /// Adds seconds, or takes back what was estimated too high.
    mutating func charge(_ tenant: UUID, _ seconds: Double, _ now: ContinuousClock.Instant) {
        if accounts[tenant] == nil, accounts.count >= Self.most { forgetIdle(now) }
        let before = accounts[tenant].map { Self.faded($0, now) } ?? 0
        accounts[tenant] = Account(seconds: max(0, before + seconds), at: now)
    }

    /// Whether the tenant has had more than its part while others asked too.
    func isExcess(_ tenant: UUID, _ now: ContinuousClock.Instant) -> Bool {
        guard accounts.count > 1, let account = accounts[tenant] else { return false }
        let own = Self.faded(account, now)
        guard own > Self.least else { return false }
        var (total, active) = (0.0, 0.0)
        for account in accounts.values where now - account.at < Self.idle {
            total += Self.faded(account, now)
            active += 1
        }
        return active > 1 && own > 1.5 * total / active
    }

    private static func faded(_ account: Account, _ now: ContinuousClock.Instant) -> Double {
        account.seconds * exp(-((now - account.at) / .seconds(1)) / fade)
    }

    private mutating func forgetIdle(_ now: ContinuousClock.Instant) {
        accounts = accounts.filter { now - $0.value.at < Self.idle }
        if accounts.count >= Self.most { accounts = [:] }
    }
}
