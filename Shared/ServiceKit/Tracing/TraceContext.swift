/// Where a request stands in a trace that may have begun elsewhere: W3C Trace Context, version 00.
///
/// ```
/// traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
/// ```
/// The trace's id stays the same over every service that a request passes; each has a span of its own.
///
/// Source: https://www.w3.org/TR/trace-context/.
public struct TraceContext: Sendable, Equatable {
    /// 32 lower-case hexadecimal digits, not all zero.
    public let traceID: String
    /// 16 lower-case hexadecimal digits, not all zero: this service's own.
    public let spanID: String
    /// The caller's span; nil where the trace begins here.
    public let parentID: String?
    /// The caller's flags; 01 is sampled.
    public let flags: String

    /// The next span of the caller's trace, or the first of a new one where the header is absent or not to be trusted.
    public init(traceparent: String?) {
        let given = traceparent.flatMap { Self.parse($0) }
        traceID = given?.trace ?? Self.digits(16)
        parentID = given?.span
        spanID = Self.digits(8)
        flags = given?.flags ?? "00"
    }

    private init(trace: String, span: String) {
        (traceID, spanID, parentID, flags) = (trace, span, nil, "00")
    }

    /// Before a request has been looked at.
    static let none = TraceContext(
        trace: String(repeating: "0", count: 32), span: String(repeating: "0", count: 16))

    /// What the next service, or the caller, is told.
    public var traceparent: String { "00-\(traceID)-\(spanID)-\(flags)" }

    /// The parts of a header, as the specification has them read: a version that is not known may be longer, ff is none.
    private static func parse(_ text: String) -> (trace: String, span: String, flags: String)? {
        let bytes = Array(text.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash else { return nil }
        func part(_ range: Range<Int>) -> String? {
            let part = bytes[range]
            guard part.allSatisfy({ isDigit($0) }) else { return nil }
            return String(decoding: part, as: UTF8.self)
        }
        guard let version = part(0..<2), let trace = part(3..<35), let span = part(36..<52), let flags = part(53..<55),
            version != "ff", bytes.count == 55 || (version != "00" && bytes[55] == dash),
            trace.contains(where: { $0 != "0" }), span.contains(where: { $0 != "0" })
        else { return nil }
        // Flags that are not known are not passed on.
        let isSampled = (UInt8(flags, radix: 16) ?? 0) & 1 == 1
        return (trace, span, isSampled ? "01" : "00")
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
            || (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"))
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Random digits, two a byte; the last byte is never zero, so that the whole is not.
    private static func digits(_ count: Int) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * count)
        var left = count
        while left > 0 {
            var word = RandomWords.next()
            for _ in 0..<min(8, left) {
                let byte = left == 1 ? UInt8(truncatingIfNeeded: word) | 1 : UInt8(truncatingIfNeeded: word)
                text.append(hexadecimal[Int(byte >> 4)])
                text.append(hexadecimal[Int(byte & 15)])
                word >>= 8
                left -= 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
