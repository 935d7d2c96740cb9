import HTTPFetch
import ServiceKit
import WireFormat

/// The optimizer as the environment names it.
struct ServiceCall {
    /// What came back, if it is good news.
    struct Answer {
        let status: Int
        let json: JSONValue
    }

    private let url: String
    private let headers: [HTTPHeader]

    init() throws {
        let configuration = Configuration()
        url = try configuration.value(CommandOptions.url)
        var headers = [HTTPHeader("Content-Type", "application/json"), HTTPHeader("Accept", "application/json")]
        if let key = try configuration.value(CommandOptions.apiKey) {
            headers.append(HTTPHeader("Authorization", "Bearer \(key.reveal())"))
        }
        self.headers = headers
    }

    /// - Throws: `CommandFailure` with the service's problem.
    func send(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]? = nil, strict: Bool = false, timeout: Int
    ) async throws -> Answer {
        var headers = headers
        if strict { headers.append(HTTPHeader("Prefer", "handling=strict")) }
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        var request = HTTPRequest(method, base + path, headers: headers, body: body)
        request.timeout = .seconds(timeout)
        let answer = try await OptimizeCommand.client(for: url).fetch(request)
        guard (200..<300).contains(answer.status) else {
            throw CommandFailure(.refused, ProblemReport(status: answer.status, body: answer.body).text)
        }
        do { return Answer(status: answer.status, json: try StrictJSON.parse(answer.body, limits: .stored)) } catch {
            throw CommandFailure(.refused, "The answer is not JSON: \(error)")
        }
    }
}
