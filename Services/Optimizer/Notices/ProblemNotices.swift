import Foundation
import Logging
import PostgresClient
import ServiceKit
import ServiceLifecycle
import Synchronization
import WireFormat

/// Tells of problems those who did not make the call: operators, dashboards, webhooks.
///
/// The first problem of a code is told at once, later ones of a tenant together once a minute. What cannot be written, because the database is what the
/// problem is about, is kept and written when it is back. Problems without a caller belong to the standard tenant, the operator's.
final class ProblemNotices: Service {
    private struct Key: Hashable {
        var tenant: UUID
        var code: ProblemCode
    }

    private struct Entry {
        var pending: ProblemNotice?
        var told: ContinuousClock.Instant?
    }

    private let entries = Mutex<[Key: Entry]>([:])
    private let pool: PostgresPool
    private let logger: Logger

    /// Between two notices of the same code.
    static let quiet = Duration.seconds(60)
    private static let tick = Duration.seconds(1)
    /// More than this many tenants and codes at a time are not told of.
    private static let most = 10_000

    init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Notes a problem; costs a lock.
    /// - Parameters:
    ///   - tenant: nil where nobody in particular is concerned.
    ///   - source: the request's identifier, the job's or the portfolio's.
    func note(_ problem: Problem, tenant: UUID?, source: String) {
        guard let code = ProblemNotice.concerns(problem) else { return }
        note(code, tenant: tenant, source: source, detail: problem.detail)
    }

    /// - Parameter detail: made for the first since it was last told of alone.
    func note(_ code: ProblemCode, tenant: UUID?, source: String, detail: @autoclosure () -> String) {
        let key = Key(tenant: tenant ?? Tenants.standard, code: code)
        let now = UTCTimestamp.now
        entries.withLock { entries in
            if entries[key]?.pending != nil {
                entries[key]?.pending?.count += 1
                entries[key]?.pending?.last = now
            } else if entries[key] != nil || entries.count < Self.most {
                entries[key, default: Entry()].pending = ProblemNotice(
                    tenant: key.tenant, code: code, detail: Problem.echo(detail(), limit: 1000), source: source,
                    first: now, last: now)
            }
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                await flush()
                // Nothing wakes it: a problem costs its caller nothing more than noting it.
                try? await Task.sleep(for: Self.tick)
            }
        }
        await flush()
    }

    /// Tells what is due.
    func flush(at now: ContinuousClock.Instant = .now) async {
        for notice in due(now) {
            do {
                try await notice.store(pool)
            } catch {
                if Problem(mapping: error)?.retryable == true {
                    putBack(notice)
                    continue
                }
                logger.error(
                    "A problem cannot be told", metadata: ["code": "\(notice.code.rawValue)", "error": "\(error)"])
            }
            logger.warning(
                "Problem",
                metadata: [
                    "code": "\(notice.code.rawValue)", "class": "\(notice.code.problemClass.rawValue)",
                    "count": "\(notice.count)", "detail": "\(notice.detail)", "source": "\(notice.source)",
                ])
        }
    }

    private func due(_ now: ContinuousClock.Instant) -> [ProblemNotice] {
        entries.withLock { entries in
            var due: [ProblemNotice] = []
            for (key, entry) in entries where entry.told.map({ now - $0 >= Self.quiet }) ?? true {
                if let notice = entry.pending {
                    due.append(notice)
                    entries[key] = Entry(told: now)
                } else {
                    entries[key] = nil
                }
            }
            return due
        }
    }

    private func putBack(_ notice: ProblemNotice) {
        entries.withLock { entries in
            let key = Key(tenant: notice.tenant, code: notice.code)
            var merged = notice
            if let later = entries[key]?.pending {
                merged.count += later.count
                merged.last = later.last
            }
            entries[key] = Entry(pending: merged)
        }
    }
}

extension Optimizer {
    /// A job or a recalculation ended in a problem: counted, logged and told of as one that a request is answered with.
    func ended(_ what: String, _ id: String, tenant: UUID, in problem: Problem) {
        event.problems.count(problem.code)
        logger.info(
            "Work ended in a problem",
            metadata: [
                "what": "\(what)", "id": "\(id)", "code": "\(problem.code)",
                "detail": "\(Problem.echo(problem.detail, limit: 200))",
            ])
        notices.note(problem, tenant: tenant, source: id)
    }
}
