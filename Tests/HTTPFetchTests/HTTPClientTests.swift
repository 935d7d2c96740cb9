import HTTPFetch
import TestSupport
import Testing

@Suite struct `The HTTP client` {
    @Test func `brings back status, headers and body of any answer`() async throws {
        let server = try LoopbackServer { _ in .init(404, headers: ["X-Thing": "a: b"], "nothing here") }
        let response = try await HTTPClient().fetch(HTTPRequest(.get, server.url + "/x?y=1"))
        #expect(response.status == 404)
        #expect(response.header("x-thing") == "a: b")
        #expect(response.text == "nothing here")
    }

    @Test(arguments: [HTTPRequest.Method.post, .put])
    func `sends method, headers and body`(_ method: HTTPRequest.Method) async throws {
        let server = try LoopbackServer { request in .init(200, body: request.body) }
        let body: [UInt8] = [0, 1, 255, 10]
        let headers = [HTTPHeader("content-type", "application/json"), HTTPHeader("x-empty", "")]
        let response = try await HTTPClient().fetch(HTTPRequest(method, server.url, headers: headers, body: body))
        var requests = server.requests.makeAsyncIterator()
        let seen = try #require(await requests.next())
        #expect(response.body == body)
        #expect(seen.method == method.rawValue)
        #expect(seen.headers["content-type"] == "application/json")
        #expect(seen.headers["x-empty"] == "")
        #expect(seen.headers["expect"] == nil)
        #expect(seen.headers["user-agent"]?.hasPrefix("ballast/") == true)
    }

    @Test func `an empty POST and a DELETE are sent`() async throws {
        let server = try LoopbackServer { request in .init(200, "\(request.method) \(request.body.count)") }
        let client = HTTPClient()
        #expect(try await client.fetch(HTTPRequest(.post, server.url)).text == "POST 0")
        #expect(try await client.fetch(HTTPRequest(.delete, server.url)).text == "DELETE 0")
    }

    @Test func `serves many requests at once over one thread`() async throws {
        let server = try LoopbackServer { request in .init(200, request.target) }
        let client = HTTPClient()
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<100 {
                group.addTask { try await client.fetch(HTTPRequest(.get, "\(server.url)/\(index)")).text }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(answers == Set((0..<100).map { "/\($0)" }))
    }

    @Test(arguments: [
        "http://example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "not a url",
        "https://user:pw@127.0.0.1/",
        "http://127.0.0.1.example.com/", "http://[::2]/",
    ])
    func `refuses what may not be asked`(_ url: String) async {
        await #expect(throws: FetchError.self) { try await HTTPClient().fetch(HTTPRequest(.get, url)) }
    }

    @Test func `plain HTTP needs leave, and says for which host`() async {
        await #expect(throws: FetchError.insecureAddress(host: "example.com")) {
            try await HTTPClient().fetch(HTTPRequest(.get, "http://EXAMPLE.com/"))
        }
    }

    @Test func `a line break in a header is refused`() async throws {
        let request = HTTPRequest(.get, "http://127.0.0.1:9/", headers: [HTTPHeader("x-a", "1\r\nx-b: 2")])
        await #expect(throws: FetchError.invalidRequest(reason: "malformed header \"x-a\"")) {
            try await HTTPClient().fetch(request)
        }
    }

    @Test func `a redirect is an answer, not an order`() async throws {
        let target = try LoopbackServer { _ in .init(200, "stolen") }
        let server = try LoopbackServer { _ in .init(302, headers: ["Location": target.url]) }
        #expect(try await HTTPClient().fetch(HTTPRequest(.get, server.url)).status == 302)
        #expect(target.count == 0)
    }

    @Test func `a cut body is an error that says so`() async throws {
        let server = try LoopbackServer { _ in .init(200, "0123456789", cutAfter: 4) }
        await #expect(throws: FetchError.truncated(host: "127.0.0.1", received: 4)) {
            try await HTTPClient().fetch(HTTPRequest(.get, server.url))
        }
    }

    @Test func `a body above the cap is not read to its end`() async throws {
        let server = try LoopbackServer { _ in .init(200, body: [UInt8](repeating: 65, count: 1 << 20)) }
        let request = HTTPRequest(.get, server.url) { $0.bodyLimit = 1_000 }
        await #expect(throws: FetchError.tooLarge(host: "127.0.0.1", limit: 1_000)) {
            try await HTTPClient().fetch(request)
        }
    }

    @Test func `silence ends with the time limit`() async throws {
        let server = try LoopbackServer { _ in .hang }
        let request = HTTPRequest(.get, server.url) { $0.timeout = .milliseconds(100) }
        await #expect(throws: FetchError.timedOut(host: "127.0.0.1")) {
            try await HTTPClient().fetch(request)
        }
    }

    @Test func `nobody listening is unreachable`() async throws {
        let server = try LoopbackServer { _ in .init() }
        let url = server.url
        server.stop()
        do {
            _ = try await HTTPClient().fetch(HTTPRequest(.get, url))
            Issue.record("an answer from nobody")
        } catch {
            guard case .unreachable = error else {
                Issue.record(error)
                return
            }
            #expect(error.isTransient)
        }
    }

    @Test func `cancelling the task hangs up`() async throws {
        let server = try LoopbackServer { _ in .hang }
        let client = HTTPClient()
        let task = Task { try await client.fetch(HTTPRequest(.get, server.url)) }
        var requests = server.requests.makeAsyncIterator()
        _ = await requests.next()
        task.cancel()
        await #expect(throws: FetchError.cancelled) { try await task.value }
        var hangUps = server.hangUps.makeAsyncIterator()
        #expect(await hangUps.next() != nil)
    }

    @Test func `a task cancelled beforehand asks nothing`() async throws {
        let server = try LoopbackServer { _ in .init() }
        let client = HTTPClient()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.fetch(HTTPRequest(.get, server.url))
        }
        await #expect(throws: FetchError.cancelled) { try await task.value }
        #expect(server.count == 0)
    }
}

@Suite struct `Addresses` {
    @Test func `are taken apart as libcurl does`() throws {
        let address = try HTTPAddress("HTTP://LocalHost:8080/a?b=c")
        #expect(address.scheme == "http")
        #expect(address.authority == "localhost:8080")
        #expect(address.isLoopback)
        #expect(try HTTPAddress("https://api.exchange.coinbase.com/x").authority == "api.exchange.coinbase.com:443")
        #expect(try HTTPAddress("http://[::1]:9/").isLoopback)
        #expect(try !HTTPAddress("http://127.example.com/").isLoopback)
        #expect(try !HTTPAddress("https://10.0.0.1/").isLoopback)
    }
}

extension HTTPRequest {
    fileprivate init(_ method: Method, _ url: String, change: (inout HTTPRequest) -> Void) {
        self.init(method, url)
        change(&self)
    }
}
