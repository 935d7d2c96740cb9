/// What arrives on a WebSocket, in the order in which the peer sent it.
///
/// A PING is answered by the transport and not reported. A PONG is reported: peers send it after all earlier frames,
/// so its place in the sequence acknowledges everything that was sent before the PING.
public enum WebSocketMessage: Sendable, Equatable {
    /// A text frame; invalid UTF-8 closes the connection with 1007 before it gets here.
    case text(String)
    /// A binary frame.
    case binary([UInt8])
    /// The payload of a PONG, at most 125 bytes.
    case pong([UInt8])
    /// The server is stopping: say goodbye and close. After ``WebSocketConfiguration/drainTimeout`` the transport closes with 1012.
    case drain
}

/// The close codes this project sends (RFC 6455 section 7.4.1 and the IANA registry).
public enum WebSocketCloseCode {
    /// The purpose has been fulfilled.
    public static let normal: UInt16 = 1000
    /// The endpoint goes away.
    public static let goingAway: UInt16 = 1001
    /// The peer broke the protocol.
    public static let protocolError: UInt16 = 1002
    /// A text frame was not UTF-8.
    public static let invalidPayload: UInt16 = 1007
    /// The peer broke a rule of ours (idle, too slow, token).
    public static let policyViolation: UInt16 = 1008
    /// A message above ``WebSocketConfiguration/maximumMessageSize``.
    public static let messageTooBig: UInt16 = 1009
    /// The service restarts; every client comes back after it.
    public static let serviceRestart: UInt16 = 1012
}

/// How a WebSocket ended.
public struct WebSocketClosure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The code of the peer's close frame, or of ours when we closed first; nil when the connection just broke.
    public let code: UInt16?
    /// The text of the close frame.
    public let reason: String

    /// A closure with the given code and text.
    public init(code: UInt16?, reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Safe to show.
    public var description: String {
        code.map { "WebSocket closed: \($0) \(reason)" } ?? "WebSocket connection lost \(reason)"
    }
}

/// Limits of a WebSocket. Every one of them is finite.
public struct WebSocketConfiguration: Sendable {
    /// Largest message in bytes, fragments together; a larger one closes with 1009. 5,000,000 as Supabase Realtime.
    public var maximumMessageSize = 5_000_000
    /// Largest number of fragments of one message.
    public var maximumFragments = 1024
    /// Without an inbound frame for this long the connection is closed (1008); nil: never.
    public var idleTimeout: Duration? = .seconds(60)
    /// Bytes that may wait to be written. When they are reached ``WebSocketConnection/send(_:)`` answers `.full` and
    /// ``WebSocketConnection/sendWhenReady(_:)`` waits: nothing is dropped by the transport, nothing grows without bound.
    public var outboundLimit = 8 << 20
    /// A peer that takes no byte for this long while bytes wait is disconnected.
    public var stallTimeout: Duration = .seconds(30)
    /// How long a connection may take to finish its close handshake.
    public var closeTimeout: Duration = .seconds(5)
    /// How long a connection may live on after ``WebSocketMessage/drain``.
    public var drainTimeout: Duration = .seconds(5)
    /// Time for the first request's head to arrive, and for a client to connect and upgrade.
    public var handshakeTimeout: Duration = .seconds(10)
    /// Of a client over TLS: a PEM file of authorities that are trusted beside those of the system; nil for these alone.
    public var certificateAuthorities: String?
    /// Idle time-out of plain HTTP connections on the same port.
    public var httpIdleTimeout: Duration = .seconds(60)

    /// The defaults.
    public init() {}
}
