public import WireFormat

/// The header Idempotency-Key: the caller's own name for one request, so that sending it again does nothing twice.
///
/// Source: draft-ietf-httpapi-idempotency-key-header-07. The draft's form is a string in quotes; bare text, as most clients send it, is
/// taken too.
public struct IdempotencyKey: Sendable, Equatable {
    public let text: String

    /// - Throws: REQ-108 for an empty key, one over 255 bytes, or bytes outside visible ASCII.
    public init(header: String) throws(Problem) {
        var text = Substring(header).drop { $0 == " " }
        while text.last == " " { text = text.dropLast() }
        if text.utf8.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") { text = text.dropFirst().dropLast() }
        let bytes = text.utf8
        guard (1...255).contains(bytes.count), bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") })
        else {
            throw Problem(
                .invalidHeader, "Idempotency-Key has to be 1 to 255 visible ASCII characters, in quotes or without.")
        }
        self.text = String(text)
    }
}
