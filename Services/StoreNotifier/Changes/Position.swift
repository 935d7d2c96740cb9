/// A place in the change log: the last event of a tick that has been dealt with.
struct Position: Sendable, Hashable, Comparable {
    var tick: Int64
    /// `Int64.max`: the whole tick.
    var pos: Int64

    static func end(of tick: Int64) -> Position { Position(tick: tick, pos: .max) }

    static func < (a: Position, b: Position) -> Bool { (a.tick, a.pos) < (b.tick, b.pos) }
}
