public import HTTPTypes
import NIOCore
import NIOHTTPTypes
public import WireFormat

/// What a server answers as soon as a request has come, before it is routed: what is refused under overload, where the refused are many, and answers that
/// are ready. The way through the router, its tasks and its middleware costs several times what reading and answering such a request does.
public struct EarlyAnswer: Sendable {
    /// What becomes of a request.
    public enum Decision: Sendable {
        /// It goes its way.
        case pass
        case refuse(Problem)
        case reply(Reply)
        /// `ask` calls what it is given once, at any time, from any thread: then the reply is made, where the word was true and there is one, or
        /// the request goes its way.
        case replyLater(ask: @Sendable (@escaping @Sendable (Bool) -> Void) -> Void, make: @Sendable () -> Reply?)
    }

    /// A request that has come whole.
    public struct Arrival: Sendable {
        public var head: HTTPRequest
        public var body: [UInt8]
        /// The caller's own identifier, or a new one.
        public var requestID: String
        /// When its head came.
        public var since: ContinuousClock.Instant

        public init(head: HTTPRequest, body: [UInt8], requestID: String, since: ContinuousClock.Instant) {
            self.head = head
            self.body = body
            self.requestID = requestID
            self.since = since
        }
    }

    /// A 200. Length, date, request id and trace are put in by the server.
    public struct Reply: Sendable {
        public var fields: HTTPFields
        public var body: [UInt8]

        public init(fields: HTTPFields, body: [UInt8]) {
            self.fields = fields
            self.body = body
        }
    }

    /// Whether a request with this head might be answered early: then its body is waited for.
    public var concerns: @Sendable (HTTPRequest) -> Bool
    public var decide: @Sendable (Arrival) -> Decision

    public init(
        concerns: @escaping @Sendable (HTTPRequest) -> Bool, decide: @escaping @Sendable (Arrival) -> Decision
    ) {
        self.concerns = concerns
        self.decide = decide
    }
}

/// Holds a request that might be answered early until it is whole, and answers it or lets it pass. What comes before the answer to the one before passes:
/// its answer would overtake the other. While a reply is waited for, what follows is held too.
final class EarlyAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Longer bodies pass.
    private static let longestBody = 64 * 1024

    private let early: EarlyAnswer
    private var head: HTTPRequest?
    private var since = ContinuousClock.now
    private var body = ByteBuffer()
    /// Requests that have passed and are not answered.
    private var passed = 0
    /// Which reply is waited for; nil for none.
    private var awaited: UInt64?
    private var asked: UInt64 = 0
    /// What came while a reply is waited for.
    private var held: [NIOAny] = []
    private var wantsToRead = false
    /// More parts than these are not read while a reply is waited for.
    private static let mostHeld = 32

    init(_ early: EarlyAnswer) { self.early = early }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard awaited == nil else { return held.append(data) }
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard passed == 0, early.concerns(head) else {
                passed += 1
                return context.fireChannelRead(data)
            }
            self.head = head
            since = .now
            body.clear()
        case .body(var bytes) where head != nil:
            body.writeBuffer(&bytes)
            if body.readableBytes > Self.longestBody { pass(context) }
        case .end:
            guard let head else { return context.fireChannelRead(data) }
            var id = head.headerFields[.requestID] ?? ""
            if !RequestIdentifier.isAcceptable(id) { id = RequestIdentifier.make() }
            let arrival = EarlyAnswer.Arrival(
                head: head, body: Array(body.readableBytesView), requestID: id, since: since)
            switch early.decide(arrival) {
            case .pass:
                pass(context)
                context.fireChannelRead(data)
            case .refuse(let problem):
                self.head = nil
                let (answer, body) = problem.response(requestID: id)
                write(answer, body, to: head, context)
            case .reply(let reply):
                self.head = nil
                write(reply, to: arrival, context)
            case .replyLater(let ask, let make):
                asked += 1
                let number = asked
                awaited = number
                let (loop, here) = (
                    context.eventLoop, NIOLoopBound((self, context, data), eventLoop: context.eventLoop)
                )
                ask { isGood in
                    loop.execute {
                        let (handler, context, end) = here.value
                        handler.finish(number, arrival, end: end, make: isGood ? make : { nil }, context)
                    }
                }
            }
        default: context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        guard held.count < Self.mostHeld else {
            wantsToRead = true
            return
        }
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { passed -= 1 }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Who reads the rest of the body answers. What waits for its reply is whole.
        if awaited == nil { pass(context) }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        head = nil
        awaited = nil
        held = []
        context.fireChannelInactive()
    }

    /// The reply that was waited for, or the news that there is none; then what came meanwhile.
    private func finish(
        _ number: UInt64, _ arrival: EarlyAnswer.Arrival, end: NIOAny, make: () -> EarlyAnswer.Reply?,
        _ context: ChannelHandlerContext
    ) {
        // The client may have left.
        guard awaited == number else { return }
        awaited = nil
        if let reply = make() {
            head = nil
            write(reply, to: arrival, context)
        } else {
            pass(context)
            context.fireChannelRead(end)
            context.fireChannelReadComplete()
        }
        let later = held
        held = []
        for data in later { channelRead(context: context, data: data) }
        if !later.isEmpty { context.fireChannelReadComplete() }
        if wantsToRead, held.count < Self.mostHeld {
            wantsToRead = false
            context.read()
        }
    }

    /// Gives on what is held of a request.
    private func pass(_ context: ChannelHandlerContext) {
        guard let head else { return }
        self.head = nil
        passed += 1
        context.fireChannelRead(wrapInboundOut(.head(head)))
        if body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(body))) }
        body = ByteBuffer()
        context.fireChannelReadComplete()
    }

    private func write(
        _ reply: EarlyAnswer.Reply, to arrival: EarlyAnswer.Arrival, _ context: ChannelHandlerContext
    ) {
        var answer = HTTPResponse(status: .ok, headerFields: reply.fields)
        let body = ByteBuffer(bytes: reply.body)
        answer.headerFields[.contentLength] = String(body.readableBytes)
        answer.headerFields[.requestID] = arrival.requestID
        write(answer, body, to: arrival.head, context)
    }

    private func write(
        _ answer: HTTPResponse, _ body: ByteBuffer, to head: HTTPRequest, _ context: ChannelHandlerContext
    ) {
        var answer = answer
        answer.headerFields[.traceparent] = TraceContext(traceparent: head.headerFields[.traceparent]).traceparent
        answer.headerFields[.date] = HTTPDate.now
        if head.headerFields[.connection]?.lowercased() == "close" { answer.headerFields[.connection] = "close" }
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

@available(*, unavailable)
extension EarlyAnswers: Sendable {}

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
