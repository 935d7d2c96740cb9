import ConvexSolver
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
/// (research/reliability.md M11). Requests and recalculations wait in lanes of their own: a request goes first, but each fourth
/// pick takes a recalculation, so neither starves. Batch work has a thread of its own, of lower priority: however long it takes, it never
/// stands before a request, and uses what these leave idle. OpenBLAS uses one thread a solve: the threads here are the parallelism.
final class SolverPool: Sendable {
    /// Who asks.
    enum Lane: Sendable { case request, recalculation, batch }

    private struct Waiting: Sendable { let run: @Sendable () -> Void }

    private struct Queues: Sendable {
        var request: [Waiting] = []
        var recalculation: [Waiting] = []
        var batch: [Waiting] = []
        var picks = 0
        var isStopped = false
        var count: Int { request.count + recalculation.count + batch.count }

        mutating func next() -> Waiting? {
            picks += 1
            if !recalculation.isEmpty, request.isEmpty || picks.isMultiple(of: 4) { return recalculation.removeFirst() }
            return request.isEmpty ? nil : request.removeFirst()
        }

        mutating func nextBatch() -> Waiting? { batch.isEmpty ? nil : batch.removeFirst() }
    }

    private final class Shared: Sendable {
        let queues = Mutex(Queues())
        let available = DispatchSemaphore(value: 0)
        let batchAvailable = DispatchSemaphore(value: 0)
        let busy = Atomic<Int>(0)

        func work(inBackground: Bool) {
            // On Linux a priority belongs to a thread.
            if inBackground { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
            while true {
                (inBackground ? batchAvailable : available).wait()
                let (job, stopped) = queues.withLock { (inBackground ? $0.nextBatch() : $0.next(), $0.isStopped) }
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

    private let shared = Shared()
    let threads: Int
    /// Threads of batch work.
    let backgroundThreads = 1
    private let queueLimit: Int

    /// - Parameters:
    ///   - threads: at least one.
    ///   - queueLimit: most solves that wait for a thread; one more is refused.
    init(threads: Int, queueLimit: Int = 256) {
        self.threads = max(1, threads)
        self.queueLimit = queueLimit
        OpenBLASThreads.set(1)
        for n in 0..<(self.threads + backgroundThreads) {
            let inBackground = n >= self.threads
            let thread = Thread { [shared] in shared.work(inBackground: inBackground) }
            thread.name = inBackground ? "solver-batch" : "solver-\(n)"
            thread.stackSize = 16 << 20
            thread.start()
        }
    }

    /// Ends the threads once what waits has run.
    func stop() {
        shared.queues.withLock { $0.isStopped = true }
        for _ in 0..<threads { shared.available.signal() }
        for _ in 0..<backgroundThreads { shared.batchAvailable.signal() }
    }

    deinit { stop() }

    /// Threads that serve a lane.
    func threads(of lane: Lane) -> Int { lane == .batch ? backgroundThreads : threads }

    /// Solves running and waiting, for readiness and metrics.
    var load: (running: Int, waiting: Int) {
        (shared.busy.load(ordering: .relaxed), shared.queues.withLock { $0.count })
    }

    /// Whether one more solve would be refused.
    var isSaturated: Bool { load.waiting >= queueLimit }

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
                let accepted = shared.queues.withLock { queues in
                    guard !queues.isStopped, queues.count < queueLimit else { return false }
                    switch lane {
                    case .request: queues.request.append(job)
                    case .recalculation: queues.recalculation.append(job)
                    case .batch: queues.batch.append(job)
                    }
                    return true
                }
                if accepted {
                    (lane == .batch ? shared.batchAvailable : shared.available).signal()
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
