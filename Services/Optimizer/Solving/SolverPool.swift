import ConvexSolver
import DequeModule
import Dispatch
import Foundation
import LinearAlgebra
import Synchronization
import WireFormat

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Bounded threads that solve, apart from Swift's cooperative pool and from every event loop.
///
/// A solve burns a core for as long as it lasts; on the cooperative pool two of them stop a two-core service for seconds
/// (research/reliability.md M11). Each lane has a queue and threads of its own, and the kernel divides the cores among the lanes by the priorities of
/// their threads: while all are busy, requests get 7 parts, recalculations 2 and batch work 1. What a lane leaves idle the others use at once, and a
/// request never waits for the end of a longer solve of another lane. OpenBLAS uses one thread a solve: the threads here are the parallelism.
final class SolverPool: Sendable {
    /// Who asks.
    enum Lane: Int, Sendable, CaseIterable {
        case request, recalculation, batch

        /// Each step of niceness is a fifth of the kernel's weight: 1024, 272 and 137, which are 71, 19 and 10 in a hundred.
        var niceness: Int32 {
            switch self {
            case .request: 0
            case .recalculation: 6
            case .batch: 9
            }
        }

        fileprivate var threadName: String {
            switch self {
            case .request: "solver"
            case .recalculation: "solver-recalc"
            case .batch: "solver-batch"
            }
        }
    }

    private struct Waiting: Sendable { let run: @Sendable () -> Void }

    private struct Queue: Sendable {
        var waiting: Deque<Waiting> = []
        var isStopped = false
    }

    /// A lane's queue, and the signal of each entry.
    private final class Track: Sendable {
        let queue = Mutex(Queue())
        let available = DispatchSemaphore(value: 0)
        let busy = Atomic<Int>(0)

        func work(niceness: Int32) {
            // On Linux a priority belongs to a thread.
            if niceness > 0 { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness) }
            while true {
                available.wait()
                let (job, stopped) = queue.withLock { ($0.waiting.popFirst(), $0.isStopped) }
                if let job {
                    busy.add(1, ordering: .relaxed)
                    job.run()
                    busy.subtract(1, ordering: .relaxed)
                } else if stopped {
                    return
                }
            }
        }
    }

    private let tracks: [Track]
    /// Of each lane.
    let threads: Int
    private let queueLimit: Int

    /// - Parameters:
    ///   - threads: of each lane, at least one.
    ///   - queueLimit: most solves of a lane that wait for a thread; one more is refused.
    init(threads: Int, queueLimit: Int = 256) {
        self.threads = max(1, threads)
        self.queueLimit = queueLimit
        OpenBLASThreads.set(1)
        tracks = Lane.allCases.map { _ in Track() }
        for lane in Lane.allCases {
            for n in 0..<self.threads {
                let track = tracks[lane.rawValue]
                let thread = Thread { track.work(niceness: lane.niceness) }
                thread.name = "\(lane.threadName)-\(n)"
                thread.stackSize = 16 << 20
                thread.start()
            }
        }
    }

    /// Ends the threads once what waits has run.
    func stop() {
        for track in tracks {
            track.queue.withLock { $0.isStopped = true }
            for _ in 0..<threads { track.available.signal() }
        }
    }

    deinit { stop() }

    /// Solves running and waiting, for readiness and metrics.
    var load: (running: Int, waiting: Int) {
        tracks.reduce((0, 0)) { sum, track in
            (sum.0 + track.busy.load(ordering: .relaxed), sum.1 + track.queue.withLock { $0.waiting.count })
        }
    }

    /// Whether one more solve of a request would be refused.
    var isSaturated: Bool {
        tracks[Lane.request.rawValue].queue.withLock { $0.waiting.count } >= queueLimit
    }

    /// Runs `work` on a thread of the pool. When the task is cancelled the flag that the deadline carries is set, and the solver, which
    /// polls it every iteration, stops.
    /// - Parameter onStart: told how long the work waited for its thread.
    /// - Throws: `SYS-101` where the queue is full, `SYS-201` where the deadline passed before the work began, and whatever
    ///   `work` throws.
    func solve<Answer: Sendable>(
        lane: Lane, deadline: SolverDeadline, onStart: @escaping @Sendable (Duration) -> Void = { _ in },
        _ work: @escaping @Sendable () throws(Problem) -> Answer
    ) async throws(Problem) -> Answer {
        let result: Result<Answer, Problem> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let queued = ContinuousClock.now
                let job = Waiting {
                    onStart(ContinuousClock.now - queued)
                    switch deadline.interruption {
                    case .cancelled?:
                        let problem = Problem(.draining, "The call was cancelled before its solve began.")
                        continuation.resume(returning: .failure(problem))
                    case .some:
                        let problem = Problem(.deadline, "The deadline passed while the solve waited.")
                        continuation.resume(returning: .failure(problem))
                    case nil:
                        do throws(Problem) {
                            continuation.resume(returning: .success(try work()))
                        } catch {
                            continuation.resume(returning: .failure(error))
                        }
                    }
                }
                let track = tracks[lane.rawValue]
                let accepted = track.queue.withLock { queue in
                    guard !queue.isStopped, queue.waiting.count < queueLimit else { return false }
                    queue.waiting.append(job)
                    return true
                }
                if accepted {
                    track.available.signal()
                } else {
                    continuation.resume(
                        returning: .failure(Problem(.overloaded, "\(queueLimit) solves wait already.", retryAfter: 1)))
                }
            }
        } onCancel: {
            deadline.flag?.cancel()
        }
        return try result.get()
    }
}
