import Realtime
import Testing
import WireFormat

@Suite("Serialisations 1.0.0 and 2.0.0")
struct SerializerTests {
    @Test(
        "vsn picks the serialisation",
        arguments: [
            (nil, .v1), ("1.0.0", .v1), ("1.0.9", .v1), ("2.0.0", .v2), ("1.1.0", nil), ("3.0.0", nil), ("", nil),
            ("2.0", nil),
            ("2.0.x", nil),
        ] as [(String?, RealtimeVersion?)])
    func version(vsn: String?, expected: RealtimeVersion?) {
        #expect(RealtimeVersion(vsn: vsn) == expected)
    }

    @Test("version 1 reads objects; ref may be null and join_ref may be absent")
    func readsObjects() throws {
        let heartbeat = try RealtimeVersion.v1.decode(
            #"{"topic":"phoenix","event":"heartbeat","payload":{},"ref":null}"#)
        #expect(heartbeat == RealtimeMessage(topic: "phoenix", event: "heartbeat", payload: [:]))
        let join = try RealtimeVersion.v1.decode(
            #"{"topic":"realtime:x","event":"phx_join","payload":{"a":1.50},"ref":"1","join_ref":"1"}"#)
        #expect(join.joinRef == "1")
        #expect(join.payload.serialized() == #"{"a":1.50}"#)
    }

    @Test("version 2 reads arrays of five")
    func readsArrays() throws {
        let message = try RealtimeVersion.v2.decode(#"["1","2","realtime:x","phx_leave",{}]"#)
        #expect(
            message == RealtimeMessage(joinRef: "1", ref: "2", topic: "realtime:x", event: "phx_leave", payload: [:]))
    }

    @Test(
        "malformed frames are refused",
        arguments: [
            (RealtimeVersion.v1, "{"), (.v1, "[]"), (.v1, #"{"event":"e","payload":{}}"#),
            (.v1, #"{"topic":"t","event":"e"}"#),
            (.v2, "{}"), (.v2, #"["1","2","t","e"]"#), (.v2, #"["1","2",3,"e",{}]"#), (.v2, #"[{},"2","t","e",{}]"#),
        ])
    func refusesMalformed(version: RealtimeVersion, text: String) {
        #expect(throws: RealtimeFrameError.self) { try version.decode(text) }
    }

    @Test("a server's push has the key ref, null, and in version 1 no join_ref")
    func writesPushes() {
        let push = RealtimeMessage(joinRef: "7", topic: "realtime:x", event: "system", payload: [:])
        #expect(RealtimeVersion.v1.encode(push) == #"{"event":"system","payload":{},"ref":null,"topic":"realtime:x"}"#)
        #expect(RealtimeVersion.v2.encode(push) == #"["7",null,"realtime:x","system",{}]"#)
    }

    @Test("what a client writes is read back", arguments: RealtimeVersion.allCases)
    func roundTrip(version: RealtimeVersion) throws {
        let message = RealtimeMessage(
            joinRef: "1", ref: "2", topic: "realtime:é\"\\", event: "broadcast",
            payload: ["x": .array([1, "two", nil])])
        #expect(try version.decode(version.encode(message, fromClient: true)) == message)
    }

    @Test("binary broadcasts keep every field and raw bytes")
    func binaryRoundTrip() throws {
        let raw = UserBroadcast(
            joinRef: "1", ref: "9", topic: "realtime:x", event: "ev", meta: "{}", isJSON: false, payload: [0, 255, 4])
        let push = try #require(BinaryFrame.encodePush(raw))
        #expect(Array(push.prefix(7)) == [3, 1, 1, 10, 2, 2, 0])
        #expect(try BinaryFrame.decodePush(push) == raw)
        let frame = try #require(BinaryFrame.encodeBroadcast(raw))
        #expect(Array(frame.prefix(5)) == [4, 10, 2, 2, 0])
        var expected = raw
        expected.joinRef = nil
        expected.ref = nil
        #expect(try BinaryFrame.decodeBroadcast(frame) == expected)
    }

    @Test(
        "broken binary frames are refused, never trapped on",
        arguments: [
            [], [3], [3, 1, 1, 1, 1, 0], [3, 200, 0, 0, 0, 0, 1, 65], [3, 0, 0, 1, 0, 0, 1, 0xff],
            [3, 0, 0, 0, 0, 0, 9], [4, 0, 0, 0, 1],
        ]
            as [[UInt8]])
    func refusesBrokenBinary(bytes: [UInt8]) {
        #expect(throws: RealtimeFrameError.self) { try BinaryFrame.decodePush(bytes) }
    }

    @Test("a string of 256 bytes does not fit a binary frame")
    func tooLongForBinary() {
        let long = UserBroadcast(topic: String(repeating: "t", count: 256), event: "e", isJSON: true, payload: [])
        #expect(BinaryFrame.encodeBroadcast(long) == nil)
    }
}
