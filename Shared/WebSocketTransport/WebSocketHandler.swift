import NIOCore
import NIOWebSocket

/// Turns frames into messages; answers PING and close frames; enforces idle, stall and close time-outs.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = Never
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    /// Outbound event: start the close handshake.
    struct Close: Sendable {
        let code: UInt16
        let reason: String
    }

    private let connection: WebSocketConnection
    private let configuration: WebSocketConfiguration
    private let isClient: Bool
    private var closure: WebSocketClosure?  // the peer's close frame
    private var ownClosure: WebSocketClosure?  // ours, when it was first; the peer's is then only an echo
    private var sentClose = false
    private var lastProgress = NIODeadline.now()
    private var unwritten = 0
    private var stallCheck: RepeatedTask?
    private var deadline: Scheduled<Void>?

    init(connection: WebSocketConnection, configuration: WebSocketConfiguration, isClient: Bool) {
        self.connection = connection
        self.configuration = configuration
        self.isClient = isClient
    }

    /// Adds the whole pipeline above the frame codec; call on the channel's event loop.
    static func install(
        on channel: any Channel, configuration: WebSocketConfiguration, isClient: Bool
    ) throws -> WebSocketConnection {
        let connection = WebSocketConnection(channel: channel, configuration: configuration, isClient: isClient)
        let pipeline = channel.pipeline.syncOperations
        if let idle = configuration.idleTimeout {
            try pipeline.addHandler(IdleStateHandler(readTimeout: TimeAmount(idle)))
        }
        try pipeline.addHandler(
            NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: configuration.maximumFragments,
                maxAccumulatedFrameSize: configuration.maximumMessageSize))
        try pipeline.addHandler(
            WebSocketHandler(connection: connection, configuration: configuration, isClient: isClient))
        return connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let stall = TimeAmount(configuration.stallTimeout)
        stallCheck = context.eventLoop.scheduleRepeatedTask(
            initialDelay: stall, delay: .nanoseconds(max(1, stall.nanoseconds / 3))
        ) { _ in
            let (handler, context) = bound.value
            if handler.unwritten > 0, .now() - handler.lastProgress >= stall { context.close(promise: nil) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stallCheck?.cancel()
        deadline?.cancel()
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard closure == nil else { return }
        var payload = frame.unmaskedData
        switch frame.opcode {
        case .text:
            guard let text = try? payload.readUTF8ValidatedString(length: payload.readableBytes) else {
                return startClose(context, Close(code: WebSocketCloseCode.invalidPayload, reason: "not UTF-8"))
            }
            connection.receive(.text(text))
        case .binary:
            connection.receive(.binary(Array(payload.readableBytesView)))
        case .ping:
            guard !sentClose else { return }
            write(context, .pong, payload)
        case .pong:
            connection.receive(.pong(Array(payload.readableBytesView)))
        case .connectionClose:
            receivedClose(context, payload)
        default:
            startClose(context, Close(code: WebSocketCloseCode.protocolError, reason: "unknown opcode"))
        }
    }

    private func receivedClose(_ context: ChannelHandlerContext, _ payload: ByteBuffer) {
        var payload = payload
        let code = payload.readInteger(as: UInt16.self)
        closure = WebSocketClosure(code: code, reason: String(buffer: payload))
        connection.beginClosing()
        guard !sentClose else { return context.close(promise: nil) }
        sentClose = true
        var reply = context.channel.allocator.buffer(capacity: 2)
        if let code { reply.writeInteger(code) }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        write(context, .connectionClose, reply).whenComplete { _ in bound.value.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is IdleStateHandler.IdleStateEvent:
            startClose(context, Close(code: WebSocketCloseCode.policyViolation, reason: "idle"))
        case ChannelEvent.inputClosed:
            context.close(promise: nil)
        case is ChannelShouldQuiesceEvent:
            connection.receive(.drain)
            scheduleDeadline(context, after: configuration.drainTimeout) { handler, context in
                handler.startClose(context, Close(code: WebSocketCloseCode.serviceRestart, reason: "restart"))
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketFrameAggregator.Error.accumulatedFrameSizeIsTooLarge, NIOWebSocketError.invalidFrameLength:
            startClose(context, Close(code: WebSocketCloseCode.messageTooBig, reason: "message too big"))
        case is NIOWebSocketFrameAggregator.Error, is NIOWebSocketError:
            startClose(context, Close(code: WebSocketCloseCode.protocolError, reason: "protocol error"))
        default:
            if closure == nil { closure = WebSocketClosure(code: nil, reason: "connection error") }
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.finish(ownClosure ?? closure ?? WebSocketClosure(code: nil, reason: ""))
        context.fireChannelInactive()
    }

    // MARK: Outbound

    func read(context: ChannelHandlerContext) {
        if connection.mayRead() { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !sentClose else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let promise = promise ?? context.eventLoop.makePromise()
        track(promise.futureResult, context)
        context.write(data, promise: promise)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let close = event as? Close else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        startClose(context, close)
        promise?.succeed()
    }

    private func startClose(_ context: ChannelHandlerContext, _ close: Close) {
        guard !sentClose else { return }
        var payload = context.channel.allocator.buffer(capacity: 125)
        payload.writeInteger(close.code)
        payload.writeString(close.reason.utf8Prefix(123))
        connection.beginClosing()
        write(context, .connectionClose, payload)
        sentClose = true
        ownClosure = WebSocketClosure(code: close.code, reason: close.reason)
        scheduleDeadline(context, after: configuration.closeTimeout) { _, context in context.close(promise: nil) }
    }

    @discardableResult
    private func write(
        _ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ payload: ByteBuffer
    ) -> EventLoopFuture<Void> {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: isClient ? .random() : nil, data: payload)
        let promise = context.eventLoop.makePromise(of: Void.self)
        track(promise.futureResult, context)
        context.writeAndFlush(wrapOutboundOut(frame), promise: promise)
        return promise.futureResult
    }

    private func track(_ future: EventLoopFuture<Void>, _ context: ChannelHandlerContext) {
        if unwritten == 0 { lastProgress = .now() }
        unwritten += 1
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        future.whenComplete { _ in
            bound.value.unwritten -= 1
            bound.value.lastProgress = .now()
        }
    }

    private func scheduleDeadline(
        _ context: ChannelHandlerContext, after delay: Duration,
        _ action: @escaping @Sendable (WebSocketHandler, ChannelHandlerContext) -> Void
    ) {
        deadline?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: TimeAmount(delay)) { action(bound.value.0, bound.value.1) }
    }
}

extension String {
    /// The longest prefix of whole characters within so many bytes of UTF-8.
    func utf8Prefix(_ limit: Int) -> String {
        var (result, size) = ("", 0)
        for character in self {
            size += character.utf8.count
            guard size <= limit else { break }
            result.append(character)
        }
        return result
    }
}
