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

/// The bytes of an answer, ready to be sent, now and again: only what belongs to the single call, its request id, its time and whether it was
/// answered before, is put in anew.
struct CachedReply: Sendable {
    /// What the tenant saw when it was made; nil for a pure call, whose answer nothing can change.
    let mark: DataWatch.Mark?
    private enum Place { case requestID, milliseconds, isCached }
    /// The text before each place, and what is after the last.
    private let parts: [(text: [UInt8], place: Place)]
    private let tail: [UInt8]

    /// - Returns: nil where the text cannot be cut; then it is not kept.
    init?(_ answer: OptimizeResponse, mark: DataWatch.Mark?) {
        var answer = answer
        // No text of a caller's can be this one: it is made anew for each reply.
        let id = "reply-\(UInt64.random(in: 0...UInt64.max))-\(UInt64.random(in: 0...UInt64.max))"
        let milliseconds = Double(UInt64.random(in: 1 << 50..<1 << 52)) + 0.5
        answer.meta.cached = true
        answer.meta.requestID = id
        answer.meta.totalMilliseconds = milliseconds
        let bytes = answer.json.bytes()
        // A quotation mark of a caller's is escaped, so that the member is no text of its own.
        let flag = Array("\"cached\":true".utf8)
        guard let requestID = Self.range(of: JSONValue.string(id).bytes(), in: bytes),
            let time = Self.range(of: JSONValue(milliseconds).bytes(), in: bytes),
            let cached = Self.range(of: flag, in: bytes)
        else { return nil }
        let isTrue = cached.upperBound - 4..<cached.upperBound
        let places: [(Range<Int>, Place)] = [(requestID, .requestID), (time, .milliseconds), (isTrue, .isCached)]
        var (parts, at) = ([(text: [UInt8], place: Place)](), 0)
        for (range, place) in places.sorted(by: { $0.0.lowerBound < $1.0.lowerBound }) {
            parts.append((Array(bytes[at..<range.lowerBound]), place))
            at = range.upperBound
        }
        self.parts = parts
        tail = Array(bytes[at...])
        self.mark = mark
    }

    /// The reply to a call that has come at an instant.
    func bytes(requestID: String, since start: ContinuousClock.Instant, isCached: Bool) -> [UInt8] {
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for (text, place) in parts {
            bytes += text
            switch place {
            case .requestID: bytes += JSONValue.string(requestID).bytes()
            case .milliseconds: bytes += JSONValue((milliseconds * 1000).rounded() / 1000).bytes()
            case .isCached: bytes += isCached ? "true".utf8 : "false".utf8
            }
        }
        bytes += tail
        return bytes
    }

    var count: Int { parts.reduce(tail.count + 200) { $0 + $1.text.count } }

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
