import DequeModule

/// The bookkeeping of a pool, apart from sockets and clocks: who has a connection, who waits, how many there are.
///
/// Every slot is idle, leased (which includes being opened) or free; waiters are served in the order of arrival.
struct PoolState<Connection, Waiter> {
    enum Acquisition {
        /// An idle connection, the most recently used first.
        case lease(Connection)
        /// A free slot: open a connection for it, then use it, or call `slotFailed`.
        case open
        case wait
        case closed
    }

    enum Handover {
        case none
        case lease(Connection, to: Waiter)
        case open(by: Waiter)
    }

    let size: Int
    private(set) var idle: [Connection] = []
    private(set) var leased = 0
    private(set) var isClosed = false
    private var queue: Deque<(id: UInt64, waiter: Waiter)> = []

    init(size: Int) {
        self.size = max(1, size)
    }

    var waiting: Int { queue.count }

    /// Asks for a connection without waiting.
    mutating func acquire() -> Acquisition {
        if isClosed { return .closed }
        if let connection = idle.popLast() {
            leased += 1
            return .lease(connection)
        }
        if leased + idle.count < size {
            leased += 1
            return .open
        }
        return .wait
    }

    /// Joins the end of the queue; only after `acquire` said `wait`, under the same lock.
    mutating func enqueue(_ waiter: Waiter, id: UInt64) {
        queue.append((id, waiter))
    }

    /// A leased connection comes back in good order.
    mutating func release(_ connection: Connection) -> Handover {
        if let first = queue.popFirst() { return .lease(connection, to: first.waiter) }
        leased -= 1
        idle.append(connection)
        return .none
    }

    /// A leased connection is gone, or could not be opened: its slot is free, and the first waiter may open one.
    mutating func slotFailed() -> Handover {
        if let first = queue.popFirst() { return .open(by: first.waiter) }
        leased -= 1
        return .none
    }

    /// A waiter gives up; nil when it has been served meanwhile.
    mutating func abandon(id: UInt64) -> Waiter? {
        guard let index = queue.firstIndex(where: { $0.id == id }) else { return nil }
        return queue.remove(at: index).waiter
    }

    /// Takes out idle connections that a condition holds for.
    mutating func removeIdle(where condition: (Connection) -> Bool) -> [Connection] {
        let removed = idle.filter(condition)
        idle.removeAll(where: condition)
        return removed
    }

    /// No more connections are handed out; returns what has to be closed and who has to be told.
    mutating func close() -> (idle: [Connection], waiters: [Waiter]) {
        isClosed = true
        defer {
            idle = []
            queue = []
        }
        return (idle, queue.map(\.waiter))
    }
}
