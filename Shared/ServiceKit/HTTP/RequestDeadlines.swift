import NIOCore
import NIOHTTP1
import WireFormat

/// The rest of a body came too late or too slowly: whoever reads it meets this.
public struct BodyTooSlow: Error, Sendable {}

/// Closes a connection whose head does not arrive in time or that idles, ends a body that is late or slow, answers a broken head with a problem, and
/// says `100 Continue`.
final class RequestDeadlines: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let guards: ServerGuards
    private var timer: Scheduled<Void>?
    private var idleTimer: Scheduled<Void>?
    /// When the last answer had gone.
    private var lastAnswer = NIODeadline.now()
    private var requestsInProgress = 0
    private var isReadingBody = false
    /// Bytes of the body since the last look at its pace.
    private var bodyBytes = 0
    /// An answer said `Connection: close`.
    private var isClosing = false

    init(_ guards: ServerGuards) { self.guards = guards }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        start(guards.headDeadline, context)
        watchIdle(TimeAmount(guards.idle), context)
    }

    private func end() {
        stop()
        idleTimer?.cancel()
        idleTimer = nil
    }

    /// A request has been answered by somebody who writes past this handler.
    func answered() {
        requestsInProgress -= 1
        lastAnswer = .now()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            requestsInProgress += 1
            isReadingBody = true
            bodyBytes = 0
            stop()
            if requestsInProgress == 1, head.headers.first(name: "expect")?.lowercased() == "100-continue" {
                context.writeAndFlush(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
            }
        case .body(let bytes): bodyBytes += bytes.readableBytes
        case .end:
            isReadingBody = false
            stop()
            if isClosing && requestsInProgress == 0 { context.close(promise: nil) }
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // A body that came with its head needs no clock.
        if isReadingBody && timer == nil { watchBody(guards.bodyDeadline, context) }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            if head.headers.first(name: "connection")?.lowercased() == "close" { isClosing = true }
        case .body: break
        case .end:
            answered()
            // While the rest of a refused body is on its way the connection stays: a reset would overtake the answer.
            if isClosing && requestsInProgress == 0 && !isReadingBody {
                let written = promise ?? context.eventLoop.makePromise(of: Void.self)
                written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
                context.writeAndFlush(data, promise: written)
                return
            }
        }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if answers(error, context) { return }
        let wasReadingBody = isReadingBody && error is HTTPParserError
        if wasReadingBody { isReadingBody = false }
        context.fireErrorCaught(error)
        // A body that is broken: whoever reads it answers, and nothing that follows could be trusted.
        if wasReadingBody { start(.seconds(1), context) }
    }

    /// Answers bytes that are no head, where no request is in progress, and closes the connection. False for everything else.
    func answers(_ error: any Error, _ context: ChannelHandlerContext) -> Bool {
        guard requestsInProgress == 0, let parserError = error as? HTTPParserError else { return false }
        stop()
        let problem: Problem
        switch parserError {
        case .headerOverflow: problem = Problem(.headTooLarge, "The head has more than \(guards.headBytes) bytes.")
        default: problem = Problem(.invalidHeader, "The head is not valid HTTP/1.1.")
        }
        var answer = ByteBuffer()
        ReadyProblem(problem).write(
            to: &answer, requestID: RequestIdentifier.make(), trace: TraceContext(traceparent: nil), closes: true)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        EarlyAnswers.write(answer, promise: written, context)
        return true
    }

    /// Looks at the pace of the body time and again, until its deadline.
    private func watchBody(_ left: Duration, _ context: ChannelHandlerContext) {
        stop()
        let step = min(left, guards.bodyPatience)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(step)) { [self] in
            let least = Int(step / .seconds(1) * Double(guards.bodyBytesPerSecond))
            guard bodyBytes < least || left <= step else {
                bodyBytes = 0
                return watchBody(left - step, context)
            }
            // The endpoint that reads the body answers 408; a connection whose endpoint does not read it is closed a moment later.
            isReadingBody = false
            context.fireErrorCaught(BodyTooSlow())
            start(.seconds(1), context)
        }
    }

    /// Looks whether the connection idles when it may have: one timer a connection, not one an answer.
    private func watchIdle(_ wait: TimeAmount, _ context: ChannelHandlerContext) {
        idleTimer = context.eventLoop.assumeIsolated().scheduleTask(in: wait) { [self] in
            let limit = TimeAmount(guards.idle)
            if requestsInProgress > 0 { return watchIdle(limit, context) }
            let left = lastAnswer + limit - .now()
            if left > .zero { watchIdle(left, context) } else { context.close(promise: nil) }
        }
    }

    private func start(_ limit: Duration, _ context: ChannelHandlerContext) {
        stop()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) {
            context.close(promise: nil)
        }
    }

    private func stop() {
        timer?.cancel()
        timer = nil
    }
}

@available(*, unavailable)
extension RequestDeadlines: Sendable {}
