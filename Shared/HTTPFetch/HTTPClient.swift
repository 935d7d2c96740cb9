/// libcurl as an asynchronous client: one multi handle on one thread serves any number of concurrent requests.
///
/// HTTPS only, but for loopback and hosts named in the configuration. Redirects are answers, never followed.
/// Cancelling the calling task aborts its transfer.
///
/// ```swift
/// let client = HTTPClient()
/// let answer = try await client.fetch(HTTPRequest(.get, "http://127.0.0.1:9080/readyz"))
/// ```
public final class HTTPClient: Sendable {
    /// What holds for all requests of a client.
    public struct Configuration: Sendable {
        public var userAgent = "ballast/0.1"
        /// Hosts, besides loopback, to which plain `http:` may go.
        public var insecureHosts: Set<String> = []
        /// Connections kept to one host; HTTP/2 hosts multiplex over one.
        public var connectionsPerHost = 8

        public init() {}
    }

    private let configuration: Configuration
    private let engine: CurlEngine

    public init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
        engine = CurlEngine(connectionsPerHost: configuration.connectionsPerHost)
    }

    deinit { engine.close() }

    /// Makes one exchange: no retries, no rate limit. Answers of every status are returned.
    public func fetch(_ request: HTTPRequest) async throws(FetchError) -> HTTPResponse {
        let address = try HTTPAddress(request.url)
        guard address.scheme == "https" || address.isLoopback || configuration.insecureHosts.contains(address.host)
        else {
            throw .insecureAddress(host: address.host)
        }
        try request.checkHeaders()
        let transfer = CurlTransfer(request: request, address: address, userAgent: configuration.userAgent)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                engine.start(transfer, continuation)
            }
        } onCancel: {
            engine.cancel(transfer)
        }
        return try result.get()
    }
}

extension HTTPRequest {
    /// A line break in a header would be a second header: refused, not escaped.
    fileprivate func checkHeaders() throws(FetchError) {
        for header in headers {
            let isToken =
                !header.name.isEmpty
                && header.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
            let isLine = header.value.utf8.allSatisfy { $0 != 0 && $0 != 0x0a && $0 != 0x0d }
            guard isToken, isLine else {
                throw .invalidRequest(reason: "malformed header \(header.name.debugDescription)")
            }
        }
    }
}
