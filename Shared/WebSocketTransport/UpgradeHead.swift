import NIOCore
import NIOHTTP1

/// Stands before NIO's upgrade handler, which drops the head of a request whose upgrade is refused: keeps that head, so that
/// it can be answered, and hides upgrades that are none of ours.
final class UpgradeHeadKeeper: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private(set) var head: HTTPRequestHead?
    private(set) var hasSeenEnd = false
    private var isFirst = true

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isFirst else { return context.fireChannelRead(data) }
        switch unwrapInboundIn(data) {
        case .head(var head):
            guard head.headers.contains(name: "upgrade") else {
                isFirst = false
                return context.fireChannelRead(data)
            }
            let isOurs =
                head.method == .GET
                && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
                && !head.headers.contains(name: "transfer-encoding")
                && (head.headers.first(name: "content-length") ?? "0") == "0"
            if isOurs {
                self.head = head
            } else {
                // RFC 9110 7.8: a server may ignore Upgrade. NIO would fail on `h2c` and on bodies.
                head.headers.remove(name: "upgrade")
                isFirst = false
            }
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .end:
            hasSeenEnd = true
            isFirst = false
            context.fireChannelRead(data)
        case .body: context.fireChannelRead(data)
        }
    }
}

/// Gives the kept head to the HTTP handlers after it.
final class UpgradeHeadReplay: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func replay(_ keeper: UpgradeHeadKeeper) {
        guard let context, let head = keeper.head else { return }
        context.fireChannelRead(wrapInboundOut(.head(head)))
        if keeper.hasSeenEnd { context.fireChannelRead(wrapInboundOut(.end(nil))) }
        context.fireChannelReadComplete()
    }
}
