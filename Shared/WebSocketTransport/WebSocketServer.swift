import HTTPTypes
public import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket
import Synchronization

/// The request that asks for an upgrade.
public struct WebSocketUpgradeRequest: Sendable {
    /// Path without the query, as sent.
    public let path: String
    /// Query parameters, decoded, in order.
    public let query: [(name: String, value: String)]
    /// Header fields, in order.
    public let headers: [(name: String, value: String)]
    /// The peer's address and port, for the log.
    public let peer: String

    /// The first value of a header field, by its name in any case.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The first value of a query parameter.
    public func parameter(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }
}

/// What to do with a request that asks for an upgrade.
public enum WebSocketUpgradeDecision: Sendable {
    /// Not ours: the HTTP router answers.
    case passToHTTP
    /// Answered with this status and JSON body; an empty body is allowed.
    case refuse(status: Int, json: String)
    /// Upgraded; the closure owns the connection, and the connection is closed (1000) when it returns.
    case accept(@Sendable (WebSocketConnection) async -> Void)
}

/// A WebSocket server beside HTTP on one port.
public enum WebSocketServer {
    /// Builds a Hummingbird server whose connections may be upgraded.
    /// - Parameters:
    ///   - configuration: limits.
    ///   - decide: called for each upgrade request, on the cooperative pool; look at path, origin and credentials here.
    ///     It is waited for before the answer is sent.
    public static func builder(
        configuration: WebSocketConfiguration = .init(),
        decide: @escaping @Sendable (WebSocketUpgradeRequest) async -> WebSocketUpgradeDecision
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            UpgradableChannel(responder: responder, configuration: configuration, decide: decide)
        }
    }
}

/// A connection that is HTTP until its first request asks for more.
struct UpgradableChannel: ServerChildChannel {
    typealias AsyncHTTP = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    enum Outcome: Sendable {
        case webSocket(WebSocketConnection)
        case http(AsyncHTTP)
    }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let outcome: EventLoopFuture<Outcome>
        let decision: Decision
    }

    /// The decision on this connection's first request.
    final class Decision: Sendable {
        private let value = Mutex<WebSocketUpgradeDecision>(.passToHTTP)

        func set(_ decision: WebSocketUpgradeDecision) { value.withLock { $0 = decision } }

        func take() -> WebSocketUpgradeDecision {
            value.withLock { value in
                defer { value = .passToHTTP }
                return value
            }
        }
    }

    let responder: HTTPChannelHandler.Responder
    let configuration: WebSocketConfiguration
    let decide: @Sendable (WebSocketUpgradeRequest) async -> WebSocketUpgradeDecision

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let decision = Decision()
            let (configuration, decide) = (self.configuration, self.decide)
            let upgrader = NIOTypedWebSocketServerUpgrader<Outcome>(
                maxFrameSize: configuration.maximumMessageSize,
                enableAutomaticErrorHandling: false,
                shouldUpgrade: { channel, head in
                    let request = WebSocketUpgradeRequest(head: head, channel: channel)
                    return channel.eventLoop.makeFutureWithTask {
                        let answer = await decide(request)
                        decision.set(answer)
                        guard case .accept = answer else { return nil }
                        return HTTPHeaders()
                    }
                },
                upgradePipelineHandler: { channel, _ in
                    channel.eventLoop.makeCompletedFuture {
                        .webSocket(
                            try WebSocketHandler.install(on: channel, configuration: configuration, isClient: false))
                    }
                })
            let keeper = NIOLoopBound(UpgradeHeadKeeper(), eventLoop: channel.eventLoop)
            let outcome = try Self.install(
                channel, keeper: keeper.value,
                upgrade: NIOTypedHTTPServerUpgradeConfiguration<Outcome>(
                    upgraders: [upgrader],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try Self.continueAsHTTP(channel, keeper.value, configuration, logger)
                        }
                    }))
            let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(configuration.handshakeTimeout)) {
                channel.close(promise: nil)
            }
            outcome.whenComplete { _ in deadline.cancel() }
            return Value(channel: channel, outcome: outcome, decision: decision)
        }
    }

    /// NIO's pipeline for upgrades with our handler in between; no pipelining handler, as in Hummingbird, which reads one
    /// request after the other by itself.
    private static func install(
        _ channel: any Channel, keeper: UpgradeHeadKeeper, upgrade: NIOTypedHTTPServerUpgradeConfiguration<Outcome>
    ) throws -> EventLoopFuture<Outcome> {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 << 10
        limits.maxHeaderListSize = 64 << 10
        limits.maxHeaderFieldCount = 200
        let encoder = HTTPResponseEncoder()
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        let errors = HTTPServerProtocolErrorHandler()
        let upgrader = NIOTypedHTTPServerUpgradeHandler(
            httpEncoder: encoder, extraHTTPHandlers: [decoder, errors, keeper], upgradeConfiguration: upgrade)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(encoder)
        try pipeline.addHandler(decoder)
        try pipeline.addHandler(errors)
        try pipeline.addHandler(keeper)
        try pipeline.addHandler(upgrader)
        return upgrader.upgradeResultFuture
    }

    private static func continueAsHTTP(
        _ channel: any Channel, _ keeper: UpgradeHeadKeeper, _ configuration: WebSocketConfiguration, _ logger: Logger
    ) throws -> Outcome {
        let pipeline = channel.pipeline.syncOperations
        let replay = UpgradeHeadReplay()
        try pipeline.addHandler(replay)
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: configuration.httpIdleTimeout, logger: logger))
        let http = try AsyncHTTP(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        replay.replay(keeper)
        return .http(http)
    }

    func handle(value: Value, logger: Logger) async {
        switch try? await value.outcome.get() {
        case .webSocket(let connection):
            guard case .accept(let handler) = value.decision.take() else { return connection.close(code: 1011) }
            await handler(connection)
            connection.close(code: WebSocketCloseCode.normal)
            await connection.closed()
        case .http(let channel):
            let (responder, decision) = (self.responder, value.decision)
            await HTTP1Channel(responder: { request, writer, channel in
                guard case .refuse(let status, let json) = decision.take() else {
                    return try await responder(request, writer, channel)
                }
                var head = HTTPResponse(status: .init(code: status))
                head.headerFields[.contentType] = json.isEmpty ? nil : "application/json; charset=utf-8"
                head.headerFields[.contentLength] = String(json.utf8.count)
                try await writer.write(response: head, body: .init(byteBuffer: ByteBuffer(string: json)))
            }).handle(value: channel, logger: logger)
        case nil:
            value.channel.close(promise: nil)
        }
    }
}

extension WebSocketUpgradeRequest {
    init(head: HTTPRequestHead, channel: any Channel) {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.path = String(parts.first ?? "")
        self.query = parts.count > 1 ? FormEncoding.decode(parts[1]) : []
        self.headers = head.headers.map { ($0.name, $0.value) }
        self.peer = channel.remoteAddress?.description ?? "unknown"
    }
}
