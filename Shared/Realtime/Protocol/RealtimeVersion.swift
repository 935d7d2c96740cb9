import WireFormat

/// The two serialisations: 1.0.0 writes objects, 2.0.0 writes arrays and has binary frames for broadcasts.
public enum RealtimeVersion: Sendable, Equatable, CaseIterable {
    case v1
    case v2

    /// From the query parameter `vsn`; absent means 1.0.0. Nil for what is neither `~> 1.0.0` nor `~> 2.0.0`.
    public init?(vsn: String?) {
        guard let vsn else {
            self = .v1
            return
        }
        let parts = vsn.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1] == "0", !parts[2].isEmpty,
            parts[2].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        switch parts[0] {
        case "1": self = .v1
        case "2": self = .v2
        default: return nil
        }
    }

    /// What a client sends as `vsn`.
    public var vsn: String {
        switch self {
        case .v1: "1.0.0"
        case .v2: "2.0.0"
        }
    }
}

// MARK: - Text frames

extension RealtimeVersion {
    /// Largest frame and deepest nesting that are read.
    static let limits = JSONLimits(bytes: 5_000_000, depth: 64, numberLength: 1200)

    /// Reads a text frame.
    public func decode(_ text: String) throws(RealtimeFrameError) -> RealtimeMessage {
        let json: JSONValue
        do throws(JSONSyntaxError) {
            json = try StrictJSON.parse(text.utf8, limits: Self.limits)
        } catch {
            throw .json(error)
        }
        switch self {
        case .v1:
            guard let object = json.objectValue else { throw .shape("not an object") }
            return try Self.message(
                joinRef: object["join_ref"], ref: object["ref"], topic: object["topic"], event: object["event"],
                payload: object["payload"])
        case .v2:
            guard let array = json.arrayValue, array.count == 5 else { throw .shape("not an array of five") }
            return try Self.message(
                joinRef: array[0], ref: array[1], topic: array[2], event: array[3], payload: array[4])
        }
    }

    private static func message(
        joinRef: JSONValue?, ref: JSONValue?, topic: JSONValue?, event: JSONValue?, payload: JSONValue?
    ) throws(RealtimeFrameError) -> RealtimeMessage {
        guard let topic = topic?.stringValue else { throw .shape("no topic") }
        guard let event = event?.stringValue else { throw .shape("no event") }
        guard let payload else { throw .shape("no payload") }
        return RealtimeMessage(
            joinRef: try reference(joinRef, "join_ref"), ref: try reference(ref, "ref"), topic: topic, event: event,
            payload: payload)
    }

    private static func reference(_ value: JSONValue?, _ name: String) throws(RealtimeFrameError) -> String? {
        switch value {
        case nil, .null: nil
        case .string(let text): text
        case .number(let number): number.text
        default: throw .shape("\(name) is not a string")
        }
    }

    /// Writes a text frame. Version 1 has no `join_ref` in what a server sends; `ref` is always there, null or not.
    public func encode(_ message: RealtimeMessage, fromClient: Bool = false) -> String {
        frame(
            joinRef: message.joinRef, ref: message.ref, topic: message.topic, event: message.event,
            payload: message.payload.serialized(), fromClient: fromClient)
    }

    /// Writes a text frame around a payload that is JSON text already.
    public func frame(
        joinRef: String? = nil, ref: String? = nil, topic: String, event: String, payload: String,
        fromClient: Bool = false
    ) -> String {
        func json(_ text: String?) -> String { JSONValue(text).serialized() }
        switch self {
        case .v1:
            let join = fromClient ? ",\"join_ref\":\(json(joinRef))" : ""
            return
                "{\"event\":\(json(event)),\"payload\":\(payload),\"ref\":\(json(ref)),\"topic\":\(json(topic))\(join)}"
        case .v2:
            return "[\(json(joinRef)),\(json(ref)),\(json(topic)),\(json(event)),\(payload)]"
        }
    }
}
