import MarketData
import ServiceKit
import WireFormat

/// Runs one job for ever: when it is due, when its folder changes, and again after failures. Never overlaps with itself.
struct JobLoop: Sendable {
    let job: Job
    let runner: JobRunner
    let runs: RunStore
    let events: EventLog
    /// How often a folder is looked at; a file has to look the same twice.
    var lookInterval: Duration = .milliseconds(250)

    /// The checkpoint item that holds the time for which the schedule was last served.
    private static let scheduleItem = "@schedule"

    func run() async {
        await withTaskGroup(of: Void.self) { group in
            if let schedule = job.schedule { group.addTask { await keep(schedule) } }
            if job.isWatched, case .folder(let path, let suffix) = job.source.inputs {
                group.addTask { await watch(FolderWatch(path: path, suffix: suffix)) }
            }
        }
    }

    /// A time that passed while nothing ran is made up for at once, once.
    private func keep(_ schedule: Schedule) async {
        var attempt = 0
        while !Task.isCancelled {
            do {
                let served = try await runs.position(job: job.name, item: Self.scheduleItem).flatMap {
                    UTCTimestamp(iso: $0)
                }
                // A job that never ran is due now.
                guard let due = served.map({ schedule.next(after: $0) }) ?? WallClock.now else { return }
                guard try await sleep(until: due) else { return }
                let now = WallClock.now
                let report = try await runner.run(job)
                if report.status == .elsewhere {
                    try await Task.sleep(for: .seconds(1))
                    continue
                }
                if report.isRetryable, report.status == .failed {
                    attempt += 1
                    let wait = Self.backoff(attempt)
                    let reason = report.failures.first.map { "\($0.failure)" } ?? ""
                    events.emit(.jobFailed(job: job.name, error: reason, retryIn: wait))
                    try await Task.sleep(for: wait)
                    // The next due time need not wait for a source that stays away.
                    guard let next = schedule.next(after: now), WallClock.now >= next else { continue }
                }
                attempt = 0
                try await runs.setPosition(job: job.name, Checkpoint(item: Self.scheduleItem, position: now.isoString))
                events.emit(.scheduleServed(job: job.name))
            } catch is CancellationError {
                return
            } catch {
                attempt += 1
                guard await rest(after: error, attempt) else { return }
            }
        }
    }

    private func watch(_ folder: FolderWatch) async {
        var folder = folder
        var attempt = 0
        while !Task.isCancelled {
            let names = folder.look()
            do {
                if !names.isEmpty {
                    let report = try await runner.run(job, items: names)
                    switch report.status {
                    case .elsewhere, .quiet: folder.putBack(names)
                    case .failed:
                        folder.putBack(report.failures.filter { $0.failure.errorClass.isRetryable }.map { $0.item })
                    case .succeeded: break
                    }
                }
                attempt = 0
                try await Task.sleep(for: lookInterval)
            } catch is CancellationError {
                return
            } catch {
                folder.putBack(names)
                attempt += 1
                guard await rest(after: error, attempt) else { return }
            }
        }
    }

    /// In pieces of a minute, so that a clock that is set is noticed. False when cancelled.
    private func sleep(until due: UTCTimestamp) async throws -> Bool {
        while true {
            let left = due.microsecondsSinceEpoch - WallClock.now.microsecondsSinceEpoch
            if left <= 0 { return !Task.isCancelled }
            try await Task.sleep(for: .microseconds(min(left, 60_000_000)))
        }
    }

    /// The database is away, or something nobody expected: say so, wait, go on. False when cancelled.
    private func rest(after error: any Error, _ attempt: Int) async -> Bool {
        if Task.isCancelled { return false }
        let wait = Self.backoff(attempt)
        events.emit(.jobFailed(job: job.name, error: "\(error)", retryIn: wait))
        do {
            try await Task.sleep(for: wait)
            return true
        } catch {
            return false
        }
    }

    /// Up to a second at first, doubled to a minute at most, with jitter.
    static func backoff(_ attempt: Int) -> Duration {
        .seconds(min(60, Double(1 << min(attempt - 1, 10))) * Double.random(in: 0.5...1))
    }
}
