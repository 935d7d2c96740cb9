/// What kind of answer came.
public enum AnswerClass: Sendable, Equatable {
    case rows
    /// Valid, and nothing in it.
    case empty
    case failed(SourceFailure)
}

/// One taxonomy for what all sources answer when they do not answer with rows.
public enum SourceErrorClass: String, Sendable, CaseIterable {
    case rateLimited = "rate_limited"
    case quotaExhausted = "quota_exhausted"
    case banned
    case blocked
    case auth
    case planLimit = "plan_limit"
    case notFound = "not_found"
    case badRequest = "bad_request"
    case clientBug = "client_bug"
    case notReady = "not_ready"
    case nodeUnhealthy = "node_unhealthy"
    case slotSkipped = "slot_skipped"
    case notAvailable = "not_available"
    case unsupported
    case upstream
    case schema

    /// Whether asking again soon can help.
    public var isRetryable: Bool {
        switch self {
        case .rateLimited, .banned, .notReady, .nodeUnhealthy, .upstream: true
        case .quotaExhausted, .blocked, .auth, .planLimit, .notFound, .badRequest, .clientBug, .slotSkipped,
            .notAvailable,
            .unsupported, .schema:
            false
        }
    }
}

/// A failed answer: its class, and what a person needs to know. Holds no key and no address.
public struct SourceFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public var errorClass: SourceErrorClass
    public var detail: String
    /// The wait the source asked for.
    public var retryAfterSeconds: Int?

    public init(_ errorClass: SourceErrorClass, _ detail: String, retryAfterSeconds: Int? = nil) {
        self.errorClass = errorClass
        self.detail = detail
        self.retryAfterSeconds = retryAfterSeconds
    }

    public var description: String { "\(errorClass.rawValue): \(detail)" }

    /// The failure that a status alone tells; nil for success.
    ///
    /// - Parameter quote: the body's own words, cut short.
    public init?(status: Int, quote: String, retryAfterSeconds: Int?) {
        let errorClass: SourceErrorClass
        switch status {
        case 200..<300: return nil
        case 401: errorClass = .auth
        case 403, 451: errorClass = .blocked
        case 404: errorClass = .notFound
        case 408, 425, 500...: errorClass = .upstream
        case 418: errorClass = .banned
        case 429: errorClass = .rateLimited
        case 413: errorClass = .clientBug
        default: errorClass = .badRequest
        }
        self.init(errorClass, "HTTP \(status): \(quote)", retryAfterSeconds: retryAfterSeconds)
    }
}

extension SourceAnswer {
    /// The first words of the body, printable, for messages.
    var quote: String {
        let text = String(decoding: body.prefix(200), as: UTF8.self)
        return String(text.unicodeScalars.map { $0.properties.isWhitespace || $0.value < 0x20 ? " " : Character($0) })
    }

    /// Whether the body is a web page, whatever the status says: a wall or a proxy answered, not the source.
    var isWebPage: Bool {
        let start = body.drop { $0 == 0x20 || (0x09...0x0d).contains($0) || $0 == 0xef || $0 == 0xbb || $0 == 0xbf }
        return start.first == UInt8(ascii: "<")
    }
}
