import Dispatch
import Logging
import ServiceKit
import Synchronization
import Testing
import WireFormat

@Suite("Logs")
struct LoggingTests {
    /// Keeps what a sink writes; can be told to wait before it writes.
    private final class Output: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        let gate: DispatchSemaphore?
        init(gate: DispatchSemaphore? = nil) { self.gate = gate }
        var lines: [String] {
            String(decoding: bytes.withLock { $0 }, as: UTF8.self).split(separator: "\n").map { String($0) }
        }
        func write(_ block: [UInt8]) -> Bool {
            gate?.wait()
            bytes.withLock { $0 += block }
            return true
        }
    }

    @Test("one event is one line of JSON, whatever is in it")
    func oneLine() throws {
        let output = Output()
        let sink = LogSink(write: output.write)
        var logger = Logger(label: "x") { JSONLogHandler(service: "test", label: $0, level: .info, sink: sink) }
        logger[metadataKey: "request_id"] = "abc"
        logger.info(
            "a\nb\u{1b}[31m\"", metadata: ["n": .stringConvertible(3), "message": "taken", "list": ["x", "y"]])
        logger.debug("not written")
        sink.flush()
        #expect(output.lines.count == 1)
        let line = try StrictJSON.parse(try #require(output.lines.first))
        #expect(line["message"] == "a\nb\u{1b}[31m\"")
        #expect(line["metadata.message"] == "taken")
        #expect(line["request_id"] == "abc")
        #expect(line["n"] == 3)
        #expect(line["level"] == "info")
        #expect(line["service"] == "test")
        #expect(line["list"] == ["x", "y"])
    }

    @Test("a blocked reader costs lines, never the caller, and the loss is counted")
    func bounded() throws {
        let gate = DispatchSemaphore(value: 0)
        let output = Output(gate: gate)
        let sink = LogSink(capacity: 10, write: output.write)
        for n in 0..<1000 { sink.append(Array("{\"n\":\(n)}".utf8)) }
        #expect(sink.dropped > 0)
        for _ in 0..<1000 { gate.signal() }
        sink.flush()
        let lines = try output.lines.map { try StrictJSON.parse($0) }
        let written = lines.filter { $0["n"] != nil }.count
        let dropped = lines.compactMap { $0["dropped"]?.intValue }.reduce(0, +)
        #expect(written + dropped == 1000)
        #expect(written < 100)
    }

    @Test("a sink that cannot write counts and goes on")
    func broken() {
        let works = Mutex(false)
        let output = Output()
        let sink = LogSink { block in works.withLock { $0 } ? output.write(block) : false }
        sink.append(Array("{}".utf8))
        sink.flush()
        #expect(sink.dropped == 1)
        works.withLock { $0 = true }
        sink.append(Array("{\"second\":true}".utf8))
        sink.flush()
        #expect(output.lines.count == 2)
        #expect(output.lines.last?.contains("\"dropped\":1") == true)
    }
}
