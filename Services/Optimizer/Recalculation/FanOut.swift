import PostgresClient

/// From changed prices to wanted recalculations: one step reads the change log from the cursor on, marks the portfolios that hold a
/// changed asset and moves the cursor, in one transaction. Any replica may run it; the cursor's row lock makes one the leader.
struct FanOut: Sendable {
    /// What one step did.
    struct Step: Sendable, Equatable {
        /// Whether this process held the cursor.
        var isLeader = false
        var fromTick: Int64?
        var toTick: Int64?
        /// Changed symbols.
        var symbols = 0
        /// Portfolios marked.
        var marked = 0
        /// The log no longer reached back to the cursor: every portfolio was marked.
        var expired = false
        /// There is more to read at once.
        var hasMore = false
    }

    let pool: PostgresPool

    init(pool: PostgresPool) { self.pool = pool }

    /// Makes the tick if the notifier has not yet, then reads as far as the log goes.
    /// - Returns: what all steps together did.
    func advance() async throws -> Step {
        // A transaction of its own: it holds the lock that all makers of ticks share.
        _ = try await pool.transaction(.feed) { connection in
            try await connection.query("SELECT rt.make_tick()")
        }
        var total = Step()
        while true {
            let step = try await self.step()
            total.isLeader = total.isLeader || step.isLeader
            total.fromTick = total.fromTick ?? step.fromTick
            total.toTick = step.toTick ?? total.toTick
            total.symbols += step.symbols
            total.marked += step.marked
            total.expired = total.expired || step.expired
            if !step.hasMore { return total }
            try Task.checkCancellation()
        }
    }

    private func step() async throws -> Step {
        try await pool.transaction(.feed) { connection in
            let rows = try await connection.query(
                "SELECT leader, from_tick, to_tick, symbols, marked, expired, more FROM ballast.recalculation_fan_out()"
            )
            guard let row = rows.first else { return Step() }
            return Step(
                isLeader: try row.decode(Bool.self, at: 0), fromTick: try row.decode(Int64?.self, at: 1),
                toTick: try row.decode(Int64?.self, at: 2), symbols: Int(try row.decode(Int32.self, at: 3)),
                marked: Int(try row.decode(Int32.self, at: 4)), expired: try row.decode(Bool.self, at: 5),
                hasMore: try row.decode(Bool.self, at: 6))
        }
    }
}
