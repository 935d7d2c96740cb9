import Foundation
import Synchronization
import WireFormat

/// Foresees how long a request will solve, from its size, and learns from how long such requests took.
///
/// The first guess counts floating-point operations: a covariance of n assets over T periods (T n^2), and for each of some 25 interior-point
/// iterations a factorisation (n^3) and, for a measure over scenarios, their part of the system (T n^2). What was measured then corrects
/// the guess by a factor for each model, measure and objective.
final class CostModel: Sendable {
    private struct Kind: Hashable {
        var model: ModelName
        var measure: RiskMeasureCode
        var objective: ObjectiveName
    }

    private let factors = Mutex<[Kind: Double]>([:])
    private static let flopsPerSecond = 2e9
    private static let iterations = 25.0
    private static let overheadSeconds = 0.001

    /// What is foreseen to take longer than this waits and runs apart from the short ones.
    static let short = 0.25

    /// Seconds on one thread.
    func estimate(_ request: OptimizeRequest, observations: Int) -> Double {
        Self.guess(request, observations: observations) * factors.withLock { $0[Self.kind(request)] ?? 1 }
    }

    /// How long a request really took.
    func learn(_ request: OptimizeRequest, observations: Int, seconds: Double) {
        let ratio = min(max(seconds / Self.guess(request, observations: observations), 0.01), 100_000)
        factors.withLock { factors in
            let kind = Self.kind(request)
            // Smoothed in the logarithm: being off by ten either way counts alike.
            let before = factors[kind] ?? ratio
            factors[kind] = exp(0.8 * log(before) + 0.2 * log(ratio))
        }
    }

    private static func kind(_ request: OptimizeRequest) -> Kind {
        Kind(model: request.model, measure: request.riskMeasure, objective: request.objective)
    }

    private static func guess(_ request: OptimizeRequest, observations: Int) -> Double {
        let (n, t) = (Double(max(1, request.assets.count)), Double(max(1, observations)))
        let isQuadratic = request.riskMeasure == .mv
        let iteration = n * n * n + (isQuadratic ? 0 : t * n * n)
        let points = Double(1 + (request.frontier?.points ?? 0))
        return overheadSeconds + (t * n * n + points * iterations * iteration) / flopsPerSecond
    }

    /// Bytes at the peak.
    static func bytes(of request: OptimizeRequest) -> Int {
        MemoryBudget.bytes(
            assets: request.assets.count + (request.factors?.symbols.count ?? 0),
            observations: observations(of: request, today: UTCTimestamp.now.date))
    }

    /// Periods that a request probably covers, before its data have been looked at: its own panel's, or the sessions of its dates, ten
    /// years where it leaves them open.
    static func observations(of request: OptimizeRequest, today: CalendarDate) -> Int {
        if let panel = request.panel { return panel.dates.count }
        let end = min(request.endDate?.daysSinceEpoch ?? today.daysSinceEpoch, today.daysSinceEpoch)
        let start = request.startDate?.daysSinceEpoch ?? end - 3653
        return max(1, min(end - start, 20_000) * 252 / 365)
    }
}
