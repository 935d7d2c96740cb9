import HTTPFetch
import Logging
import MarketData
import Metrics
import WireFormat

/// Everything that can be observed of the collector; logs and metrics are functions of it.
enum Event: Sendable {
    case runStarted(job: String, run: Int64)
    case runEnded(job: String, run: Int64, status: RunReport.Status, counts: BatchCounts, took: Duration)
    case batchStored(job: String, source: String, counts: BatchCounts, took: Duration, newest: UTCTimestamp?)
    case itemFailed(job: String, item: String, failure: SourceFailure)
    case rowsQuarantined(job: String, item: String, rules: [String: Int], first: QuarantinedRow)
    case rowsDropped(job: String, item: String, reasons: [String: Int])
    case barsMissing(job: String, item: String, count: Int, first: UTCTimestamp)
    case scheduleServed(job: String)
    case jobElsewhere(job: String)
    case jobQuiet(job: String, until: String)
    case jobFailed(job: String, error: String, retryIn: Duration)
    case fetched(FetchEvent)
}

/// Where events go.
struct EventLog: Sendable {
    let logger: Logger
    /// Tests listen here.
    var tap: (@Sendable (Event) -> Void)?

    init(logger: Logger, tap: (@Sendable (Event) -> Void)? = nil) {
        self.logger = logger
        self.tap = tap
    }

    func emit(_ event: Event) {
        log(event)
        measure(event)
        tap?(event)
    }

    private func log(_ event: Event) {
        switch event {
        case .runStarted(let job, let run):
            logger.debug("Run started", metadata: ["job": "\(job)", "run_id": "\(run)"])
        case .runEnded(let job, let run, let status, let counts, let took):
            var metadata = counts.metadata
            metadata["job"] = "\(job)"
            metadata["run_id"] = "\(run)"
            metadata["status"] = "\(status.rawValue)"
            metadata["took"] = "\(took)"
            logger.info("Run ended", metadata: metadata)
        case .batchStored(let job, let source, let counts, let took, _):
            var metadata = counts.metadata
            metadata["job"] = "\(job)"
            metadata["source"] = "\(source)"
            metadata["took"] = "\(took)"
            logger.debug("Batch stored", metadata: metadata)
        case .itemFailed(let job, let item, let failure):
            logger.warning(
                "Item failed",
                metadata: [
                    "job": "\(job)", "item": "\(item)", "class": "\(failure.errorClass.rawValue)",
                    "detail": "\(failure.detail)",
                ])
        case .rowsQuarantined(let job, let item, let rules, let first):
            logger.warning(
                "Rows quarantined",
                metadata: [
                    "job": "\(job)", "item": "\(item)", "rules": "\(rules)", "first": "\(first.raw.serialized())",
                    "line": "\(first.line ?? 0)",
                ])
        case .rowsDropped(let job, let item, let reasons):
            logger.debug("Rows dropped", metadata: ["job": "\(job)", "item": "\(item)", "reasons": "\(reasons)"])
        case .barsMissing(let job, let item, let count, let first):
            logger.notice(
                "Bars missing",
                metadata: ["job": "\(job)", "item": "\(item)", "count": "\(count)", "first": "\(first)"])
        case .scheduleServed(let job):
            logger.trace("Schedule served", metadata: ["job": "\(job)"])
        case .jobElsewhere(let job):
            logger.debug("Job runs elsewhere", metadata: ["job": "\(job)"])
        case .jobQuiet(let job, let until):
            logger.warning("Job waits out a refusal", metadata: ["job": "\(job)", "until": "\(until)"])
        case .jobFailed(let job, let error, let wait):
            logger.error(
                "Job failed, will be tried again", metadata: ["job": "\(job)", "error": "\(error)", "in": "\(wait)"])
        case .fetched(.exchanged(let host, let status, let attempt, let took)):
            logger.debug(
                "Exchange",
                metadata: [
                    "host": "\(host)", "status": "\(status.map { String($0) } ?? "none")", "attempt": "\(attempt)",
                    "took": "\(took)",
                ])
        case .fetched(.waits(let host, let duration)):
            logger.trace("Waits", metadata: ["host": "\(host)", "duration": "\(duration)"])
        case .fetched(.breakerOpened(let host, let duration)):
            logger.warning("Breaker opened", metadata: ["host": "\(host)", "for": "\(duration)"])
        }
    }

    private func measure(_ event: Event) {
        func count(_ name: String, _ labels: [(String, String)], _ amount: Int = 1) {
            if amount > 0 { Counter(label: name, dimensions: labels).increment(by: amount) }
        }
        switch event {
        case .runEnded(let job, _, let status, _, _):
            count("ballast_etl_runs_total", [("job", job), ("status", status.rawValue)])
        case .batchStored(let job, let source, let counts, let took, let newest):
            for (outcome, amount) in counts.outcomes {
                count("ballast_etl_rows_total", [("job", job), ("outcome", outcome)], amount)
            }
            Timer(label: "ballast_etl_batch_seconds", dimensions: [("source", source)]).record(duration: took)
            if let newest {
                let gauge = Gauge(label: "ballast_etl_newest_bar_timestamp_seconds", dimensions: [("job", job)])
                gauge.record(Double(newest.secondsSinceEpoch))
            }
        case .itemFailed(let job, _, let failure):
            count("ballast_etl_failures_total", [("job", job), ("class", failure.errorClass.rawValue)])
        case .rowsQuarantined(let job, _, let rules, _):
            for (rule, amount) in rules {
                count("ballast_etl_quarantined_total", [("job", job), ("rule", rule)], amount)
            }
        case .rowsDropped(let job, _, let reasons):
            for (reason, amount) in reasons {
                count("ballast_etl_dropped_total", [("job", job), ("reason", reason)], amount)
            }
        case .barsMissing(let job, _, let amount, _): count("ballast_etl_missing_total", [("job", job)], amount)
        case .jobFailed(let job, _, _): count("ballast_etl_job_failures_total", [("job", job)])
        case .fetched(.exchanged(let host, let status, _, let took)):
            count("ballast_etl_requests_total", [("host", host), ("class", status.map { "\($0 / 100)xx" } ?? "none")])
            Timer(label: "ballast_etl_request_seconds", dimensions: [("host", host)]).record(duration: took)
        case .fetched(.waits(let host, let duration)):
            Timer(label: "ballast_etl_request_wait_seconds", dimensions: [("host", host)]).record(duration: duration)
        case .fetched(.breakerOpened(let host, _)): count("ballast_etl_breaker_opened_total", [("host", host)])
        case .runStarted, .scheduleServed, .jobElsewhere, .jobQuiet: break
        }
    }
}

extension BatchCounts {
    fileprivate var outcomes: [(String, Int)] {
        [
            ("inserted", inserted), ("updated", updated), ("unchanged", unchanged), ("quarantined", quarantined),
            ("refused", refused), ("return_recomputed", rechained),
        ]
    }

    fileprivate var metadata: Logger.Metadata {
        [
            "fetched": "\(fetched)", "inserted": "\(inserted)", "updated": "\(updated)", "unchanged": "\(unchanged)",
            "quarantined": "\(quarantined)", "refused": "\(refused)", "revisions": "\(revisions)",
        ]
    }
}

extension Timer {
    fileprivate func record(duration: Duration) {
        let (seconds, attoseconds) = duration.components
        recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
