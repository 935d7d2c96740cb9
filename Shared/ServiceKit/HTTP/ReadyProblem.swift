import NIOCore
import NIOHTTP1
public import WireFormat

/// A problem written ahead, fields and body: only what belongs to the single answer, its request id, date and trace, is put in when it is sent.
public struct ReadyProblem: Sendable {
    /// Status line and fields, up to the length.
    private let head: String
    /// The body around its request ids.
    private let pieces: [[UInt8]]
    private let bytes: Int
    public let status: Int

    public init(_ problem: Problem) {
        status = problem.status
        var head = AnswerBytes.statusLine(problem.status)
        head += "Content-Type: \(Problem.mediaType)\r\nCache-Control: no-store\r\n"
        if let seconds = problem.retryAfter { head += "Retry-After: \(seconds)\r\n" }
        self.head = head
        let body = problem.json(requestID: Self.place).bytes()
        pieces = Self.split(body, at: Array(Self.place.utf8))
        bytes = body.count - (pieces.count - 1) * Self.place.utf8.count
    }

    /// The whole answer.
    func write(to buffer: inout ByteBuffer, requestID: String, trace: TraceContext, closes: Bool) {
        buffer.writeString(head)
        AnswerBytes.write(
            to: &buffer, length: bytes + (pieces.count - 1) * requestID.utf8.count, requestID: requestID, trace: trace,
            closes: closes)
        for (n, piece) in pieces.enumerated() {
            if n > 0 { buffer.writeString(requestID) }
            buffer.writeBytes(piece)
        }
    }

    /// Stands for the request id: no text of ours has it.
    private static let place = "0request0id0stands0here0"

    private static func split(_ bytes: [UInt8], at needle: [UInt8]) -> [[UInt8]] {
        var (pieces, piece, at) = ([[UInt8]](), [UInt8](), 0)
        while at < bytes.count {
            if bytes[at...].starts(with: needle) {
                pieces.append(piece)
                piece = []
                at += needle.count
            } else {
                piece.append(bytes[at])
                at += 1
            }
        }
        return pieces + [piece]
    }
}

/// The parts of an answer that is written as bytes, past the encoder: one block and one write, where the encoder's parts take three.
enum AnswerBytes {
    static func statusLine(_ status: Int) -> String {
        "HTTP/1.1 \(status) \(HTTPResponseStatus(statusCode: status).reasonPhrase)\r\n"
    }

    /// The fields of every answer, and the end of its head.
    /// - Parameters:
    ///   - requestID: of acceptable form, or of our making; what could end a line is in neither.
    static func write(
        to buffer: inout ByteBuffer, length: Int, requestID: String, trace: TraceContext, closes: Bool
    ) {
        buffer.writeStaticString("Content-Length: ")
        buffer.writeString(String(length))
        buffer.writeStaticString("\r\nX-Request-ID: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\ntraceparent: ")
        buffer.writeString(trace.traceparent)
        buffer.writeStaticString("\r\nDate: ")
        buffer.writeString(HTTPDate.now)
        buffer.writeStaticString(closes ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n")
    }
}
