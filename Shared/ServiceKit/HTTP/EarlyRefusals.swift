public import HTTPTypes
import NIOCore
import NIOHTTPTypes
public import WireFormat

/// What a server refuses as soon as a request has come, before it is routed: under overload the refused are many, and the way through
/// the router costs several times what reading and answering them does.
public struct EarlyRefusal: Sendable {
    /// Whether a request with this head might be refused: then its body is waited for.
    public var concerns: @Sendable (HTTPRequest) -> Bool
    /// Why it is refused; nil for one that goes its way.
    public var problem: @Sendable (HTTPRequest, [UInt8]) -> Problem?

    public init(
        concerns: @escaping @Sendable (HTTPRequest) -> Bool,
        problem: @escaping @Sendable (HTTPRequest, [UInt8]) -> Problem?
    ) {
        self.concerns = concerns
        self.problem = problem
    }
}

/// Holds a request that might be refused until it is whole, and answers it or lets it pass. What comes before the answer to the one before passes: its
/// answer would overtake the other.
final class EarlyRefusals: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Longer bodies pass.
    private static let longestBody = 64 * 1024

    private let refusal: EarlyRefusal
    private var head: HTTPRequest?
    private var body = ByteBuffer()
    /// Requests that have passed and are not answered.
    private var passed = 0

    init(_ refusal: EarlyRefusal) { self.refusal = refusal }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard passed == 0, refusal.concerns(head) else {
                passed += 1
                return context.fireChannelRead(data)
            }
            self.head = head
            body.clear()
        case .body(var bytes) where head != nil:
            body.writeBuffer(&bytes)
            if body.readableBytes > Self.longestBody { pass(context) }
        case .end:
            if let head, let problem = refusal.problem(head, Array(body.readableBytesView)) {
                self.head = nil
                return answer(problem, to: head, context)
            }
            pass(context)
            context.fireChannelRead(data)
        default: context.fireChannelRead(data)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { passed -= 1 }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Who reads the rest of the body answers.
        pass(context)
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        head = nil
        context.fireChannelInactive()
    }

    /// Gives on what is held.
    private func pass(_ context: ChannelHandlerContext) {
        guard let head else { return }
        self.head = nil
        passed += 1
        context.fireChannelRead(wrapInboundOut(.head(head)))
        if body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(body))) }
        body = ByteBuffer()
        context.fireChannelReadComplete()
    }

    private func answer(_ problem: Problem, to head: HTTPRequest, _ context: ChannelHandlerContext) {
        var id = RequestIdentifier.make()
        if let given = head.headerFields[.requestID], RequestIdentifier.isAcceptable(given) { id = given }
        var (answer, body) = problem.response(requestID: id)
        if let parent = head.headerFields[.traceparent] {
            answer.headerFields[.traceparent] = TraceContext(traceparent: parent).traceparent
        }
        if head.headerFields[.connection]?.lowercased() == "close" { answer.headerFields[.connection] = "close" }
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

@available(*, unavailable)
extension EarlyRefusals: Sendable {}

extension Problem {
    /// Head and body of an answer that no router makes.
    func response(requestID: String) -> (head: HTTPResponse, body: ByteBuffer) {
        let body = ByteBuffer(bytes: json(requestID: requestID).bytes())
        var fields: HTTPFields = [
            .contentType: Problem.mediaType, .contentLength: String(body.readableBytes), .cacheControl: "no-store",
            .requestID: requestID,
        ]
        if let retryAfter { fields[.retryAfter] = String(retryAfter) }
        return (HTTPResponse(status: .init(code: status), headerFields: fields), body)
    }
}
