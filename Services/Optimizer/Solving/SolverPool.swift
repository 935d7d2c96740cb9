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
/// their threads. What a lane leaves idle the others use at once, and a request never waits for the end of a longer solve of another lane. A request's solve
/// that turns out to be long makes way: after a tenth of a second its thread gets the priority of the long ones, and another takes its place in the lane.
/// OpenBLAS uses one thread a solve: the threads here are the parallelism.
final class SolverPool: Sendable {
    /// Who asks.
    enum Lane: Int, Sendable, CaseIterable {
        /// Requests.
        case request
        /// Requests of a tenant that has had more than its part while others ask too.
        case excess
        /// Requests that were foreseen to take long.
        case long
        case recalculation, batch

        /// Each step of niceness is a fifth of the kernel's weight: 335 for requests, 110, 110, 88 and 45 for the others, and 1024 for everything that
        /// does not solve: reading, refusing and asking the database take microseconds, and waited milliseconds for the end of a solve's slice.
        var niceness: Int32 {
            switch self {
            case .request: 5
            case .excess, .long: 10
            case .recalculation: 11
            case .batch: 14
            }
        }

        fileprivate var threadName: String {
            switch self {
            case .request: "solver"
            case .excess: "solver-excess"
            case .long: "solver-long"
            case .recalculation: "solver-recalc"
            case .batch: "solver-batch"
            }
        }

        /// Whether solves of the lane make way when they turn out to be long.
        fileprivate var isWatched: Bool { self == .request || self == .excess }
    }

    /// A solve that has run for so long makes way.
    static let short = Duration.milliseconds(100)
    private static let look = 0.05
    /// Most solves of a lane that have made way at a time; more keep their places.
    private static let mostLong = 8

    private struct Waiting: Sendable {
        let run: @Sendable () -> Void
        let onLong: @Sendable () -> Void
    }

    private struct Running: Sendable {
        var since: ContinuousClock.Instant
        var thread: id_t?
        var onLong: @Sendable () -> Void
        var isLong = false
    }

    private struct Queue: Sendable {
        var waiting: Deque<Waiting> = []
        var running: [Int: Running] = [:]
        var nextID = 0
        var isStopped = false
    }

    /// A lane's queue, and the signal of each entry.
    private final class Track: Sendable {
        let lane: Lane
        let queue = Mutex(Queue())
        let available = DispatchSemaphore(value: 0)
        let watcher: DispatchSemaphore

        init(_ lane: Lane, watcher: DispatchSemaphore) {
            self.lane = lane
            self.watcher = watcher
        }

        func start(_ number: Int) {
            let name = "\(lane.threadName)-\(number)"
            let thread = Thread { [self] in
                Self.show(name)
                work()
            }
            thread.stackSize = 16 << 20
            thread.start()
        }

        /// Names the calling thread, for `top -H` and `perf`: Foundation passes on a name that is given early only now and then.
        static func show(_ name: String) {
            #if os(Linux)
            try? FileHandle(forWritingAtPath: "/proc/thread-self/comm")?.write(contentsOf: Data(name.utf8))
            #endif
        }

        private func work() {
            // On Linux a priority belongs to a thread.
            if lane.niceness > 0 { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, lane.niceness) }
            let thread = lane.isWatched ? Self.thread : nil
            while true {
                available.wait()
                let (next, isStopped) = queue.withLock { queue -> ((id: Int, job: Waiting)?, Bool) in
                    guard let job = queue.waiting.popFirst() else { return (nil, queue.isStopped) }
                    queue.nextID += 1
                    queue.running[queue.nextID] = Running(since: .now, thread: thread, onLong: job.onLong)
                    return ((queue.nextID, job), queue.isStopped)
                }
                if let next {
                    if lane.isWatched { watcher.signal() }
                    next.job.run()
                    // Its place has been taken, and its priority cannot be raised again.
                    if queue.withLock({ $0.running.removeValue(forKey: next.id)?.isLong }) == true { return }
                } else if isStopped {
                    return
                }
            }
        }

        /// The kernel's number of the calling thread; nil where there is none.
        private static var thread: id_t? {
            guard let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self") else {
                return nil
            }
            return link.split(separator: "/").last.flatMap { id_t($0) }
        }

        /// Has what has run for long make way. True while anything runs.
        func makeWay() -> Bool {
            let now = ContinuousClock.now
            let (found, isBusy) = queue.withLock { queue -> ([Running], Bool) in
                var found: [Running] = []
                var long = queue.running.values.count { $0.isLong }
                for (id, running) in queue.running
                where !running.isLong && now - running.since > SolverPool.short && long < SolverPool.mostLong {
                    queue.running[id]?.isLong = true
                    long += 1
                    found.append(running)
                }
                return (found, !queue.running.isEmpty)
            }
            for running in found {
                if let thread = running.thread {
                    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), thread, Lane.long.niceness)
                }
                start(0)
                running.onLong()
            }
            return isBusy
        }
    }

    private let tracks: [Track]
    /// Of each lane.
    let threads: Int
    private let queueLimit: Int
    private let watcher = DispatchSemaphore(value: 0)
    private let isStopped = Atomic<Bool>(false)

    /// - Parameters:
    ///   - threads: of each lane, at least one.
    ///   - queueLimit: most solves of a lane that wait for a thread; one more is refused.
    init(threads: Int, queueLimit: Int = 256) {
        self.threads = max(1, threads)
        self.queueLimit = queueLimit
        OpenBLASThreads.set(1)
        let watcher = watcher
        tracks = Lane.allCases.map { Track($0, watcher: watcher) }
        for track in tracks { for n in 0..<self.threads { track.start(n) } }
        let watched = tracks.filter { $0.lane.isWatched }
        let thread = Thread { [weak self] in
            Track.show("solver-watch")
            while true {
                watcher.wait()
                // One look serves all that began meanwhile.
                while watcher.wait(timeout: .now()) == .success {}
                var isBusy = true
                while isBusy {
                    guard let self, !self.isStopped.load(ordering: .relaxed) else { return }
                    // A thread of its own, which only looks at the time while solves run, and else waits above.
                    Thread.sleep(forTimeInterval: Self.look)
                    isBusy = watched.map { $0.makeWay() }.contains(true)
                }
            }
        }
        thread.start()
    }

    /// Ends the threads once what waits has run.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        watcher.signal()
        for track in tracks {
            track.queue.withLock { $0.isStopped = true }
            for _ in 0..<threads { track.available.signal() }
        }
    }

    deinit { stop() }

    /// Solves running and waiting, for readiness and metrics.
    var load: (running: Int, waiting: Int) {
        tracks.reduce((0, 0)) { sum, track in
            let (running, waiting) = track.queue.withLock { ($0.running.count, $0.waiting.count) }
            return (sum.0 + running, sum.1 + waiting)
        }
    }

    /// Whether one more solve of a request would be refused.
    var isSaturated: Bool {
        tracks[Lane.request.rawValue].queue.withLock { $0.waiting.count } >= queueLimit
    }

    /// Has `work` run on a thread of the pool, which then calls `completion`: that must not hold it up. The solver polls the flag that the deadline
    /// carries every iteration, and stops when it is raised.
    /// - Parameters:
    ///   - onStart: told how long the work waited for its thread.
    ///   - onLong: told when the work makes way.
    ///   - completion: told what `work` returns or throws, `SYS-101` where the queue is full, `SYS-201` where the deadline passed before the work began.
    func start<Answer: Sendable>(
        lane: Lane, deadline: SolverDeadline, onStart: @escaping @Sendable (Duration) -> Void = { _ in },
        onLong: @escaping @Sendable () -> Void = {},
        _ work: @escaping @Sendable () throws(Problem) -> Answer,
        completion: @escaping @Sendable (Result<Answer, Problem>) -> Void
    ) {
        let queued = ContinuousClock.now
        let run: @Sendable () -> Void = {
            onStart(ContinuousClock.now - queued)
            switch deadline.interruption {
            case .cancelled?:
                completion(.failure(Problem(.draining, "The call was cancelled before its solve began.")))
            case .some: completion(.failure(Problem(.deadline, "The deadline passed while the solve waited.")))
            case nil: completion(Result(catching: work))
            }
        }
        let track = tracks[lane.rawValue]
        let accepted = track.queue.withLock { queue in
            guard !queue.isStopped, queue.waiting.count < queueLimit else { return false }
            queue.waiting.append(Waiting(run: run, onLong: onLong))
            return true
        }
        if accepted {
            track.available.signal()
        } else {
            completion(.failure(Problem(.overloaded, "\(queueLimit) solves wait already.", retryAfter: 1)))
        }
    }

    /// Runs `work` as `start` does. When the task is cancelled the deadline's flag is raised.
    func solve<Answer: Sendable>(
        lane: Lane, deadline: SolverDeadline, onStart: @escaping @Sendable (Duration) -> Void = { _ in },
        onLong: @escaping @Sendable () -> Void = {},
        _ work: @escaping @Sendable () throws(Problem) -> Answer
    ) async throws(Problem) -> Answer {
        let result: Result<Answer, Problem> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                start(lane: lane, deadline: deadline, onStart: onStart, onLong: onLong, work) {
                    continuation.resume(returning: $0)
                }
            }
        } onCancel: {
            deadline.flag?.cancel()
        }
        return try result.get()
    }
}
