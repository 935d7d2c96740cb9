import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// Why a client got no WebSocket.
public enum WebSocketClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Not `ws://host[:port]/path` or `wss://host[:port]/path`.
    case invalidURL(String)
    /// No connection, or no answer within ``WebSocketConfiguration/handshakeTimeout``.
    case unreachable(String)
    /// The server answered the upgrade with this status and the beginning of this body.
    case refused(status: Int, body: String)

    /// Safe to show: contains neither query nor credentials.
    public var description: String {
        switch self {
        case .invalidURL(let why): "invalid WebSocket URL: \(why)"
        case .unreachable(let why): "WebSocket server not reached: \(why)"
        case .refused(let status, let body): "WebSocket upgrade refused: \(status) \(body)"
        }
    }
}

/// Opens WebSockets.
public enum WebSocketClient {
    /// Connects and upgrades; with `wss` over TLS, where the server has to prove that it is the host.
    /// - Parameters:
    ///   - url: `ws://host[:port][/path][?query]` or `wss://...`, already percent-encoded.
    ///   - headers: further header fields, as `Authorization`.
    ///   - configuration: limits of the connection.
    /// - Returns: the open connection; its owner closes it.
    public static func connect(
        to url: String, headers: [(String, String)] = [], configuration: WebSocketConfiguration = .init()
    ) async throws(WebSocketClientError) -> WebSocketConnection {
        let target = try WebSocketURL(url)
        do {
            return try await open(target, headers, configuration)
        } catch let error as WebSocketClientError {
            throw error
        } catch {
            throw .unreachable("\(target.host):\(target.port): \(error)")
        }
    }

    private static func open(
        _ target: WebSocketURL, _ headers: [(String, String)], _ configuration: WebSocketConfiguration
    ) async throws -> WebSocketConnection {
        let timeout = TimeAmount(configuration.handshakeTimeout)
        let security = try target.isSecure ? securityContext(configuration) : nil
        let upgraded = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: target.host, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let security {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: security, serverHostname: target.serverName))
                    }
                    return try upgrade(channel, target, headers, configuration, timeout)
                }
            }
        return try await withTaskCancellationHandler {
            switch try await upgraded.result.get() {
            case .open(let connection): return connection
            case .refused(let answer): throw try await answer.get()
            }
        } onCancel: {
            upgraded.channel.close(promise: nil)
        }
    }

    private static func securityContext(_ configuration: WebSocketConfiguration) throws -> NIOSSLContext {
        var security = TLSConfiguration.makeClientConfiguration()
        security.minimumTLSVersion = .tlsv12
        security.applicationProtocols = ["http/1.1"]
        if let file = configuration.certificateAuthorities {
            security.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(file))]
        }
        return try NIOSSLContext(configuration: security)
    }

    private struct Upgrading: Sendable {
        let channel: any Channel
        let result: EventLoopFuture<Outcome>
    }

    private enum Outcome: Sendable {
        case open(WebSocketConnection)
        /// The answer is read after the upgrade has been given up: its parts are held back until then.
        case refused(EventLoopFuture<WebSocketClientError>)
    }

    private static func upgrade(
        _ channel: any Channel, _ target: WebSocketURL, _ headers: [(String, String)],
        _ configuration: WebSocketConfiguration, _ timeout: TimeAmount
    ) throws -> Upgrading {
        var fields = HTTPHeaders([("Host", target.authority)])
        fields.add(contentsOf: headers)
        let upgrader = NIOTypedWebSocketClientUpgrader<Outcome>(
            maxFrameSize: configuration.maximumMessageSize,
            enableAutomaticErrorHandling: false,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    .open(try WebSocketHandler.install(on: channel, configuration: configuration, isClient: true))
                }
            })
        var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(
            upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration<Outcome>(
                upgradeRequestHead: HTTPRequestHead(version: .http1_1, method: .GET, uri: target.path, headers: fields),
                upgraders: [upgrader],
                notUpgradingCompletionHandler: { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let answer = channel.eventLoop.makePromise(of: WebSocketClientError.self)
                        try channel.pipeline.syncOperations.addHandler(RefusalReader(answer))
                        return .refused(answer.futureResult)
                    }
                }))
        pipeline.leftOverBytesStrategy = .forwardBytes  // frames may come with the last byte of the handshake
        let result = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
        let deadline = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        result.whenComplete { outcome in
            switch outcome {
            case .success(.open): deadline.cancel()
            case .success(.refused(let answer)):
                answer.whenComplete { _ in
                    deadline.cancel()
                    channel.close(promise: nil)
                }
            case .failure:
                deadline.cancel()
                channel.close(promise: nil)
            }
        }
        return Upgrading(channel: channel, result: result)
    }
}

/// Reads the answer of a server that did not upgrade.
private final class RefusalReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let answer: EventLoopPromise<WebSocketClientError>
    private var status = 0
    private var body = ""

    init(_ answer: EventLoopPromise<WebSocketClientError>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let bytes): if body.utf8.count < 4096 { body += String(buffer: bytes).utf8Prefix(4096) }
        case .end: answer.succeed(.refused(status: status, body: body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(.refused(status: status, body: body))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
    }
}

/// The parts of a `ws://` or `wss://` URL.
struct WebSocketURL: Equatable {
    let isSecure: Bool
    let host: String
    let port: Int
    let path: String  // with the query

    /// `host`, with the port when it is not the scheme's.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The name that TLS asks for; addresses have none, and are checked as such.
    var serverName: String? { (try? SocketAddress(ipAddress: host, port: port)) == nil ? host : nil }

    init(_ text: String) throws(WebSocketClientError) {
        let scheme = text.lowercased().hasPrefix("wss://") ? "wss://" : "ws://"
        guard text.lowercased().hasPrefix(scheme) else { throw .invalidURL("it has to begin with ws:// or wss://") }
        isSecure = scheme == "wss://"
        let rest = text.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        let tail = rest[end...]
        guard tail.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw .invalidURL("the path is not percent-encoded")
        }
        path = tail.isEmpty ? "/" : tail.first == "?" ? "/" + tail : String(tail)
        let portText: Substring
        if authority.first == "[", let bracket = authority.firstIndex(of: "]") {
            host = String(authority[authority.index(after: authority.startIndex)..<bracket])
            portText = authority[authority.index(after: bracket)...]
        } else {
            let colon = authority.firstIndex(of: ":") ?? authority.endIndex
            host = String(authority[..<colon])
            portText = authority[colon...]
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "@") }) else {
            throw .invalidURL("no host")
        }
        if portText.isEmpty {
            port = isSecure ? 443 : 80
        } else {
            guard portText.first == ":", let number = Int(portText.dropFirst()), (1...65535).contains(number) else {
                throw .invalidURL("invalid port")
            }
            port = number
        }
    }
}
