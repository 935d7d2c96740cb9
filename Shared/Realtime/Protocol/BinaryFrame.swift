/// The binary frames of version 2.0.0: broadcasts of users, and nothing else.
///
///     03 | join_ref_len | ref_len | topic_len | event_len | meta_len | enc | join_ref ref topic event meta payload   to the server
///     04 | topic_len | event_len | meta_len | enc | topic event meta payload                                         to a client
///
/// Sizes are one byte each; `enc` is 1 for JSON and 0 for raw bytes; the payload runs to the end of the frame.
public enum BinaryFrame {
    /// Reads a frame 03.
    public static func decodePush(_ bytes: [UInt8]) throws(RealtimeFrameError) -> UserBroadcast {
        guard bytes.count >= 7, bytes[0] == 3 else { throw .shape("not a broadcast frame") }
        var fields = Fields(bytes: bytes, at: 7)
        let joinRef = try fields.text(Int(bytes[1]))
        let ref = try fields.text(Int(bytes[2]))
        let topic = try fields.text(Int(bytes[3]))
        let event = try fields.text(Int(bytes[4]))
        let meta = try fields.text(Int(bytes[5]))
        return UserBroadcast(
            joinRef: joinRef.isEmpty ? nil : joinRef, ref: ref.isEmpty ? nil : ref, topic: topic, event: event,
            meta: meta,
            isJSON: try isJSON(bytes[6]), payload: fields.rest)
    }

    /// Reads a frame 04.
    public static func decodeBroadcast(_ bytes: [UInt8]) throws(RealtimeFrameError) -> UserBroadcast {
        guard bytes.count >= 5, bytes[0] == 4 else { throw .shape("not a broadcast frame") }
        var fields = Fields(bytes: bytes, at: 5)
        let topic = try fields.text(Int(bytes[1]))
        let event = try fields.text(Int(bytes[2]))
        let meta = try fields.text(Int(bytes[3]))
        return UserBroadcast(
            topic: topic, event: event, meta: meta, isJSON: try isJSON(bytes[4]), payload: fields.rest)
    }

    /// Writes a frame 03; nil where a string is longer than 255 bytes.
    public static func encodePush(_ broadcast: UserBroadcast) -> [UInt8]? {
        frame(
            3, [broadcast.joinRef ?? "", broadcast.ref ?? "", broadcast.topic, broadcast.event, broadcast.meta],
            broadcast)
    }

    /// Writes a frame 04; nil where a string is longer than 255 bytes.
    public static func encodeBroadcast(_ broadcast: UserBroadcast) -> [UInt8]? {
        frame(4, [broadcast.topic, broadcast.event, broadcast.meta], broadcast)
    }

    private static func frame(_ kind: UInt8, _ strings: [String], _ broadcast: UserBroadcast) -> [UInt8]? {
        var bytes = [kind]
        for string in strings {
            guard let size = UInt8(exactly: string.utf8.count) else { return nil }
            bytes.append(size)
        }
        bytes.append(broadcast.isJSON ? 1 : 0)
        for string in strings { bytes += string.utf8 }
        return bytes + broadcast.payload
    }

    private static func isJSON(_ byte: UInt8) throws(RealtimeFrameError) -> Bool {
        switch byte {
        case 0: false
        case 1: true
        default: throw .shape("unknown encoding \(byte)")
        }
    }

    private struct Fields {
        let bytes: [UInt8]
        var at: Int

        mutating func text(_ size: Int) throws(RealtimeFrameError) -> String {
            guard at + size <= bytes.count else { throw .shape("the frame is too short") }
            defer { at += size }
            guard let text = String(validating: bytes[at..<at + size], as: UTF8.self) else { throw .shape("not UTF-8") }
            return text
        }

        var rest: [UInt8] { Array(bytes[at...]) }
    }
}
