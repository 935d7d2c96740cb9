public import WireFormat

/// The messages a server sends, in the exact forms the clients expect.
extension RealtimeMessage {
    /// `phx_reply` with status ok.
    public static func ok(
        _ topic: String, ref: String?, joinRef: String? = nil, response: JSONValue = .object(JSONObject())
    ) -> Self {
        reply(topic, ref: ref, joinRef: joinRef, status: "ok", response: response)
    }

    /// `phx_reply` with status error and a reason `Code: text`.
    public static func refusal(_ topic: String, ref: String?, joinRef: String? = nil, reason: String) -> Self {
        reply(topic, ref: ref, joinRef: joinRef, status: "error", response: ["reason": .string(reason)])
    }

    static func reply(_ topic: String, ref: String?, joinRef: String?, status: String, response: JSONValue) -> Self {
        RealtimeMessage(
            joinRef: joinRef, ref: ref, topic: topic, event: "phx_reply",
            payload: ["status": .string(status), "response": response])
    }

    /// `phx_close`: the client drops the channel and does not come back.
    public static func close(_ topic: String, joinRef: String) -> Self {
        RealtimeMessage(
            joinRef: joinRef, ref: joinRef, topic: topic, event: "phx_close", payload: .object(JSONObject()))
    }

    /// `system`: all four members are required by the Python client, as strings.
    /// - Parameter isError: false for notices. An error makes the Python client give the channel up, so it is kept for permanent faults.
    public static func system(
        _ topic: String, joinRef: String, source: String = "system", isError: Bool = false, text: String
    ) -> Self {
        RealtimeMessage(
            joinRef: joinRef, topic: topic, event: "system",
            payload: [
                "extension": .string(source), "status": isError ? "error" : "ok", "message": .string(text),
                "channel": .string(RealtimeTopic.name(topic)),
            ])
    }

    /// A broadcast in its JSON form.
    public static func broadcast(_ topic: String, event: String, payload: JSONValue) -> Self {
        RealtimeMessage(
            topic: topic, event: "broadcast",
            payload: ["type": "broadcast", "event": .string(event), "payload": payload])
    }
}

/// Topics as the protocol writes them.
public enum RealtimeTopic {
    /// Channels begin with this.
    public static let prefix = "realtime:"
    /// The topic of heartbeats.
    public static let phoenix = "phoenix"

    /// The user's name of a topic, without the prefix.
    public static func name(_ topic: String) -> String {
        topic.hasPrefix(prefix) ? String(topic.dropFirst(prefix.count)) : topic
    }
}
