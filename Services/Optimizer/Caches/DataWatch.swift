import Foundation
import PostgresClient

/// Says whether what an answer was made from is still what is stored, in one short question for all who ask at the same time.
///
/// A caller's question has to begin after the caller came, or it could miss a change that the caller knows of. So while a few run, all who come
/// wait together for the next. The short question is whether any transaction that writes has begun or ended at all: mostly none has. Else the next
/// question is whether the change log has a change of prices or portfolios since the last one, and one runs at a time; the log is written by the
/// transaction that makes the change, so that nothing depends on a notification.
actor DataWatch {
    /// What can be seen by a tenant at a moment. Equal marks: nothing has changed in between.
    struct Mark: Sendable, Hashable {
        /// Prices, names and calendars: equal numbers, equal data.
        fileprivate(set) var data: UInt64
        /// The tenant's portfolios.
        fileprivate var portfolios: UInt64
    }

    private let pool: PostgresPool
    private var seen: Seen?
    private var data: UInt64 = 0
    private var portfolios: [UUID: UInt64] = [:]
    private var everybody: UInt64 = 0
    private var running: Task<Void, any Error>?
    private var next: Task<Void, any Error>?

    /// Short questions that run.
    private var short = 0
    /// Callers who wait for the next one.
    private var waiting: [CheckedContinuation<Turn, Never>] = []

    /// What becomes of a caller who had to wait: it asks, for the others too, or is told.
    private enum Turn {
        case ask(for: [CheckedContinuation<Turn, Never>])
        case told(Result<Standing, any Error>)
    }

    private struct Seen {
        var snapshot: Snapshot
        var world: String
    }

    /// What the short question answers.
    private struct Standing: Sendable {
        var snapshot: String
        var server: String
    }

    init(_ pool: PostgresPool) { self.pool = pool }

    /// What the tenant sees now, or a little later than now.
    func mark(for tenant: UUID) async throws -> Mark {
        try await beOfNow()
        return seen(by: tenant)
    }

    /// What each of the tenants sees now, or a little later than now, for one question.
    func marks(for tenants: Set<UUID>) async throws -> [UUID: Mark] {
        try await beOfNow()
        return Dictionary(uniqueKeysWithValues: tenants.map { ($0, seen(by: $0)) })
    }

    private func seen(by tenant: UUID) -> Mark {
        Mark(data: data, portfolios: max(portfolios[tenant] ?? 0, everybody))
    }

    private func beOfNow() async throws {
        if seen != nil {
            let standing = try await standing()
            // Of now: another caller's question may have been answered meanwhile.
            if let seen, standing.snapshot == seen.snapshot.text, seen.world.hasPrefix(standing.server + "/") { return }
        }
        if let next {
            try await next.value
        } else {
            let before = running
            let task = Task {
                // The one before may have failed; that is its callers' news.
                _ = await before?.result
                try await self.ask()
            }
            next = task
            try await task.value
        }
    }

    /// More tenants than this with changes, and all count as changed.
    private static let mostTenants = 10_000

    private func ask() async throws {
        running = next
        next = nil
        let since = seen
        let (now, isChanged, tenants) = try await Self.changes(since: since, pool)
        seen = now
        guard let since, since.world == now.world else {
            data += 1
            everybody = data
            portfolios = [:]
            return
        }
        if isChanged { data += 1 }
        if portfolios.count + tenants.count > Self.mostTenants {
            everybody = max(everybody, portfolios.values.max() ?? 0) + 1
            portfolios = [:]
        } else {
            for tenant in tenants { portfolios[tenant] = max(portfolios[tenant] ?? 0, everybody) + 1 }
        }
    }

    /// More short questions than these do not run at a time: fewer make the callers wait for two of them, more cost more than they save.
    private static let mostShort = 3

    /// The answer to a short question that begins after this call. The caller's own task asks: one of the question's own would take longer to begin and to
    /// be heard of than the question.
    private func standing() async throws -> Standing {
        var others: [CheckedContinuation<Turn, Never>] = []
        if short >= Self.mostShort {
            switch await withCheckedContinuation({ waiting.append($0) }) {
            case .ask(let company): others = company
            // Whose task it was has been cancelled, and not those that waited with it.
            case .told(.failure(let error)) where !Task.isCancelled && Self.isCancelled(error):
                return try await standing()
            case .told(let result): return try result.get()
            }
        } else {
            short += 1
        }
        let result: Result<Standing, any Error>
        do { result = .success(try await Self.askShort(pool)) } catch { result = .failure(error) }
        // The place goes to who waits, if anybody does.
        if waiting.isEmpty {
            short -= 1
        } else {
            let first = waiting.removeFirst()
            first.resume(returning: .ask(for: waiting))
            waiting = []
        }
        for one in others { one.resume(returning: .told(result)) }
        return try result.get()
    }

    private static func isCancelled(_ error: any Error) -> Bool {
        error is CancellationError || (error as? PostgresError)?.kind == .cancelled
    }

    private static func askShort(_ pool: PostgresPool) async throws -> Standing {
        let rows = try await pool.query("SELECT pg_current_snapshot()::text, pg_postmaster_start_time()::text")
        guard let row = rows.first else { throw PostgresError(.decoding, "no snapshot") }
        let (snapshot, server) = try row.decode((String, String).self)
        return Standing(snapshot: snapshot, server: server)
    }

    private static func changes(
        since: Seen?, _ pool: PostgresPool
    ) async throws -> (Seen, data: Bool, tenants: [UUID]) {
        let from = since?.snapshot.text ?? "1:1:"
        let xmin = String(since?.snapshot.xmin ?? 0)
        // Without an earlier question everything is new, and nothing of the log need be read.
        let isFirst = since == nil
        let question: SQL = """
            SELECT pg_current_snapshot()::text,
                pg_postmaster_start_time()::text || '/' || pg_relation_filenode('public.market_data'::regclass)::text
                    || '/' || (SELECT version FROM ballast.catalogue_version)::text,
                NOT \(isFirst) AND EXISTS (SELECT FROM rt.event WHERE xid >= \(xmin)::text::xid8
                    AND NOT pg_visible_in_snapshot(xid, \(from)::text::pg_snapshot) AND rel = 'public.market_data'::regclass),
                CASE WHEN \(isFirst) THEN '{}'::uuid[] ELSE ARRAY(SELECT DISTINCT tenant_id FROM rt.event
                    WHERE xid >= \(xmin)::text::xid8 AND NOT pg_visible_in_snapshot(xid, \(from)::text::pg_snapshot)
                    AND rel IN ('ballast.portfolio'::regclass, 'ballast.portfolio_result'::regclass) AND tenant_id IS NOT NULL) END
            """
        let rows = try await pool.snapshot(.feed, question)
        guard let row = rows.first, let snapshot = Snapshot(try row.decode(String.self, at: 0)) else {
            throw PostgresError(.decoding, "no snapshot")
        }
        return (
            Seen(snapshot: snapshot, world: try row.decode(String.self, at: 1)),
            try row.decode(Bool.self, at: 2), try row.decode([UUID].self, at: 3)
        )
    }
}
