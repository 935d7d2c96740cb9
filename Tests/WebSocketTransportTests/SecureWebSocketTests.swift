import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import WebSocketTransport

/// A certificate for `localhost`, made by openssl for this run.
private struct TestCertificate {
    let certificate: String
    let key: String
    private let folder: URL

    static let openssl = ["/usr/bin/openssl", "/usr/local/bin/openssl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appending(path: "certificate.pem").path
        key = folder.appending(path: "key.pem").path
        let process = Process()
        process.executableURL = URL(filePath: try #require(Self.openssl))
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }
}

/// Takes TLS off and passes the bytes on to a plain port, as a proxy does.
private enum SecureProxy {
    final class Glue: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let other: any Channel
        init(_ other: any Channel) { self.other = other }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    static func start(_ certificate: TestCertificate, to port: Int) async throws -> any Channel {
        let chain = try NIOSSLCertificate.fromPEMFile(certificate.certificate).map {
            NIOSSLCertificateSource.certificate($0)
        }
        let key = try NIOSSLPrivateKey(file: certificate.key, format: .pem)
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key)))
        return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { inbound in
                // Bytes that come before the way on is open wait.
                inbound.setOption(.autoRead, value: false).flatMap {
                    ClientBootstrap(group: inbound.eventLoop).connect(host: "127.0.0.1", port: port)
                }.flatMapThrowing { outbound in
                    try inbound.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try inbound.pipeline.syncOperations.addHandler(Glue(outbound))
                    try outbound.pipeline.syncOperations.addHandler(Glue(inbound))
                }.flatMap { inbound.setOption(.autoRead, value: true) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }
}

@Suite(
    "WebSockets over TLS", .timeLimit(.minutes(1)),
    .enabled(if: TestCertificate.openssl != nil, "no openssl to make a certificate with"))
struct SecureWebSocketTests {
    @Test func `messages pass where the server proves its name, and nothing where it does not`() async throws {
        let certificate = try TestCertificate()
        defer { certificate.remove() }
        let file = certificate.certificate
        try await WebSocketTransportTests.withServer(WebSocketTransportTests.echo) { port in
            let proxy = try await SecureProxy.start(certificate, to: port)
            let secure = proxy.localAddress?.port ?? 0
            var configuration = WebSocketConfiguration()
            configuration.certificateAuthorities = file
            let connection = try await WebSocketClient.connect(
                to: "wss://localhost:\(secure)/socket?key=a%20b", configuration: configuration)
            connection.send("é")
            connection.send(binary: Array(repeating: 7, count: 300_000))
            var messages = connection.messages.makeAsyncIterator()
            #expect(await messages.next() == .text("é"))
            #expect(await messages.next() == .binary(Array(repeating: 7, count: 300_000)))
            connection.close(code: WebSocketCloseCode.normal)
            await connection.closed()
            // Nobody vouches for the certificate; and it is not one of this address.
            await #expect(throws: WebSocketClientError.self) {
                try await WebSocketClient.connect(to: "wss://localhost:\(secure)/socket?key=a%20b")
            }
            await #expect(throws: WebSocketClientError.self) {
                try await WebSocketClient.connect(
                    to: "wss://127.0.0.1:\(secure)/socket?key=a%20b", configuration: configuration)
            }
            // A plain server is none.
            await #expect(throws: WebSocketClientError.self) {
                try await WebSocketClient.connect(
                    to: "wss://localhost:\(port)/socket?key=a%20b", configuration: configuration)
            }
            try await proxy.close()
        }
    }
}
