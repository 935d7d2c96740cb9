public import WireFormat

/// The `config` of a join. What is not understood falls back to its default, as the real server does.
public struct JoinConfiguration: Sendable, Equatable {
    /// Answer each broadcast of this client.
    public var acknowledgesBroadcasts = false
    /// Send the client its own broadcasts too.
    public var echoesBroadcasts = false
    /// Send presence.
    public var isPresenceEnabled = false
    /// The client's presence key; empty: one is made.
    public var presenceKey = ""
    /// Asks for the authorisation rules of private channels.
    public var isPrivate = false
    /// The join is answered only when changes flow, and bad bindings refuse it.
    public var waitsForChanges = false
    /// The entries of `postgres_changes` in order.
    public var changes: [JSONObject] = []

    /// The defaults.
    public init() {}

    /// From the payload of `phx_join`.
    public init(_ payload: JSONValue) {
        guard let config = payload["config"] else { return }
        func truth(_ value: JSONValue?) -> Bool { value?.boolValue ?? (value?.stringValue == "true") }
        acknowledgesBroadcasts = truth(config["broadcast"]?["ack"])
        echoesBroadcasts = truth(config["broadcast"]?["self"])
        isPresenceEnabled =
            truth(config["presence"]?["enabled"]) || config["presence"]?["key"]?.stringValue?.isEmpty == false
        presenceKey = config["presence"]?["key"]?.stringValue ?? ""
        isPrivate = truth(config["private"])
        waitsForChanges = truth(config["postgres_changes_options"]?["wait"])
        changes = (config["postgres_changes"]?.arrayValue ?? []).compactMap { $0.objectValue }
    }
}

/// A join that has passed the checks that need nobody else: to be authorised and then answered.
public struct JoinRequest: Sendable, Equatable {
    public let topic: String
    public let joinRef: String
    public let ref: String?
    public let configuration: JoinConfiguration
    /// The token of the payload; nil: the one of the connection counts.
    public let accessToken: String?
}

/// What has become of a ``JoinRequest``.
public enum JoinOutcome: Sendable, Equatable {
    /// - Parameters:
    ///   - tokenExpiry: seconds since 1970; nil: never.
    ///   - fault: a permanent fault of the bindings, told in a `system` message; the channel is open for the rest.
    case accepted(tokenExpiry: Double?, fault: String?)
    /// The reason `Code: text`.
    case refused(String)
}
