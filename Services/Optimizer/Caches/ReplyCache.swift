import Crypto
import Foundation
import WireFormat

/// Which reply: of a tenant, to a body, byte for byte, and with which preferences.
struct ReplyKey: Hashable, Sendable {
    var tenant: UUID
    var body: [UInt8]
    var isStrict: Bool

    init(tenant: UUID, body: [UInt8], isStrict: Bool) {
        self.tenant = tenant
        self.body = Array(SHA256.hash(data: body))
        self.isStrict = isStrict
    }
}

/// The bytes of an answer, ready to be sent again: only what belongs to the single call, its request id and time, is put in anew.
struct CachedReply: Sendable {
    /// What the tenant saw when it was made; nil for a pure call, whose answer nothing can change.
    let mark: DataWatch.Mark?
    private let head: [UInt8]
    private let middle: [UInt8]
    private let tail: [UInt8]
    private let idComesFirst: Bool

    /// - Returns: nil where the text cannot be cut; then it is not kept.
    init?(_ answer: OptimizeResponse, mark: DataWatch.Mark?) {
        var answer = answer
        // No text of a caller's can be this one: it is made anew for each reply.
        let id = "reply-\(UUID().uuidString)"
        let milliseconds = Double(UInt64.random(in: 1 << 50..<1 << 52)) + 0.5
        answer.meta.cached = true
        answer.meta.requestID = id
        answer.meta.totalMilliseconds = milliseconds
        let bytes = answer.json.bytes()
        guard let first = Self.range(of: Array(JSONValue.string(id).serialized().utf8), in: bytes),
            let second = Self.range(of: Array(JSONValue(milliseconds).serialized().utf8), in: bytes)
        else { return nil }
        idComesFirst = first.lowerBound < second.lowerBound
        let (a, b) = idComesFirst ? (first, second) : (second, first)
        head = Array(bytes[..<a.lowerBound])
        middle = Array(bytes[a.upperBound..<b.lowerBound])
        tail = Array(bytes[b.upperBound...])
        self.mark = mark
    }

    /// The reply to a call that has come at an instant.
    func bytes(requestID: String, since start: ContinuousClock.Instant) -> [UInt8] {
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        let id = JSONValue.string(requestID).bytes()
        let time = JSONValue((milliseconds * 1000).rounded() / 1000).bytes()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head.count + middle.count + tail.count + id.count + time.count)
        bytes += head
        bytes += idComesFirst ? id : time
        bytes += middle
        bytes += idComesFirst ? time : id
        bytes += tail
        return bytes
    }

    var count: Int { head.count + middle.count + tail.count + 200 }

    private static func range(of needle: [UInt8], in bytes: [UInt8]) -> Range<Int>? {
        // From the end: `meta` is the last member but one.
        guard let first = needle.first, bytes.count >= needle.count else { return nil }
        var at = bytes.count - needle.count
        while at >= 0 {
            if bytes[at] == first, bytes[at..<at + needle.count].elementsEqual(needle) { return at..<at + needle.count }
            at -= 1
        }
        return nil
    }
}
