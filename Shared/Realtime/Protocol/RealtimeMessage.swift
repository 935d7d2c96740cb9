public import WireFormat

/// One message of the Phoenix channel protocol, whatever its serialisation.
public struct RealtimeMessage: Sendable, Equatable {
    /// Names the join that the message belongs to; nil where none is meant.
    public var joinRef: String?
    /// Names the message; a reply repeats it. Nil on pushes of the server.
    public var ref: String?
    /// `realtime:<name>`, or `phoenix` for the connection itself.
    public var topic: String
    /// `phx_join`, `phx_reply`, `postgres_changes`, ...
    public var event: String
    /// Almost always an object.
    public var payload: JSONValue

    /// A message of its five parts.
    public init(joinRef: String? = nil, ref: String? = nil, topic: String, event: String, payload: JSONValue) {
        self.joinRef = joinRef
        self.ref = ref
        self.topic = topic
        self.event = event
        self.payload = payload
    }
}

/// A broadcast of a user, as the binary frames carry it.
public struct UserBroadcast: Sendable, Equatable {
    /// See ``RealtimeMessage/joinRef``.
    public var joinRef: String?
    /// See ``RealtimeMessage/ref``.
    public var ref: String?
    /// The channel.
    public var topic: String
    /// The user's own event name.
    public var event: String
    /// JSON text, or empty.
    public var meta: String
    /// Whether `payload` is JSON; otherwise it is raw bytes, which only version 2 can carry.
    public var isJSON: Bool
    /// JSON text or raw bytes.
    public var payload: [UInt8]

    /// A broadcast of its parts.
    public init(
        joinRef: String? = nil, ref: String? = nil, topic: String, event: String, meta: String = "", isJSON: Bool,
        payload: [UInt8]
    ) {
        self.joinRef = joinRef
        self.ref = ref
        self.topic = topic
        self.event = event
        self.meta = meta
        self.isJSON = isJSON
        self.payload = payload
    }
}

/// Why a frame is no message. It is dropped and the connection lives on, as the real server does.
public enum RealtimeFrameError: Error, Sendable, Equatable {
    /// Not JSON.
    case json(JSONSyntaxError)
    /// JSON, but not of the shape of the protocol version.
    case shape(String)
}
