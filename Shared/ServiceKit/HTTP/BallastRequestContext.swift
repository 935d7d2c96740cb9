public import Hummingbird
public import Logging
public import WireFormat

/// What is known of a request while it is answered.
public struct BallastRequestContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    /// Answered in X-Request-ID, in problems and in each log line.
    public var requestID: String
    /// The trace that the request belongs to; in each log line, and in the answer's traceparent.
    public var trace: TraceContext
    /// Who asks; nil before authentication and on open paths.
    public var principal: Principal?
    /// For endpoints that stop when the client leaves; nil where there is no connection.
    public let client: ClientPresence?
    /// Fields for the answer, whatever it becomes.
    public let answerHeaders = AnswerHeaders()
    /// What middleware near the endpoint has to tell the outer one.
    let outcome = RequestOutcome()
    public var maxUploadSize: Int { BodyLimits.standard }

    public init(source: ApplicationRequestContextSource) {
        self.init(logger: source.logger)
    }

    /// A context without a connection, for tests and for calls from inside the process.
    public init(logger: Logger) {
        coreContext = CoreRequestContextStorage(source: LoggerSource(logger: logger))
        client = .current
        requestID = RequestIdentifier.make()
        trace = .none
        coreContext.endpointPath.value = nil
    }

    /// The caller, if its credentials carry the scope.
    public func authorized(for scope: Scope) throws(Problem) -> Principal {
        guard let principal else {
            throw Problem(.noCredentials, "Send an API key or a token in the header Authorization.")
        }
        guard principal.allows(scope) else {
            throw Problem(.missingScope, "The scope \(scope.rawValue) is required.")
        }
        return principal
    }

    private struct LoggerSource: RequestContextSource {
        let logger: Logger
    }
}

/// Most bytes of bodies.
public enum BodyLimits {
    /// 1 MiB.
    public static let standard = 1 << 20
}

/// Identifiers of requests.
enum RequestIdentifier {
    /// Crockford's alphabet.
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// A ULID: 48 bits of milliseconds, 80 random bits; sorts by time.
    static func make() -> String {
        let milliseconds = UInt64(max(0, WallClock.now.microsecondsSinceEpoch / 1000))
        let random = (RandomWords.next(), RandomWords.next())
        var text: [UInt8] = []
        text.reserveCapacity(26)
        for n in 0..<10 { text.append(alphabet[Int(milliseconds >> UInt64(45 - 5 * n) & 31)]) }
        for n in 0..<8 { text.append(alphabet[Int(random.0 >> UInt64(5 * n) & 31)]) }
        for n in 0..<8 { text.append(alphabet[Int(random.1 >> UInt64(5 * n) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// A caller's own identifier is taken where it is 8 to 64 letters, digits, dots, dashes or underscores.
    static func isAcceptable(_ text: String) -> Bool {
        (8...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
