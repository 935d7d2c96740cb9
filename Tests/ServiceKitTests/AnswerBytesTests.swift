import Foundation
import NIOCore
import Testing
import WireFormat

@testable import ServiceKit

@Suite("Answers as bytes")
struct AnswerBytesTests {
    @Test("a problem that is written ahead says what one that is written anew says")
    func readyProblems() throws {
        let problem = Problem(
            .overloaded, "Pieces: request_id, \u{1F600}, \"quoted\".",
            errors: [Violation(JSONPointer(["a"]), .wrongType, "That.")],
            retryAfter: 3)
        var buffer = ByteBuffer()
        let trace = TraceContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        ReadyProblem(problem).write(to: &buffer, requestID: "request-7", trace: trace, closes: false)
        let parts = String(buffer: buffer).components(separatedBy: "\r\n\r\n")
        #expect(parts.count == 2 && parts[1] == problem.json(requestID: "request-7").serialized())
        let lines = parts[0].components(separatedBy: "\r\n")
        #expect(lines[0] == "HTTP/1.1 503 Service Unavailable")
        for line in [
            "Content-Type: application/problem+json", "Cache-Control: no-store", "Retry-After: 3",
            "Content-Length: \(parts[1].utf8.count)", "X-Request-ID: request-7", "traceparent: \(trace.traceparent)",
        ] { #expect(lines.contains(line), "\(line)") }
    }

    @Test("random words differ, and none is given out twice")
    func randomWords() {
        let words = (0..<1000).map { _ in RandomWords.next() }
        #expect(Set(words).count == 1000)
    }

    @Test("the date is that of RFC 9110")
    func date() {
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(1_795_863_779) == "Sat, 28 Nov 2026 11:02:59 GMT")
        #expect(HTTPDate.text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    }
}
