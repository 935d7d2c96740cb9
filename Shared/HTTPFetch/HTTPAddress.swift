private import CLibCurl
private import CLibCurlSystem

/// The parts of an address that decide whether and how fast it may be asked.
///
/// Taken apart by libcurl's own parser, so that the host checked is the host contacted.
public struct HTTPAddress: Sendable, Equatable {
    /// `http` or `https`.
    public let scheme: String
    /// Lower case; an IPv6 address without its brackets.
    public let host: String
    public let port: Int

    public init(_ url: String) throws(FetchError) {
        guard !url.utf8.contains(0), let handle = curl_url() else { throw .invalidRequest(reason: "malformed address") }
        defer { curl_url_cleanup(handle) }
        guard curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK else {
            throw .invalidRequest(reason: "malformed address")
        }
        func part(_ what: CURLUPart, _ flags: UInt32 = 0) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            guard curl_url_get(handle, what, &text, flags) == CURLUE_OK, let text else { return nil }
            defer { curl_free(text) }
            return String(cString: text)
        }
        guard let scheme = part(CURLUPART_SCHEME), scheme == "http" || scheme == "https" else {
            throw .invalidRequest(reason: "the address is not http or https")
        }
        guard part(CURLUPART_USER) == nil, part(CURLUPART_PASSWORD) == nil else {
            throw .invalidRequest(reason: "credentials belong in headers, not in the address")
        }
        let defaultPort: UInt32 = 1 << 0  // CURLU_DEFAULT_PORT, a macro
        guard let host = part(CURLUPART_HOST), !host.isEmpty,
            let port = part(CURLUPART_PORT, defaultPort).flatMap({ Int($0) })
        else { throw .invalidRequest(reason: "the address has no host") }
        self.scheme = scheme
        self.host = host.lowercased().trimmingBrackets()
        self.port = port
    }

    /// Whether the host is this machine by its very name.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let bytes = host.split(separator: ".", omittingEmptySubsequences: false)
        return bytes.count == 4 && bytes[0] == "127" && bytes.allSatisfy { UInt8($0) != nil }
    }

    /// What rate limits and breakers are kept under.
    public var authority: String { "\(host):\(port)" }
}

extension String {
    fileprivate func trimmingBrackets() -> String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
    }
}
