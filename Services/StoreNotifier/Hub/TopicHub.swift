import Realtime
import Synchronization
import WebSocketTransport
import WireFormat

/// Broadcast and presence among the connections of this process. Topics of different tenants are different topics.
final class TopicHub: Sendable {
    /// A topic of a tenant.
    struct Topic: Sendable, Hashable {
        let tenant: String
        let name: String
    }

    /// A joined channel.
    struct Member: Sendable {
        /// Unique in this process.
        let id: String
        let connection: WebSocketConnection
        let version: RealtimeVersion
        let wantsPresence: Bool
    }

    private struct Room {
        var members: [String: Member] = [:]
        var presence = PresenceState()
    }

    private let rooms = Mutex<[Topic: Room]>([:])

    /// Enters a channel.
    /// - Returns: the payload of `presence_state`.
    func join(_ topic: Topic, _ member: Member) -> JSONValue {
        rooms.withLock { rooms in
            rooms[topic, default: Room()].members[member.id] = member
            return rooms[topic]?.presence.payload ?? .object(JSONObject())
        }
    }

    /// Leaves a channel; the others hear of it.
    func leave(_ topic: Topic, member id: String) {
        rooms.withLock { rooms in
            rooms[topic]?.members[id] = nil
            if let diff = rooms[topic]?.presence.untrack(member: id) { Self.sendPresence(diff, topic, rooms[topic]) }
            if rooms[topic]?.members.isEmpty == true { rooms[topic] = nil }
        }
    }

    /// Sends a broadcast to the members.
    /// - Parameters:
    ///   - sender: the member it is from; nil for one that came by HTTP.
    ///   - echo: to the sender as well.
    func broadcast(_ topic: Topic, _ broadcast: UserBroadcast, from sender: String?, echo: Bool, asBinary: Bool) {
        var texts: [RealtimeVersion: String] = [:]
        let payload = broadcast.isJSON ? try? StrictJSON.parse(broadcast.payload, limits: .stored) : nil
        let frame = asBinary ? BinaryFrame.encodeBroadcast(broadcast) : nil
        rooms.withLock { rooms in
            for member in rooms[topic]?.members.values ?? [:].values where echo || member.id != sender {
                if member.version == .v2, let frame {
                    member.connection.send(binary: frame)
                } else if let payload {
                    let text =
                        texts[member.version]
                        ?? member.version.encode(.broadcast(topic.name, event: broadcast.event, payload: payload))
                    texts[member.version] = text
                    member.connection.send(text)
                }
            }
        }
    }

    /// Sets a member's presence; everyone on the topic who wants presence hears of it.
    func track(_ topic: Topic, member id: String, key: String, meta: JSONObject) {
        rooms.withLock { rooms in
            guard let diff = rooms[topic]?.presence.track(member: id, key: key, meta: meta) else { return }
            Self.sendPresence(diff, topic, rooms[topic])
        }
    }

    /// Takes a member's presence back.
    func untrack(_ topic: Topic, member id: String) {
        rooms.withLock { rooms in
            if let diff = rooms[topic]?.presence.untrack(member: id) { Self.sendPresence(diff, topic, rooms[topic]) }
        }
    }

    private static func sendPresence(_ diff: JSONValue, _ topic: Topic, _ room: Room?) {
        let message = RealtimeMessage(topic: topic.name, event: "presence_diff", payload: diff)
        for member in room?.members.values ?? [:].values where member.wantsPresence {
            member.connection.send(member.version.encode(message))
        }
    }
}
