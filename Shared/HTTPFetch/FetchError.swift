/// Why no answer came back. Safe to show: no header, key or query string is in it.
public enum FetchError: Error, Sendable, Equatable {
    /// The request itself cannot be sent: malformed address, foreign scheme, line break in a header.
    case invalidRequest(reason: String)
    /// Plain `http:` to a host that is neither loopback nor allowed.
    case insecureAddress(host: String)
    /// No complete answer within the request's time limits.
    case timedOut(host: String)
    /// Name resolution or connection failed, or the peer hung up before answering.
    case unreachable(host: String, reason: String)
    /// TLS failed, certificate checks included.
    case untrusted(host: String, reason: String)
    /// The body ended before its announced end.
    case truncated(host: String, received: Int)
    /// The body or the header block is larger than allowed.
    case tooLarge(host: String, limit: Int)
    /// The circuit breaker refuses the host for now.
    case circuitOpen(host: String, remaining: Duration)
    /// The task was cancelled; the transfer is aborted.
    case cancelled
    /// The client was closed.
    case closed
    /// Anything else libcurl reports, with its `CURLcode`.
    case transport(host: String, code: Int, reason: String)

    /// Whether the same request may succeed a little later.
    public var isTransient: Bool {
        switch self {
        case .timedOut, .unreachable, .truncated, .transport: true
        case .invalidRequest, .insecureAddress, .untrusted, .tooLarge, .circuitOpen, .cancelled, .closed: false
        }
    }
}

extension FetchError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidRequest(let reason): "the request cannot be sent: \(reason)"
        case .insecureAddress(let host): "plain HTTP to \(host) is not allowed"
        case .timedOut(let host): "\(host) did not answer in time"
        case .unreachable(let host, let reason): "\(host) cannot be reached: \(reason)"
        case .untrusted(let host, let reason): "the TLS connection to \(host) failed: \(reason)"
        case .truncated(let host, let received): "the answer of \(host) was cut after \(received) bytes"
        case .tooLarge(let host, let limit): "the answer of \(host) is larger than \(limit) bytes"
        case .circuitOpen(let host, let remaining): "\(host) is left alone for another \(remaining)"
        case .cancelled: "cancelled"
        case .closed: "the HTTP client is closed"
        case .transport(let host, let code, let reason): "the exchange with \(host) failed: \(reason) (curl \(code))"
        }
    }
}
