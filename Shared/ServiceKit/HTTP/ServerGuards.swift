import HTTPTypes
import Hummingbird
public import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import WireFormat

/// How long and how much a server takes from a connection.
public struct ServerGuards: Sendable {
    /// From the connection to the end of the first head; absolute, so bytes that trickle do not extend it.
    public var headDeadline: Duration = .seconds(4)
    /// From a head to the end of its body; absolute.
    public var bodyDeadline: Duration = .seconds(15)
    /// How long a body may bring less than `bodyBytesPerSecond`.
    public var bodyPatience: Duration = .seconds(4)
    /// Least bytes a second of a body.
    public var bodyBytesPerSecond = 1024
    /// From an answer to the next head.
    public var idle: Duration = .seconds(60)
    /// Most bytes of a head.
    public var headBytes = 32 * 1024
    /// Most fields of a head.
    public var headFields = 100
    /// Most connections at a time; more wait in the backlog.
    public var connections = 4096
    /// What is answered before it is routed; nil for nothing.
    public var early: EarlyAnswer?

    public init() {}

    /// What the public ports use.
    public static let standard = ServerGuards()
    /// What the operations port uses.
    public static let operations: ServerGuards = {
        var guards = ServerGuards()
        guards.connections = 64
        return guards
    }()

    /// For `HTTPServerBuilder.http1(configuration:)`, and for a builder that upgrades to WebSockets.
    public var channelConfiguration: HTTP1Channel.Configuration {
        HTTP1Channel.Configuration(
            additionalChannelHandlers: handlers,
            idleTimeout: .init(idle),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headBytes, maxHeaderListSize: headBytes, maxHeaderFieldCount: headFields))
    }
}

extension ServerGuards {
    private var handlers: [any RemovableChannelHandler] {
        let deadlines = RequestDeadlines(self)
        return early.map { [deadlines, EarlyAnswers($0)] } ?? [deadlines]
    }
}

/// The rest of a body came too late or too slowly: whoever reads it meets this.
public struct BodyTooSlow: Error, Sendable {}

/// Closes a connection whose head does not arrive in time, ends a body that is late or slow, answers a broken head with a problem, and says
/// `100 Continue`.
final class RequestDeadlines: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let guards: ServerGuards
    private var timer: Scheduled<Void>?
    private var requestsInProgress = 0
    private var isReadingBody = false
    /// Bytes of the body since the last look at its pace.
    private var bodyBytes = 0
    /// An answer said `Connection: close`.
    private var isClosing = false

    init(_ guards: ServerGuards) { self.guards = guards }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(guards.headDeadline, context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    func channelActive(context: ChannelHandlerContext) {
        start(guards.headDeadline, context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            requestsInProgress += 1
            isReadingBody = true
            bodyBytes = 0
            stop()
            if requestsInProgress == 1, head.headerFields[.expect]?.lowercased() == "100-continue" {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
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
            if head.headerFields[.connection]?.lowercased() == "close" { isClosing = true }
        case .body: break
        case .end:
            requestsInProgress -= 1
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
        guard requestsInProgress == 0, let parserError = error as? HTTPParserError else {
            let wasReadingBody = isReadingBody && error is HTTPParserError
            if wasReadingBody { isReadingBody = false }
            context.fireErrorCaught(error)
            // A body that is broken: whoever reads it answers, and nothing that follows could be trusted.
            if wasReadingBody { start(.seconds(1), context) }
            return
        }
        stop()
        let problem: Problem
        switch parserError {
        case .headerOverflow: problem = Problem(.headTooLarge, "The head has more than \(guards.headBytes) bytes.")
        default: problem = Problem(.invalidHeader, "The head is not valid HTTP/1.1.")
        }
        var (head, body) = problem.response(requestID: RequestIdentifier.make())
        head.headerFields[.connection] = "close"
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.close(promise: nil)
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
