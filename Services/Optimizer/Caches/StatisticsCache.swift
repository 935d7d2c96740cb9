import PortfolioModels
import Synchronization
import WireFormat

/// Means and covariances that were estimated before, by data and estimators, bounded in bytes, for whoever asks next about the same data.
///
/// The key names everything that the figures depend on, the data by fingerprint, so that an entry never goes stale and any tenant may have it who
/// has the data. For the sample covariance of a long panel the sums are kept as well: one more day costs a block of 256 days instead of all.
final class StatisticsCache: Sendable {
    private struct Key: Hashable, Sendable {
        var fingerprint: PanelFingerprint
        var estimators: String
    }

    private let moments: ResultCache<Key, Carried<Moments>>
    /// By assets and estimators: the panel that was seen last.
    private let sums: ResultCache<String, Carried<RunningCovariance>>
    private let counts = Mutex((hits: 0, misses: 0, extended: 0))

    /// - Parameter bytes: most that all entries may take.
    init(bytes: Int) {
        moments = ResultCache(bytes: bytes / 2) { 8 * $0.value.mean.count * ($0.value.mean.count + 1) + 256 }
        sums = ResultCache(bytes: bytes / 2) { $0.value.bytes + 256 }
    }

    /// What the request's estimators make of the panel; nil for a model that makes its own.
    /// - Throws: what the estimators throw.
    func moments(
        of request: OptimizeRequest, panel: ReturnPanel, fingerprint: PanelFingerprint
    ) throws(Problem) -> Moments? {
        var plain = request
        // Means and covariances of the plain sample know of no rate: callers who ask for many rates share them.
        if request.meanEstimator.method == .hist { plain.riskFreeRate = 0 }
        guard let estimators = MomentEstimation.baseKey(plain, panel: panel) else { return nil }
        let key = Key(fingerprint: fingerprint, estimators: estimators)
        if let known = moments[key] {
            counts.withLock { $0.hits += 1 }
            return known.value
        }
        let before = sums[estimators]?.value
        let found = try MomentEstimation.base(request, panel: panel, after: before)
        counts.withLock { counts in
            counts.misses += 1
            if found.isExtended { counts.extended += 1 }
        }
        moments[key] = Carried(found.moments)
        if let running = found.running { sums[estimators] = Carried(running) }
        return found.moments
    }

    /// How often it helped, and how full it is.
    var statistics: (hits: Int, misses: Int, extended: Int, bytes: Int) {
        let (hits, misses, extended) = counts.withLock { $0 }
        return (hits, misses, extended, moments.statistics.bytes + sums.statistics.bytes)
    }
}
