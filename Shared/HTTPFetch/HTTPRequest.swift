/// One HTTP exchange to make: method, address, headers and body, with its own time and size limits.
public struct HTTPRequest: Sendable {
    /// The methods that Ballast's clients use.
    public enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    public var method: Method
    /// An absolute `https:` address, or `http:` where `HTTPClient` allows the host.
    public var url: String
    public var headers: [HTTPHeader]
    /// Sent as it is; `content-type` is the caller's header.
    public var body: [UInt8]?
    /// The longest wait for name resolution, connection and TLS together.
    public var connectTimeout: Duration = .seconds(5)
    /// The longest wait for the whole exchange.
    public var timeout: Duration = .seconds(30)
    /// The largest body accepted, in bytes after decompression.
    public var bodyLimit = 32 << 20

    public init(_ method: Method = .get, _ url: String, headers: [HTTPHeader] = [], body: [UInt8]? = nil) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// A header field. Names compare without regard to case.
public struct HTTPHeader: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
