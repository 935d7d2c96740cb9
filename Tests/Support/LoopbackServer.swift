private import Foundation
private import Synchronization

/// An HTTP/1.1 server on a free loopback port that answers as a closure says: the outside world in tests.
///
/// One thread a connection, one request a connection. `@unchecked`: the descriptor is set once in `init`.
public final class LoopbackServer: @unchecked Sendable {
    public struct Request: Sendable {
        public var method: String
        /// Path and query.
        public var target: String
        /// Names in lower case.
        public var headers: [String: String]
        public var body: [UInt8]
    }

    public struct Reply: Sendable {
        public var status: Int
        public var headers: [String: String]
        public var body: [UInt8]
        /// Hang up after so many bytes of the body, whatever the announced length.
        public var cutAfter: Int?
        /// Never answer; wait for the peer to hang up.
        public var hangs = false

        public init(_ status: Int = 200, headers: [String: String] = [:], body: [UInt8], cutAfter: Int? = nil) {
            self.status = status
            self.headers = headers
            self.body = body
            self.cutAfter = cutAfter
        }

        public init(_ status: Int = 200, headers: [String: String] = [:], _ text: String = "", cutAfter: Int? = nil) {
            self.init(status, headers: headers, body: Array(text.utf8), cutAfter: cutAfter)
        }

        public static let hang: Reply = {
            var reply = Reply()
            reply.hangs = true
            return reply
        }()
    }

    public enum Failure: Error { case cannotListen(errno: Int32) }

    public let port: Int
    public var url: String { "http://127.0.0.1:\(port)" }
    /// Requests as they arrive, and a mark when the peer of a hanging one has hung up.
    public let requests: AsyncStream<Request>
    public let hangUps: AsyncStream<Void>

    private let descriptor: Int32
    private let requestSink: AsyncStream<Request>.Continuation
    private let hangUpSink: AsyncStream<Void>.Continuation
    private let handler: @Sendable (Request) -> Reply
    private let counter = Atomic(0)
    private let isStopped = Atomic(false)

    /// Requests answered so far.
    public var count: Int { counter.load(ordering: .acquiring) }

    public init(_ handler: @escaping @Sendable (Request) -> Reply) throws {
        self.handler = handler
        (requests, requestSink) = AsyncStream.makeStream()
        (hangUps, hangUpSink) = AsyncStream.makeStream()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw Failure.cannotListen(errno: errno) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let peer = accept(descriptor, nil, nil)
                // The descriptor is closed here and nowhere else: its number may belong to somebody else the moment it is.
                guard peer >= 0 else {
                    close(descriptor)
                    return
                }
                guard let server = self else {
                    close(peer)
                    close(descriptor)
                    return
                }
                Thread.detachNewThread { server.serve(peer) }
            }
        }
    }

    deinit { stop() }

    /// Refuses connections from now on.
    public func stop() {
        guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        shutdown(descriptor, Int32(SHUT_RDWR))
        requestSink.finish()
        hangUpSink.finish()
    }

    private func serve(_ peer: Int32) {
        defer { close(peer) }
        guard let request = Self.read(peer) else { return }
        let reply = handler(request)
        counter.add(1, ordering: .acquiringAndReleasing)
        requestSink.yield(request)
        if reply.hangs {
            var byte: UInt8 = 0
            while recv(peer, &byte, 1, 0) > 0 {}
            hangUpSink.yield()
            return
        }
        var head = "HTTP/1.1 \(reply.status) Reply\r\nContent-Length: \(reply.body.count)\r\nConnection: close\r\n"
        for (name, value) in reply.headers { head += "\(name): \(value)\r\n" }
        var bytes = Array((head + "\r\n").utf8) + reply.body.prefix(reply.cutAfter ?? reply.body.count)
        while !bytes.isEmpty {
            let sent = send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            guard sent > 0 else { return }
            bytes.removeFirst(sent)
        }
    }

    private static func read(_ peer: Int32) -> Request? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let gap = Array("\r\n\r\n".utf8)
        while true {
            if let end = bytes.firstRange(of: gap) {
                let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
                let start = lines[0].split(separator: " ").map { String($0) }
                guard start.count == 3 else { return nil }
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                    headers[line[..<colon].lowercased()] = value
                }
                let length = headers["content-length"].flatMap { Int($0) } ?? 0
                if bytes.count - end.upperBound >= length {
                    let body = Array(bytes[end.upperBound..<end.upperBound + length])
                    return Request(method: start[0], target: start[1], headers: headers, body: body)
                }
            }
            let count = recv(peer, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
        }
    }
}
