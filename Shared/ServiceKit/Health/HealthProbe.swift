import NIOCore
import NIOPosix

/// Asks a service's operations port, for the subcommand `health` and for `ballast status`: a GET without any HTTP library.
public enum HealthProbe {
    public struct Answer: Sendable, Equatable {
        public var status: Int
        public var body: String
        public init(status: Int, body: String) {
            self.status = status
            self.body = body
        }
    }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// The answer to `GET path`. Throws where there is none within `timeout` or it is not HTTP.
    public static func get(
        host: String, port: Int, path: String, timeout: Duration = .seconds(3)
    ) async throws -> Answer {
        try await withTimeLimit(timeout) {
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(2))
            let channel = try await bootstrap.connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
            return try await channel.executeThenClose { inbound, outbound in
                let host = host.contains(":") ? "[\(host)]" : host
                let request = "GET \(path) HTTP/1.1\r\nHost: \(host):\(port)\r\nConnection: close\r\n\r\n"
                try await outbound.write(ByteBuffer(string: request))
                var received: [UInt8] = []
                for try await buffer in inbound {
                    received += buffer.readableBytesView
                    if received.count > 4 << 20 { break }
                }
                return try parse(String(decoding: received, as: UTF8.self))
            }
        }
    }

    /// Whether `/readyz` answers 200. An address that means every interface is asked on loopback.
    public static func isReady(host: String, port: Int) async -> Bool {
        let host =
            switch host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "::1"
            default: host
            }
        return (try? await get(host: host, port: port, path: "/readyz").status) == 200
    }

    /// Our own ops server sends bodies of known length, so there is no chunked form to undo.
    private static func parse(_ text: String) throws -> Answer {
        guard let end = text.firstRange(of: "\r\n\r\n"),
            let status = text.prefix(while: { !$0.isNewline }).split(separator: " ").dropFirst().first.flatMap({
                Int($0)
            })
        else { throw Failure(description: "no HTTP answer") }
        return Answer(status: status, body: String(text[end.upperBound...]))
    }
}
