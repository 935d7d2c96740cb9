import HTTPFetch
import ServiceKit
import WireFormat

/// The optimizer as the environment names it.
struct ServiceCall {
    /// What came back, if it is good news.
    struct Answer {
        let status: Int
        let json: JSONValue
        /// As it came.
        let text: String
    }

    private let url: String
    private let headers: [HTTPHeader]

    init() throws {
        let configuration = Configuration()
        url = try configuration.value(CommandOptions.url)
        var headers = [HTTPHeader("Accept", "application/json")]
        if let key = try configuration.value(CommandOptions.apiKey) {
            headers.append(HTTPHeader("Authorization", "Bearer \(key.reveal())"))
        }
        self.headers = headers
    }

    /// - Parameters:
    ///   - strict: whether every warning is an error.
    ///   - isShown: whether a refusal is printed as it came too.
    /// - Throws: `CommandFailure` with the service's problem.
    func send(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]? = nil, headers more: [HTTPHeader] = [],
        strict: Bool = false, timeout: Int = 120, isShown: Bool = false
    ) async throws -> Answer {
        var headers = headers + more
        if body != nil { headers.append(HTTPHeader("Content-Type", "application/json")) }
        if strict { headers.append(HTTPHeader("Prefer", "handling=strict")) }
        var request = HTTPRequest(method, Self.address(url, path), headers: headers, body: body)
        request.timeout = .seconds(timeout)
        let answer = try await Self.client(for: url).fetch(request)
        guard (200..<300).contains(answer.status) else {
            if isShown { Terminal.out(answer.text) }
            throw CommandFailure(.refused, ProblemReport(status: answer.status, body: answer.body).text)
        }
        // 204: nothing is left to be said.
        if answer.body.isEmpty { return Answer(status: answer.status, json: .null, text: "") }
        do {
            let json = try StrictJSON.parse(answer.body, limits: .stored)
            return Answer(status: answer.status, json: json, text: answer.text)
        } catch {
            throw CommandFailure(.refused, "The answer is not JSON: \(error)")
        }
    }

    static func address(_ url: String, _ path: String) -> String {
        (url.hasSuffix("/") ? String(url.dropLast()) : url) + path
    }

    /// Plain http: goes to whatever host the user named; the library alone would only allow loopback.
    private static func client(for url: String) throws(FetchError) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.userAgent = "ballast-cli/\(ServiceVersion.release)"
        configuration.insecureHosts = [try HTTPAddress(url).host]
        return HTTPClient(configuration: configuration)
    }
}
