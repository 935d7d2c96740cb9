import NIOCore
import NIOHTTP1
import WireFormat

/// What a server answers as soon as a request has come, before it is routed: what is refused under overload, where the refused are many, and answers that
/// are ready. The way through the router, its tasks and its middleware costs several times what reading and answering such a request does.
public struct EarlyAnswer: Sendable {
    /// What becomes of a request.
    public enum Decision: Sendable {
        /// It goes its way.
        case pass
        case refuse(ReadyProblem)
        case reply(Reply)
        /// `ask` calls what it is given once, at any time, from any thread: then the reply is made, where the word was true and there is one, or
        /// the request goes its way.
        case replyLater(ask: @Sendable (@escaping @Sendable (Bool) -> Void) -> Void, make: @Sendable () -> Reply?)
    }

    /// The head of a request, as it came: nothing of it has been taken apart yet, which would cost more than most answers here.
    public struct Head: Sendable {
        fileprivate let head: HTTPRequestHead

        init(_ head: HTTPRequestHead) { self.head = head }

        /// A head of one's own making, for tests.
        public init(post path: String, _ fields: [(name: String, value: String)]) {
            head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: HTTPHeaders(fields))
        }

        public var isPost: Bool { head.method == .POST }
        /// Path and query as they came.
        public var path: String { head.uri }
        /// Whether the client takes the answer for the last one of the connection.
        var closes: Bool { !head.isKeepAlive }
        /// Older versions have other rules of what follows an answer.
        var isHTTP11: Bool { head.version == .http1_1 }

        /// The value of a field; of several with the name all, joined as RFC 9110 section 5.3 has it.
        public subscript(name: StaticString) -> String? {
            var found: String?
            for field in head.headers where Self.isEqual(field.name, name) {
                found = found.map { $0 + ", " + field.value } ?? field.value
            }
            return found
        }

        /// Whether a field's name is the wanted one, in any case.
        private static func isEqual(_ name: String, _ wanted: StaticString) -> Bool {
            guard name.utf8.count == wanted.utf8CodeUnitCount else { return false }
            return unsafe zip(name.utf8, UnsafeBufferPointer(start: wanted.utf8Start, count: wanted.utf8CodeUnitCount))
                .allSatisfy { $0 | 0x20 == $1 | 0x20 }
        }
    }

    /// A request that has come whole.
    public struct Arrival: Sendable {
        public var head: Head
        public var body: [UInt8]
        /// The caller's own identifier, or a new one.
        public var requestID: String
        /// When its head came.
        public var since: ContinuousClock.Instant

        public init(head: Head, body: [UInt8], requestID: String, since: ContinuousClock.Instant) {
            self.head = head
            self.body = body
            self.requestID = requestID
            self.since = since
        }
    }

    /// A 200. Length, date, request id and trace are put in by the server.
    public struct Reply: Sendable {
        /// The service's own: nothing of a caller's goes in here.
        public var fields: [(name: String, value: String)]
        public var body: [UInt8]

        public init(fields: [(name: String, value: String)], body: [UInt8]) {
            self.fields = fields
            self.body = body
        }
    }

    /// Whether a request with this head might be answered early: then its body is waited for.
    public var concerns: @Sendable (Head) -> Bool
    public var decide: @Sendable (Arrival) -> Decision

    public init(concerns: @escaping @Sendable (Head) -> Bool, decide: @escaping @Sendable (Arrival) -> Decision) {
        self.concerns = concerns
        self.decide = decide
    }
}
