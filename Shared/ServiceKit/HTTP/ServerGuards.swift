public import HummingbirdCore

/// How long and how much a server takes from a connection.
public struct ServerGuards: Sendable {
    /// From the connection to the end of the first head; absolute, so bytes that trickle do not extend it.
    public var headDeadline: Duration = .seconds(4)
    /// From a head to the end of its body; absolute.
    public var bodyDeadline: Duration = .seconds(15)
    /// How long a body may bring less than `bodyBytesPerSecond`.
    public var bodyPatience: Duration = .seconds(4)
    /// Least bytes a second of a body.
    public var bodyBytesPerSecond = 1024
    /// From an answer to the next head.
    public var idle: Duration = .seconds(60)
    /// Most bytes of a head.
    public var headBytes = 32 * 1024
    /// Most fields of a head.
    public var headFields = 100
    /// Most connections at a time; more wait in the backlog.
    public var connections = 4096
    /// What is answered before it is routed; nil for nothing.
    public var early: EarlyAnswer?

    public init() {}

    /// What the public ports use.
    public static let standard = ServerGuards()
    /// What the operations port uses.
    public static let operations: ServerGuards = {
        var guards = ServerGuards()
        guards.connections = 64
        return guards
    }()

    /// A server of HTTP/1.1 whose connections have these guards.
    public var server: HTTPServerBuilder {
        HTTPServerBuilder { responder in GuardedChannel(responder: responder, guards: self) }
    }
}
