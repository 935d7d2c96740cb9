import NIOCore
import NIOHTTP1

/// Holds a request that might be answered early until it is whole, and answers it or lets it pass. What comes before the answer to the one before passes:
/// its answer would overtake the other. While a reply is waited for, what follows is held too.
///
/// It stands in front of what turns a request into Hummingbird's types and an answer back into bytes, and writes past the encoder: an answer from here
/// costs half of one from behind.
final class EarlyAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Longer bodies pass.
    private static let longestBody = 64 * 1024

    private let early: EarlyAnswer
    private let deadlines: RequestDeadlines
    private var head: HTTPRequestHead?
    private var since = ContinuousClock.now
    private var body = ByteBuffer()
    private var answer = ByteBuffer()
    /// Requests that have passed and are not answered.
    private var passed = 0
    /// Which reply is waited for; nil for none.
    private var awaited: UInt64?
    private var asked: UInt64 = 0
    /// What came while a reply is waited for.
    private var held: [NIOAny] = []
    private var wantsToRead = false
    /// The server stops, or what follows is no HTTP: told to the others when the reply that is waited for has gone.
    private var heldEvent: Any?
    private var heldError: (any Error)?
    private var isClosed = false
    /// More parts than these are not read while a reply is waited for.
    private static let mostHeld = 32

    /// - Parameter deadlines: the handler before this one, which is told of answers that do not come its way.
    init(_ early: EarlyAnswer, deadlines: RequestDeadlines) {
        self.early = early
        self.deadlines = deadlines
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What a client sends after the last request of its connection is nobody's.
        if isClosed { return }
        guard awaited == nil else { return held.append(data) }
        switch unwrapInboundIn(data) {
        case .head(let head):
            let arrived = EarlyAnswer.Head(head)
            guard passed == 0, arrived.isHTTP11, early.concerns(arrived) else {
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
            decide(EarlyAnswer.Head(head), end: data, context)
        default: context.fireChannelRead(data)
        }
    }

    private func decide(_ head: EarlyAnswer.Head, end: NIOAny, _ context: ChannelHandlerContext) {
        var id = head["X-Request-ID"] ?? ""
        if !RequestIdentifier.isAcceptable(id) { id = RequestIdentifier.make() }
        let arrival = EarlyAnswer.Arrival(head: head, body: Array(body.readableBytesView), requestID: id, since: since)
        switch early.decide(arrival) {
        case .pass:
            pass(context)
            context.fireChannelRead(end)
        case .refuse(let problem):
            send(arrival, context) { problem.write(to: &answer, requestID: id, trace: $0, closes: head.closes) }
        case .reply(let reply):
            send(reply, to: arrival, context)
        case .replyLater(let ask, let make):
            asked += 1
            let number = asked
            awaited = number
            let (loop, here) = (
                context.eventLoop, NIOLoopBound((self, context, end), eventLoop: context.eventLoop)
            )
            ask { isGood in
                loop.execute {
                    let (handler, context, end) = here.value
                    handler.finish(number, arrival, end: end, make: isGood ? make : { nil }, context)
                }
            }
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
        guard awaited == nil else {
            // What waits for its reply is whole.
            heldError = error
            return
        }
        // Who reads the rest of the body answers.
        pass(context)
        context.fireChannelReadComplete()
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        head = nil
        awaited = nil
        held = []
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Who counts the requests in progress behind this one does not see the one that is waited for.
        if awaited != nil, event is ChannelShouldQuiesceEvent {
            heldEvent = event
        } else {
            context.fireUserInboundEventTriggered(event)
        }
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
            send(reply, to: arrival, context)
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
        if awaited == nil { release(context) }
    }

    /// Tells the others what was kept from them while a reply was waited for.
    private func release(_ context: ChannelHandlerContext) {
        if let error = heldError {
            heldError = nil
            // With nothing in progress it is the deadlines' to answer, as it would have been.
            if passed > 0 || !deadlines.answers(error, context) { context.fireErrorCaught(error) }
        }
        if let event = heldEvent {
            heldEvent = nil
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Gives on what is held of a request. That it was read is told by what follows: told here, it would wake who reads it before its end has come.
    private func pass(_ context: ChannelHandlerContext) {
        guard let head else { return }
        self.head = nil
        passed += 1
        context.fireChannelRead(wrapInboundOut(.head(head)))
        if body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(body))) }
        body = ByteBuffer()
    }

    private func send(_ reply: EarlyAnswer.Reply, to arrival: EarlyAnswer.Arrival, _ context: ChannelHandlerContext) {
        send(arrival, context) { trace in
            answer.writeStaticString("HTTP/1.1 200 OK\r\n")
            for (name, value) in reply.fields {
                answer.writeString(name)
                answer.writeStaticString(": ")
                answer.writeString(value)
                answer.writeStaticString("\r\n")
            }
            AnswerBytes.write(
                to: &answer, length: reply.body.count, requestID: arrival.requestID, trace: trace,
                closes: arrival.head.closes)
            answer.writeBytes(reply.body)
        }
    }

    /// Sends what `write` puts into `answer`, in one write.
    private func send(
        _ arrival: EarlyAnswer.Arrival, _ context: ChannelHandlerContext, _ write: (TraceContext) -> Void
    ) {
        head = nil
        answer.clear()
        write(TraceContext(traceparent: arrival.head["traceparent"]))
        deadlines.answered()
        guard arrival.head.closes else { return Self.write(answer, promise: nil, context) }
        isClosed = true
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        Self.write(answer, promise: written, context)
    }

    /// Writes the bytes of an answer past the encoder.
    static func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        guard let encoder = try? pipeline.context(handlerType: HTTPResponseEncoder.self) else {
            return context.close(promise: promise)
        }
        encoder.writeAndFlush(HTTPResponseEncoder.wrapOutboundOut(.byteBuffer(bytes)), promise: promise)
    }
}

@available(*, unavailable)
extension EarlyAnswers: Sendable {}
