import HTTPTypes
import Hummingbird
import Logging
import PostgresClient
import ServiceKit
import Testing
import TestSupport
import WireFormat

@Suite("Problems of a router")
struct ProblemResponseTests {
    private struct Bug: Error { let secret = "canary-of-a-bug" }

    private let registry = PrometheusRegistry()

    private func client(drain: DrainState? = nil) -> RouterClient<RouterResponder<BallastRequestContext>> {
        let table = KeyTable()
        let authenticator = Authenticator(keys: table, tokens: nil)
        let router = BallastRouter.build(metrics: registry, drain: drain, logger: Logger(label: "test")) { router in
            router.get("items/{id}") { _, context in
                Response(json: ["id": .string(try context.parameters.require("id"))])
            }
            router.delete("items/{id}") { _, _ in Response(status: .noContent) }
            router.post("items") { request, _ in Response(json: try await request.jsonBody(limit: 1000)) }
            router.get("bug") { _, _ -> Response in throw Bug() }
            router.get("bare") { _, _ in Response(status: .tooManyRequests) }
            router.get("down") { _, _ -> Response in throw PostgresError(.connection, "secret host") }
            router.get("state/{state}") { _, context -> Response in
                throw PostgresError(.server, "x", sqlState: SQLState(rawValue: try context.parameters.require("state")))
            }
            router.group("private").add(middleware: AuthenticationMiddleware(authenticator, requiring: .optimize))
                .get { _, _ in Response(json: [:]) }
        }
        return RouterClient(router)
    }

    private func check(
        _ answer: RouterClient<RouterResponder<BallastRequestContext>>.Answer, _ status: Int, _ code: String,
        location: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.status == status, sourceLocation: location)
        #expect(answer.headers[.contentType] == "application/problem+json", sourceLocation: location)
        #expect(answer.json?["code"]?.stringValue == code, sourceLocation: location)
        #expect(answer.json?["status"]?.intValue == status, sourceLocation: location)
        #expect(answer.json?["request_id"]?.stringValue == answer.headers[.requestID], sourceLocation: location)
        #expect(answer.headers[.requestID] != nil, sourceLocation: location)
    }

    @Test("an unknown path is 404, a known path with another method 405 with Allow")
    func routing() async throws {
        let client = client()
        check(try await client.send(.get, "/nothing"), 404, "REQ-201")
        check(try await client.send(.get, "/items/1/2"), 404, "REQ-201")
        let wrong = try await client.send(.put, "/items/1")
        check(wrong, 405, "REQ-202")
        #expect(wrong.headers[.allow] == "DELETE, GET, HEAD")
        #expect(try await client.send(.init("PROPFIND") ?? .trace, "/items").headers[.allow] == "POST")
        let good = try await client.send(.get, "/items/7")
        #expect(good.status == 200)
        #expect(good.json == ["id": "7"])
        #expect(try await client.send(.delete, "/items/7").status == 204)
        #expect(try await client.send(.head, "/items/7").status == 200)
    }

    @Test(
        "odd paths are answered, not trapped on",
        arguments: [
            "/", "//", "/items/%00", "/items/%ff", "/items/%zz", "/items/%", "/items/a%2fb", "/items/..", "/items/é",
            "/items/?x",
            "/items/1?limit=%ff&limit=", "/items/1?=&&=", "/{id}", "/*",
            "/items/\(String(repeating: "a", count: 5000))",
        ])
    func oddPaths(path: String) async throws {
        let answer = try await client().send(.get, path)
        #expect([200, 400, 404, 405].contains(answer.status))
        if answer.status >= 400 { #expect(answer.headers[.contentType] == "application/problem+json") }
    }

    @Test("bodies: media type, size, syntax")
    func bodies() async throws {
        let client = client()
        #expect(try await client.send(.post, "/items", body: #"{"a":1}"#).json == ["a": 1])
        #expect(
            try await client.send(
                .post, "/items", headers: [.contentType: "application/json; charset=utf-8"], body: "{}"
            ).status == 200)
        check(try await client.send(.post, "/items", body: #"{"a":1,"a":2}"#), 400, "REQ-003")
        check(try await client.send(.post, "/items", body: #"{"a":"#), 400, "REQ-001")
        check(try await client.send(.post, "/items", body: ""), 400, "REQ-001")
        check(try await client.send(.post, "/items", headers: [.contentType: "text/csv"], body: "{}"), 415, "REQ-205")
        let large = try await client.send(.post, "/items", body: "\"" + String(repeating: "x", count: 1001) + "\"")
        check(large, 413, "REQ-204")
        #expect(large.headers[.connection] == "close")
    }

    @Test("a bug is 500 with nothing of it in the answer")
    func bug() async throws {
        let answer = try await client().send(.get, "/bug")
        check(answer, 500, "SYS-999")
        #expect(!answer.text.contains("canary"))
        #expect(!answer.text.contains("Bug"))
    }

    @Test("a bare error status gets a body")
    func bare() async throws {
        check(try await client().send(.get, "/bare"), 429, "LIM-001")
    }

    @Test("a lost database is 503 with Retry-After and no address")
    func down() async throws {
        let answer = try await client().send(.get, "/down")
        check(answer, 503, "SYS-001")
        #expect(answer.headers[.retryAfter] == "1")
        #expect(answer.json?["retryable"] == true)
        #expect(!answer.text.contains("secret"))
    }

    @Test(
        "SQLSTATEs have one mapping",
        arguments: [
            ("08006", 503, "SYS-001"), ("57P01", 503, "SYS-001"), ("57P03", 503, "SYS-001"), ("53300", 503, "SYS-002"),
            ("53100", 503, "SYS-003"), ("40001", 503, "SYS-002"), ("40P01", 503, "SYS-002"), ("57014", 504, "SYS-201"),
            ("23505", 409, "STA-005"), ("22021", 500, "SYS-999"), ("42601", 500, "SYS-999"), ("22003", 500, "SYS-999"),
        ])
    func states(state: String, status: Int, code: String) async throws {
        check(try await client().send(.get, "/state/\(state)"), status, code)
    }

    @Test("request ids: a good one is echoed, a bad one replaced")
    func requestIDs() async throws {
        let client = client()
        func id(_ given: String) async throws -> String? {
            try await client.send(.get, "/items/1", headers: [.requestID: given]).headers[.requestID]
        }
        #expect(try await id("abc-123_X.y") == "abc-123_X.y")
        for bad in ["short", "has space in it", String(repeating: "a", count: 65), "quote\"quote"] {
            let answered = try await id(bad)
            #expect(answered != bad)
            #expect(answered?.wholeMatch(of: /[0-9A-Z]{26}/) != nil)
        }
    }

    @Test("credentials: 401 with WWW-Authenticate, 403 without the scope")
    func credentials() async throws {
        let none = try await client().send(.get, "/private")
        check(none, 401, "AUT-001")
        #expect(none.headers[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
        check(try await client().send(.get, "/private", headers: [.authorization: "Basic eDp5"]), 401, "AUT-002")
        check(try await client().send(.get, "/private", headers: [.authorization: "Bearer x.y.z"]), 401, "AUT-002")

        let table = KeyTable()
        let reader = APIKeyToken.generate()
        let optimizer = APIKeyToken.generate()
        table.add(reader, scopes: [.dataRead])
        table.add(optimizer, scopes: [.admin])
        let router = BallastRouter.build(metrics: nil, logger: Logger(label: "test")) { router in
            router.group("private")
                .add(
                    middleware: AuthenticationMiddleware(Authenticator(keys: table, tokens: nil), requiring: .optimize)
                )
                .get { _, context in Response(json: ["subject": .string(context.principal?.subject ?? "")]) }
        }
        let client = RouterClient(router)
        check(
            try await client.send(.get, "/private", headers: [.authorization: "Bearer \(reader.reveal())"]), 403,
            "AUT-004")
        let good = try await client.send(.get, "/private", headers: [.apiKey: optimizer.reveal()])
        #expect(good.json == ["subject": .string("key:\(optimizer.keyID)")])
    }

    @Test("durations are counted by route, never by path")
    func metrics() async throws {
        let client = client()
        for n in 0..<20 { _ = try await client.send(.get, "/items/\(n)") }
        for n in 0..<20 { _ = try await client.send(.get, "/nothing/\(n)") }
        let text = await registry.text()
        #expect(
            text.contains(
                "http_server_request_duration_seconds_count{method=\"GET\",route=\"/items/{id}\",status=\"200\"} 20\n"))
        #expect(text.contains("status=\"404\"} 20\n"))
        #expect(!text.contains("/nothing/"))
        #expect(text.contains("http_server_active_requests 0\n"))
    }

    @Test("while it drains, answers ask for the connection to be closed")
    func draining() async throws {
        let drain = DrainState()
        let client = client(drain: drain)
        #expect(try await client.send(.get, "/items/1").headers[.connection] == nil)
        drain.begin()
        #expect(try await client.send(.get, "/items/1").headers[.connection] == "close")
    }
}

@Suite("Operations port")
struct OpsServerTests {
    @Test("readyz tells each check, and 503 where one fails, is slow, or the service drains")
    func ready() async throws {
        let drain = DrainState()
        let checks = ReadinessChecks(drain: drain, timeout: .milliseconds(100))
        let registry = PrometheusRegistry()
        let ops = OpsServer(
            service: "test", host: "127.0.0.1", port: 0, readiness: checks, metrics: registry,
            logger: Logger(label: "test"))
        let client = RouterClient(ops.router())
        checks.add("good") { "fine" }
        var answer = try await client.send(.get, "/readyz")
        #expect(answer.status == 200)
        #expect(answer.json?["checks"]?["good"]?["ok"] == true)
        drain.begin()
        answer = try await client.send(.get, "/readyz")
        #expect(answer.status == 503)
        #expect(answer.json?["draining"] == true)
        #expect(try await client.send(.get, "/healthz").status == 200)
        #expect(try await client.send(.get, "/version").json?["version"]?.stringValue == ServiceVersion.release)
        #expect(
            try await client.send(.get, "/metrics").headers[.contentType]?.hasPrefix("text/plain; version=0.0.4")
                == true)
    }

    @Test("a failing and a slow check are named")
    func notReady() async throws {
        let checks = ReadinessChecks(timeout: .milliseconds(50))
        checks.add("down") { throw PostgresError(.connection, "x") }
        checks.add("slow") {
            try await Task.sleep(for: .seconds(3600))
            return "never"
        }
        let report = await checks.report()
        #expect(!report.isReady)
        #expect(report.json["checks"]?["down"]?["detail"] == "The database cannot be reached.")
        #expect(report.json["checks"]?["slow"]?["ok"] == false)
    }
}
