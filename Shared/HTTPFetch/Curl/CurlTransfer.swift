internal import CLibCurl
internal import CLibCurlSystem
internal import Synchronization

/// One exchange: an easy handle, and what it has received so far.
///
/// `@unchecked`: after `CurlEngine.start` only the engine's thread touches anything but `isCancelled`.
final class CurlTransfer: @unchecked Sendable {
    let isCancelled = Atomic(false)
    private(set) var handle: UnsafeMutableRawPointer?

    private let request: HTTPRequest
    private let address: HTTPAddress
    private let userAgent: String
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var headers: [HTTPHeader] = []
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var isTooLarge = false

    private static let headerLimit = 256 << 10

    init(request: HTTPRequest, address: HTTPAddress, userAgent: String) {
        self.request = request
        self.address = address
        self.userAgent = userAgent
    }

    /// Makes the easy handle and adds it to `multi`; nil when libcurl refuses.
    func attach(to multi: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        guard let handle = curl_easy_init() else { return nil }
        self.handle = handle
        guard configure(handle), curl_multi_add_handle(multi, handle) == CURLM_OK else {
            release()
            return nil
        }
        return handle
    }

    func detach(from multi: UnsafeMutableRawPointer) {
        if let handle { _ = curl_multi_remove_handle(multi, handle) }
        release()
    }

    private func release() {
        if let handle { curl_easy_cleanup(handle) }
        handle = nil
        curl_slist_free_all(headerList)
        headerList = nil
    }

    // MARK: Options

    private func configure(_ handle: UnsafeMutableRawPointer) -> Bool {
        var isAccepted = true
        func set(_ option: CURLoption, _ value: Int) {
            isAccepted = isAccepted && ballast_curl_set_long(handle, option, value) == CURLE_OK
        }
        func set(_ option: CURLoption, _ value: String) {
            isAccepted = isAccepted && ballast_curl_set_string(handle, option, value) == CURLE_OK
        }
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_ACCEPT_ENCODING, "")
        set(CURLOPT_USERAGENT, userAgent)
        set(CURLOPT_NOPROXY, "localhost,127.0.0.1,::1")
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.wholeMilliseconds)
        set(CURLOPT_TIMEOUT_MS, request.timeout.wholeMilliseconds)
        set(CURLOPT_LOW_SPEED_LIMIT, 64)
        set(CURLOPT_LOW_SPEED_TIME, 15)
        set(CURLOPT_PIPEWAIT, 1)
        switch request.method {
        case .get: set(CURLOPT_HTTPGET, 1)
        case .post: set(CURLOPT_POST, 1)
        case .put, .delete: set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
        if request.method != .get, let body = request.body ?? (request.method == .delete ? nil : []) {
            set(CURLOPT_POSTFIELDSIZE, body.count)
            var copy = body
            isAccepted =
                isAccepted
                && copy.withUnsafeMutableBytes {
                    // An empty array has no base address, and a null pointer would make libcurl read its own stdin.
                    $0.baseAddress.map { ballast_curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, $0) == CURLE_OK }
                        ?? (ballast_curl_set_string(handle, CURLOPT_COPYPOSTFIELDS, "") == CURLE_OK)
                }
        }
        for header in request.headers {
            // "Name;" is libcurl's spelling of a header with an empty value.
            append(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
        }
        append("Expect:")
        isAccepted = isAccepted && ballast_curl_set_list(handle, CURLOPT_HTTPHEADER, headerList) == CURLE_OK
        let me = Unmanaged.passUnretained(self).toOpaque()
        return isAccepted
            && ballast_curl_set_write(handle, CURLOPT_WRITEFUNCTION, receiveBody) == CURLE_OK
            && ballast_curl_set_pointer(handle, CURLOPT_WRITEDATA, me) == CURLE_OK
            && ballast_curl_set_write(handle, CURLOPT_HEADERFUNCTION, receiveHeader) == CURLE_OK
            && ballast_curl_set_pointer(handle, CURLOPT_HEADERDATA, me) == CURLE_OK
    }

    private func append(_ line: String) {
        if let longer = curl_slist_append(headerList, line) { headerList = longer }
    }

    // MARK: What comes back

    fileprivate func take(body bytes: UnsafeRawBufferPointer) -> Bool {
        guard body.count + bytes.count <= request.bodyLimit else {
            isTooLarge = true
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    fileprivate func take(header bytes: UnsafeRawBufferPointer) -> Bool {
        headerBytes += bytes.count
        guard headerBytes <= Self.headerLimit else {
            isTooLarge = true
            return false
        }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {  // an interim answer (100, 103) came before
            headers = []
            return true
        }
        guard let colon = line.firstIndex(of: ":") else { return true }
        headers.append(HTTPHeader(String(line[..<colon]), line[line.index(after: colon)...].trimmed))
        return true
    }

    func outcome(_ code: CURLcode) -> Result<HTTPResponse, FetchError> {
        let host = address.host
        let reason = String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_OK:
            var status = 0
            if let handle { _ = ballast_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status) }
            return .success(HTTPResponse(status: status, headers: headers, body: body))
        case CURLE_WRITE_ERROR where isTooLarge:
            return .failure(.tooLarge(host: host, limit: request.bodyLimit))
        case CURLE_OPERATION_TIMEDOUT:
            return .failure(.timedOut(host: host))
        case CURLE_PARTIAL_FILE, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2_STREAM:
            return .failure(.truncated(host: host, received: body.count))
        case CURLE_RECV_ERROR where !body.isEmpty:
            return .failure(.truncated(host: host, received: body.count))
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING,
            CURLE_RECV_ERROR, CURLE_SEND_ERROR:
            return .failure(.unreachable(host: host, reason: reason))
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR:
            return .failure(.untrusted(host: host, reason: reason))
        default:
            return .failure(.transport(host: host, code: Int(code.rawValue), reason: reason))
        }
    }
}

/// libcurl takes any other count than the one it gave as "stop".
private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    return transfer.take(body: UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

private func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    return transfer.take(header: UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

extension Duration {
    /// At least one: zero means "no limit" to libcurl.
    fileprivate var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        let bounded = min(max(seconds, 0), 86_400)
        return max(1, Int(bounded) * 1_000 + Int(attoseconds / 1_000_000_000_000_000))
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var rest = self
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest.drop { $0.isWhitespace })
    }
}
