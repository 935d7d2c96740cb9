import PostgresClient
import ServiceLifecycle
import Synchronization

/// The durable cursors of named subscribers in `rt.subscriber`: read at a join, written together once a second.
final class CursorStore: Service {
    /// Whose cursor: the name carries tenant and subject, so that nobody reads with another's.
    struct Key: Sendable, Hashable {
        let name: String
        let topic: String
    }

    private struct State {
        var unwritten: [Key: Position] = [:]
        /// What is being written just now: a join must not fall back behind it.
        var inFlight: [Key: Position] = [:]
    }

    private let pool: PostgresPool
    private let observer: Observer
    private let state = Mutex(State())
    private let everySecond: @Sendable () -> Void

    /// - Parameter everySecond: called before each write, to ask idle subscribers for their acknowledgement.
    init(_ pool: PostgresPool, observer: Observer, everySecond: @escaping @Sendable () -> Void) {
        self.pool = pool
        self.observer = observer
        self.everySecond = everySecond
    }

    /// Where the subscriber was; a new one is entered at `start` before this returns.
    func position(_ key: Key, startingAt start: Position) async throws -> Position {
        let stored = try await pool.transaction(.feed) { connection in
            _ = try await connection.execute(
                """
                INSERT INTO rt.subscriber (name, topic, tick, pos) VALUES (\(key.name), \(key.topic), \(start.tick), \(start.pos))
                ON CONFLICT (name, topic) DO NOTHING
                """)
            let rows = try await connection.query(
                "SELECT tick, pos FROM rt.subscriber WHERE name = \(key.name) AND topic = \(key.topic)")
            guard let (tick, pos) = try rows.first?.decode((Int64, Int64).self) else { return start }
            return Position(tick: tick, pos: pos)
        }
        let newer = state.withLock { [$0.unwritten[key], $0.inFlight[key]].compactMap { $0 }.max() }
        return max(stored, newer ?? stored)
    }

    /// Starts a subscriber afresh, backwards too.
    func reset(_ key: Key, to position: Position) async throws {
        state.withLock { $0.unwritten[key] = nil }
        _ = try await pool.transaction(.feed) { connection in
            try await connection.execute(
                """
                INSERT INTO rt.subscriber (name, topic, tick, pos)
                VALUES (\(key.name), \(key.topic), \(position.tick), \(position.pos))
                ON CONFLICT (name, topic) DO UPDATE SET tick = excluded.tick, pos = excluded.pos, seen = now()
                """)
        }
    }

    /// The subscriber has received everything up to here.
    func acknowledge(_ key: Key, _ position: Position) {
        state.withLock { $0.unwritten[key] = max($0.unwritten[key] ?? position, position) }
    }

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: .seconds(1))
                self.everySecond()
                await self.write()
            }
        }
        await write()
    }

    /// Writes what was acknowledged; after a failure it is kept for the next time.
    func write() async {
        let batch = state.withLock { state -> [Key: Position] in
            state.inFlight = state.unwritten
            state.unwritten = [:]
            return state.inFlight
        }
        guard !batch.isEmpty else { return }
        let rows = batch.sorted { ($0.key.name, $0.key.topic) < ($1.key.name, $1.key.topic) }
        let (names, topics) = (rows.map(\.key.name), rows.map(\.key.topic))
        let (ticks, positions) = (rows.map(\.value.tick), rows.map(\.value.pos))
        do {
            _ = try await pool.transaction(.feed) { connection in
                try await connection.execute(
                    """
                    UPDATE rt.subscriber s SET tick = u.tick, pos = u.pos, seen = now()
                    FROM unnest(\(names), \(topics), \(ticks), \(positions)) AS u (name, topic, tick, pos)
                    WHERE s.name = u.name AND s.topic = u.topic AND (u.tick, u.pos) > (s.tick, s.pos)
                    """)
            }
            state.withLock { $0.inFlight = [:] }
        } catch {
            state.withLock { state in
                for (key, position) in batch { state.unwritten[key] = max(state.unwritten[key] ?? position, position) }
                state.inFlight = [:]
            }
            observer.record(.databaseFault(during: "writing cursors", error: "\(error)"))
        }
    }
}
