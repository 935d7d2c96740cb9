import Foundation
import WireFormat

/// How much memory the requests that have been let in may take together.
///
/// What a request takes is foreseen from its size before any of its data are read; the engine's own bound is four times the panel and ten matrices of assets by
/// assets. One that alone would take more than the budget is refused; others wait until enough is free.
struct MemoryBudget: Sendable, Equatable {
    /// Of one gate.
    var bytes: Int

    /// No limit, for tests of other things.
    static let unlimited = MemoryBudget(bytes: .max)

    /// - Parameter megabytes: 0 for half of what the machine or the container has.
    init(megabytes: Int) { bytes = megabytes > 0 ? megabytes << 20 : Self.available / 2 }

    init(bytes: Int) { self.bytes = bytes }

    /// - Throws: `OPT-301` for a request that would not fit alone.
    func check(_ wanted: Int) throws(Problem) {
        guard wanted > bytes else { return }
        throw Problem(
            .tooLargeProblem,
            "The request would take about \(wanted >> 20) MiB of memory, and at most \(bytes >> 20) MiB are set aside for requests. Ask for fewer assets or a shorter window, or give the service more (BALLAST_MEMORY_MB)."
        )
    }

    /// Bytes that an optimisation takes at its peak.
    /// - Parameters:
    ///   - assets: n.
    ///   - observations: T.
    static func bytes(assets: Int, observations: Int) -> Int {
        let (n, t) = (Double(max(1, assets)), Double(max(1, observations)))
        return Int(min(8 * (4 * t * n + 10 * n * n) + 1e6, 1e15))
    }

    /// Memory of the machine, or of the container where that is less.
    private static var available: Int {
        let machine = Int(clamping: ProcessInfo.processInfo.physicalMemory)
        let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        // The file is absent outside a container, and says "max" in one without a limit.
        return limits.compactMap { path in
            (try? String(contentsOfFile: path, encoding: .utf8)).flatMap {
                Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        }.reduce(machine, min)
    }
}
