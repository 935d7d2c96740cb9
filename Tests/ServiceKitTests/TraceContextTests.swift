import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceKit
import Synchronization
import Testing

@Suite("Trace context")
struct TraceContextTests {
    private static let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("goes on with the caller's trace, as a span of its own")
    func continues() {
        let trace = TraceContext(traceparent: Self.given)
        #expect(trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(trace.parentID == "00f067aa0ba902b7" && trace.spanID != trace.parentID)
        #expect(trace.traceparent == "00-\(trace.traceID)-\(trace.spanID)-01")
        #expect(TraceContext(traceparent: trace.traceparent).parentID == trace.spanID)
    }

    @Test(
        "begins a new one where the header cannot be trusted",
        arguments: [
            nil, "", "00", "00-0-0-0", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", String(repeating: "0", count: 55),
        ])
    func begins(header: String?) {
        let trace = TraceContext(traceparent: header)
        #expect(trace.parentID == nil && trace.flags == "00")
        #expect(trace.traceID.utf8.count == 32 && trace.spanID.utf8.count == 16)
        #expect(trace.traceparent.utf8.count == 55)
        #expect(TraceContext(traceparent: trace.traceparent).traceID == trace.traceID)
    }

    @Test("a later version may be longer; flags that are not known are not passed on")
    func later() {
        let trace = TraceContext(traceparent: "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what-follows")
        #expect(trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736" && trace.flags == "01")
        #expect(
            TraceContext(traceparent: "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ffx").parentID == nil)
    }

    @Test("is in the answer, refusals included, and in what the request logs")
    func middleware() async throws {
        let output = Output()
        let sink = LogSink(write: output.write)
        let logger = Logger(label: "x") { JSONLogHandler(service: "test", label: $0, level: .info, sink: sink) }
        let router = BallastRouter.build(metrics: nil, logger: logger) { router in
            router.get("/good") { _, context in
                context.logger.info("hello")
                return context.trace.traceID
            }
        }
        let responder = router.buildResponder()
        for (path, isThere) in [("/good", true), ("/none", false)] {
            let head = HTTPRequest(
                method: .get, scheme: "http", authority: "localhost", path: path,
                headerFields: [.traceparent: Self.given])
            let answer = try await responder.respond(
                to: Request(head: head, body: RequestBody(buffer: ByteBuffer())),
                context: BallastRequestContext(logger: logger))
            #expect((answer.status == .ok) == isThere)
            let trace = try #require(answer.headers[.traceparent])
            #expect(trace.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace.hasSuffix("-01"))
            #expect(!trace.contains("00f067aa0ba902b7"))
        }
        sink.flush()
        #expect(output.text.contains(#""trace_id":"4bf92f3577b34da6a3ce929d0e0e4736""#))
    }

    /// Keeps what a sink writes.
    private final class Output: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
        func write(_ block: [UInt8]) -> Bool {
            bytes.withLock { $0 += block }
            return true
        }
    }
}
