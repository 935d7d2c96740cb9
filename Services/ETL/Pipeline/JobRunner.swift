import HTTPFetch
import MarketData
import ServiceKit
import WireFormat

/// How a run of a job went.
struct RunReport: Sendable {
    enum Status: String, Sendable {
        case succeeded, failed
        /// Another collector holds the job.
        case elsewhere
        /// The source said when to come back, and that is later.
        case quiet
    }

    var status: Status
    var counts = BatchCounts()
    var failures: [(item: String, failure: SourceFailure)] = []

    /// Whether trying again before the next due time may help.
    var isRetryable: Bool { failures.contains { $0.failure.errorClass.isRetryable } }
}

/// Runs a job once: for each item fetch, validate, store, page by page.
struct JobRunner: Sendable {
    let runs: RunStore
    let batches: BatchStore
    let transport: Transport
    let events: EventLog
    /// Rows a transaction: 10,000 to 50,000 measured alike.
    var batchSize = 20_000

    /// The checkpoint item under which a source's own "not before" is kept, over restarts too.
    private static let quietItem = "@quiet"

    /// - Parameter items: files of a folder, or series; nil = all of the job.
    /// - Throws: `PostgresError`, `CancellationError`; failures of the source are in the report.
    func run(_ job: Job, items: [String]? = nil) async throws -> RunReport {
        let report = try await runs.holdingLock(of: job.name) { try await collect(job, items: items) }
        if let report { return report }
        events.emit(.jobElsewhere(job: job.name))
        return RunReport(status: .elsewhere)
    }

    private func collect(_ job: Job, items: [String]?) async throws -> RunReport {
        if let until = try await runs.position(job: job.name, item: Self.quietItem),
            let time = UTCTimestamp(iso: until),
            time > WallClock.now
        {
            events.emit(.jobQuiet(job: job.name, until: until))
            return RunReport(status: .quiet)
        }
        let started = ContinuousClock.now
        let run = try await runs.begin(job: job.name, source: job.sourceID)
        events.emit(.runStarted(job: job.name, run: run))
        var report = RunReport(status: .succeeded)
        for item in items ?? job.items {
            do {
                report.counts += try await collect(item: item, of: job, run: run)
            } catch let failure as SourceFailure {
                report.status = .failed
                report.failures.append((item, failure))
                events.emit(.itemFailed(job: job.name, item: item, failure: failure))
                if try await keepQuiet(job, failure) { break }
            }
        }
        let first = report.failures.first
        try await runs.end(
            run, status: report.status.rawValue, errorClass: first?.failure.errorClass.rawValue,
            detail: first.map { "\($0.item): \($0.failure.detail)" })
        events.emit(
            .runEnded(
                job: job.name, run: run, status: report.status, counts: report.counts,
                took: ContinuousClock.now - started))
        return report
    }

    /// A ban, a wall or a spent quota ends the run and is remembered.
    private func keepQuiet(_ job: Job, _ failure: SourceFailure) async throws -> Bool {
        guard case .refused(let time) = Transport.verdict(.failure(failure)) else { return false }
        let until = UTCTimestamp(secondsSinceEpoch: WallClock.now.secondsSinceEpoch + time.components.seconds)
        try await runs.setPosition(job: job.name, Checkpoint(item: Self.quietItem, position: until.isoString))
        return true
    }

    private func collect(item: String, of job: Job, run: Int64) async throws -> BatchCounts {
        guard case .folder = job.source.inputs else {
            let position = try await runs.position(job: job.name, item: item)
            let request = job.source.plan(item, from: position, now: WallClock.now)
            return try await collect(from: request, of: job, run: run, finalPosition: nil)
        }
        return try await collect(file: item, of: job, run: run)
    }

    /// A file whose digest is the checkpoint has been loaded already.
    private func collect(file item: String, of job: Job, run: Int64) async throws -> BatchCounts {
        guard let request = job.source.plan(item, from: nil, now: WallClock.now),
            case .file(let path, _, _) = request.target
        else { return BatchCounts() }
        let before = FolderWatch.signature(path)
        guard before != nil, let digest = try? FileSlice.digest(path) else {
            throw SourceFailure(.notFound, "the file cannot be read")
        }
        if try await runs.position(job: job.name, item: item) == digest { return BatchCounts() }
        return try await collect(
            from: request, of: job, run: run,
            finalPosition: {
                guard FolderWatch.signature(path) == before else {
                    throw SourceFailure(.notReady, "the file changed while it was read")
                }
                return digest
            })
    }

    /// - Parameter finalPosition: the checkpoint to store with the last page, where pages carry none of their own.
    private func collect(
        from first: SourceRequest?, of job: Job, run: Int64, finalPosition: (@Sendable () throws -> String)?
    ) async throws -> BatchCounts {
        var counts = BatchCounts()
        var next = first
        while let request = next {
            let page = try await transport.page(request, of: job.source)
            next = job.source.next(after: page, of: request)
            report(page, job: job, item: request.item)
            var position = page.position
            if next == nil, let finalPosition { position = try finalPosition() }
            counts += try await store(page, position, request, job, run)
        }
        return counts
    }

    /// A page in transactions of at most `batchSize` rows; the checkpoint comes with the last.
    private func store(
        _ page: SourcePage, _ position: String?, _ request: SourceRequest, _ job: Job, _ run: Int64
    ) async throws -> BatchCounts {
        var counts = BatchCounts()
        var start = 0
        repeat {
            let end = min(page.bars.count, start + batchSize)
            var batch = Batch(bars: Array(page.bars[start..<end]))
            if start == 0 {
                batch.quarantined = page.quarantined
                batch.requests = 1
            }
            if end == page.bars.count {
                batch.checkpoint = position.map { Checkpoint(item: request.item, position: $0) }
            }
            let started = ContinuousClock.now
            let stored = try await batches.store(batch, job: job.name, source: job.sourceID, run: run)
            let newest = batch.bars.max { $0.start < $1.start }?.start
            events.emit(
                .batchStored(
                    job: job.name, source: job.sourceID, counts: stored, took: ContinuousClock.now - started,
                    newest: newest))
            counts += stored
            start = end
        } while start < page.bars.count
        return counts
    }

    private func report(_ page: SourcePage, job: Job, item: String) {
        if let first = page.quarantined.first {
            let rules = Dictionary(page.quarantined.map { ($0.rule.rawValue, 1) }, uniquingKeysWith: +)
            events.emit(.rowsQuarantined(job: job.name, item: item, rules: rules, first: first))
        }
        if !page.dropped.isEmpty {
            let reasons = Dictionary(page.dropped.map { ($0.reason.rawValue, 1) }, uniquingKeysWith: +)
            events.emit(.rowsDropped(job: job.name, item: item, reasons: reasons))
        }
        if let first = page.missing.first {
            events.emit(.barsMissing(job: job.name, item: item, count: page.missing.count, first: first))
        }
    }
}

extension Job {
    /// Everything the job collects now.
    var items: [String] {
        switch source.inputs {
        case .items(let items): items
        case .folder(let path, let suffix): FolderWatch.files(path, suffix: suffix).keys.sorted()
        }
    }
}
