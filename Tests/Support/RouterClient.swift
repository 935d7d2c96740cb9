public import HTTPTypes
public import Hummingbird
import Logging
import NIOCore
public import ServiceKit
public import WireFormat

/// Calls a router as a server would, without a socket.
public struct RouterClient<Responder: HTTPResponder>: Sendable where Responder.Context == BallastRequestContext {
    /// What came back, its body collected.
    public struct Answer: Sendable {
        public var status: Int
        public var headers: HTTPFields
        public var body: [UInt8]
        public var text: String { String(decoding: body, as: UTF8.self) }
        /// The body as JSON; nil where it is none.
        public var json: JSONValue? { try? StrictJSON.parse(body, limits: .stored) }
    }

    private let responder: Responder

    public init(_ responder: Responder) { self.responder = responder }

    /// Sends one request. A body goes out as JSON unless `headers` say otherwise.
    public func send(
        _ method: HTTPRequest.Method, _ path: String, headers: HTTPFields = [:], body: String? = nil
    ) async throws -> Answer {
        var fields = headers
        if body != nil, fields[.contentType] == nil { fields[.contentType] = "application/json" }
        let head = HTTPRequest(method: method, scheme: "http", authority: "localhost", path: path, headerFields: fields)
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body ?? "")))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let response = try await responder.respond(to: request, context: BallastRequestContext(logger: logger))
        let collector = Collector()
        try await response.body.write(collector)
        return Answer(status: response.status.code, headers: response.headers, body: await collector.bytes.value)
    }

    private struct Collector: ResponseBodyWriter {
        let bytes = Bytes()
        func write(_ buffer: ByteBuffer) async throws { await bytes.append(buffer) }
        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    private actor Bytes {
        var value: [UInt8] = []
        func append(_ buffer: ByteBuffer) { value += buffer.readableBytesView }
    }
}

extension RouterClient where Responder == RouterResponder<BallastRequestContext> {
    public init(_ router: Router<BallastRequestContext>) { self.init(router.buildResponder()) }
}
