import ConvexSolver
import Foundation
import Synchronization

/// Where a job's run is: told by the work, read by the heartbeat.
final class WorkProgress: Sendable {
    /// What a heartbeat writes.
    struct Report: Sendable, Equatable {
        /// loading, solving, storing.
        var phase: String
        /// 0 to 1.
        var progress: Double
        /// Nil where nobody knows.
        var etaSeconds: Double?
        /// Iterations of all solves so far; nil before the first.
        var iteration: Int?
        /// Relative; nil where nobody knows.
        var gap: Double?
        /// Of work that has equal parts: fits, points, samples.
        var partsDone: Int?
        var parts: Int?
    }

    private let place = Mutex<(phase: String, monitor: SolverMonitor?)>(("loading", nil))
    /// Raised when a phase begins. The rest is told by the next heartbeat: an iteration takes less than telling of it.
    let changed = WakeSignal()

    func enter(_ phase: String) {
        let isNew = place.withLock { place in
            defer { place.phase = phase }
            return place.phase != phase
        }
        if isNew { changed.wake() }
    }

    /// The solves write here from now on.
    func follow(_ monitor: SolverMonitor) { place.withLock { $0.monitor = monitor } }

    /// By the parts that are done, where there are any, else by the time that has passed.
    /// - Parameter estimate: seconds that such a job took before.
    func report(elapsed: Double, estimate: Double) -> Report {
        let (phase, monitor) = place.withLock { $0 }
        let known = monitor?.report
        var report = Report(
            phase: phase, progress: 0.97, iteration: known.flatMap { $0.iterations > 0 ? $0.iterations : nil },
            gap: known?.gap, partsDone: known?.parts?.done, parts: known?.parts?.of)
        switch phase {
        case "loading": (report.progress, report.etaSeconds) = (0.02, estimate)
        case "solving":
            if let parts = known?.parts {
                let share = Double(parts.done) / Double(parts.of)
                report.progress = 0.02 + 0.95 * share
                report.etaSeconds = share > 0 ? elapsed * (1 - share) / share : estimate
            } else {
                let share = estimate > 0 ? elapsed / estimate : 0
                // What takes longer than foreseen goes on ever more slowly, and never claims to be done.
                let solving = 0.05 + 0.9 * (share < 0.8 ? share : 1 - 0.2 * exp(-(share - 0.8) / 0.8))
                (report.progress, report.etaSeconds) = (min(solving, 0.95), max(0, estimate - elapsed))
            }
        default: break
        }
        return report
    }
}
