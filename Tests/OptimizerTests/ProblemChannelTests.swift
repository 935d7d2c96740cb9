import Foundation
import HTTPFetch
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

/// Every cause of the specification's three classes of errors: client response, log line, metric, notification.
@Suite("Problems and who is told of them", .timeLimit(.minutes(3)))
struct ProblemChannelTests {
    private static let codes = ProblemCode.allCases.filter {
        [.data_validation, .optimization, .system].contains($0.problemClass)
    }

    private struct Told: Equatable {
        var code: String
        var detail: String
        var source: String
        var count: Int
    }

    /// The change events of the tenant's notices, in order.
    private func changes(_ service: ServiceUnderTest) async throws -> [Told] {
        try await service.admin.query(
            """
            SELECT record ->> 'code', record ->> 'detail', record ->> 'source', (record ->> 'count')::int8 FROM rt.event
            WHERE rel = 'ballast.problem_notice'::regclass AND op = 'I' AND tenant_id = \(Tenants.standard) ORDER BY id
            """
        ).map { row in
            let (code, detail, source, count) = try row.decode((String, String, String, Int).self)
            return Told(code: code, detail: detail, source: source, count: count)
        }
    }

    @Test(
        "each code of the three classes: answer, log line, metric, change event, signed webhook; the others tell nobody"
    )
    func channels() async throws {
        try await ServiceUnderTest.with { service in
            let lines = Locked<[Line]>([])
            let logger = Logger(label: "test") { _ in Recorder(lines: lines) }
            let notices = ProblemNotices(pool: service.optimizer.pool, logger: logger)
            let registry = PrometheusRegistry()
            let router = BallastRouter.build(
                metrics: registry, logger: logger,
                onProblem: { notices.note($0, tenant: $1, source: $2) }
            ) { router in
                let keys = Authenticator(keys: APIKeys(service.optimizer.pool), tokens: nil)
                router.group().add(middleware: AuthenticationMiddleware(keys)).get("/fail/:code") {
                    _, context -> String in
                    let code = ProblemCode(rawValue: try context.parameters.require("code")) ?? .internalError
                    throw Problem(code, "This is what happened of \(code.rawValue).")
                }
            }
            let receiver = try LoopbackServer { _ in .init(204) }
            defer { receiver.stop() }
            let (_, secret) = try await service.optimizer.webhooks.add(
                url: receiver.url, events: ["problem"],
                for: Principal(tenant: Tenants.standard, subject: "test", scopes: [.admin]), requestID: "r")
            let responder = router.buildResponder()
            var sources: [String: String] = [:]
            for code in ProblemCode.allCases {
                var response: Response?
                for _ in 0..<2 {
                    let head = HTTPRequest(
                        method: .get, scheme: "http", authority: "localhost", path: "/fail/\(code.rawValue)",
                        headerFields: [.authorization: "Bearer \(service.key)"])
                    response = try await responder.respond(
                        to: Request(head: head, body: RequestBody(buffer: ByteBuffer())),
                        context: BallastRequestContext(logger: logger))
                    if sources[code.rawValue] == nil { sources[code.rawValue] = response?.headers[.requestID] }
                }
                // The client's response.
                let answer = try #require(response)
                #expect(answer.status.code == code.status && answer.headers[.contentType] == Problem.mediaType)
                #expect(answer.headers[.retryAfter] == code.retryAfter.map { String($0) })
                let json = try await JSONCollector.of(answer)
                #expect(
                    json["code"]?.stringValue == code.rawValue
                        && json["class"]?.stringValue == code.problemClass.rawValue)
                #expect(json["title"]?.stringValue == code.title && json["retryable"]?.boolValue == code.retryable)
                #expect(json["detail"]?.stringValue?.contains(code.rawValue) == true)
            }
            await notices.flush()

            // The log: a line at the level of the service's own setting for each of note, and the whole error of a bug.
            for code in Self.codes {
                let own = lines.withLock { $0.filter { $0.level >= .info && $0.metadata["code"] == code.rawValue } }
                #expect(!own.isEmpty, "\(code)")
                if code.status == 500 { #expect(own.contains { $0.level == .error && $0.metadata["error"] != nil }) }
            }
            // The metric.
            let metrics = await registry.text()
            for code in ProblemCode.allCases {
                #expect(metrics.contains("problems_total{code=\"\(code.rawValue)\"} 2\n"), "\(code)")
            }
            // The change event: one for the first of each code, the second waits for its minute.
            let told = try await changes(service)
            #expect(Set(told.map { $0.code }) == Set(Self.codes.map { $0.rawValue }) && told.count == Self.codes.count)
            for one in told {
                #expect(one.detail == "This is what happened of \(one.code)." && one.source == sources[one.code])
                #expect(one.count == 2)
            }
            // The webhook, signed.
            let sender = WebhookSender(
                store: service.optimizer.webhooks, hosts: WebhookHosts("127.0.0.1"), client: HTTPClient(),
                listener: PostgresListener(try service.database.configuration(), logger: TestPostgres.logger),
                event: service.optimizer.event, logger: TestPostgres.logger)
            var delivered: Set<String> = []
            var requests = receiver.requests.makeAsyncIterator()
            while true {
                let due = try await service.optimizer.webhooks.claim()
                if due.isEmpty { break }
                await sender.deliver(due)
                for _ in due {
                    let request = try #require(await requests.next())
                    let event = try StrictJSON.parse(request.body)
                    #expect(event["type"] == "problem" && event["data"]?["count"]?.intValue == 2)
                    delivered.insert(event["data"]?["code"]?.stringValue ?? "")
                    let id = try #require(request.headers["webhook-id"])
                    let time = try #require(request.headers["webhook-timestamp"].flatMap { Int($0) })
                    #expect(
                        request.headers["webhook-signature"]
                            == WebhookSignature.sign(id: id, timestamp: time, body: request.body, secret: secret))
                }
            }
            #expect(delivered == Set(Self.codes.map { $0.rawValue }))
        }
    }

    @Test("the causes that the specification lists, as they come about: data and mathematics")
    func causes() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            try await service.writePrices(["NEW1", "NEW2"], days: 5)
            try await service.writePrices(["ODD"])
            _ = try await service.admin.execute(
                "UPDATE public.market_data SET price = 1e400 WHERE asset_symbol = 'ODD' AND timestamp = '2018-05-01'")
            let causes: [(what: String, code: String, path: String, body: JSONValue)] = [
                ("an invalid symbol", "DAT-001", "optimize", ["assets": ["AAA", "BBBB"]]),
                ("insufficient history", "DAT-002", "optimize", ["assets": ["NEW1", "NEW2"]]),
                (
                    "missing market data", "DAT-003", "optimize",
                    ["assets": ["AAA", "BBB"], "start_date": "2090-01-01"]
                ),
                ("invalid market data", "DAT-004", "optimize", ["assets": ["AAA", "ODD"]]),
                (
                    "infeasible constraints", "OPT-101", "optimize",
                    ["assets": ["AAA", "BBB"], "constraints": ["upper_bound": 0.3]]
                ),
                (
                    "a problem beyond the resources", "OPT-301", "backtest",
                    [
                        "assets": JSONValue((0..<500).map { "S\($0)" }), "objective": "MinRisk",
                        "risk_measure": "RLDaR",
                        "backtest": ["method": "combinatorial_purged", "folds": 60, "test_folds": 30],
                    ]
                ),
            ]
            for cause in causes {
                let answer = try await service.call(.post, "/api/portfolio/\(cause.path)", cause.body)
                #expect(
                    answer.status == 422 && answer.json?["code"]?.stringValue == cause.code,
                    "\(cause.what): \(answer.text)")
            }
            await service.optimizer.notices.flush()
            #expect(try await changes(service).map { $0.code }.sorted() == causes.map { $0.code }.sorted())
            let metrics = await service.registry.text()
            for cause in causes {
                #expect(metrics.contains("problems_total{code=\"\(cause.code)\"} 1\n"), "\(cause.code)")
            }
            // A job that fails tells under its own name.
            let id = try #require(
                try await service.call(.post, "/api/portfolio/optimize?async", ["assets": ["CCC"]]).json?["job_id"]?
                    .stringValue)
            let work = try #require(try await service.optimizer.jobStore.claim())
            await JobRunner(optimizer: service.optimizer).perform(work)
            #expect(try await service.call(.get, "/api/jobs/\(id)").json?["problem"]?["code"] == "DAT-001")
            #expect(await service.registry.text().contains("problems_total{code=\"DAT-001\"} 2\n"))
        }
    }

    @Test("a database that is away is told of once it is back, with how often and since when")
    func outage() async throws {
        try await ServiceUnderTest.with { service in
            let server = try await PostgresConnection.connect(
                PostgresConfiguration(url: try await TestPostgres.shared.adminURL), logger: TestPostgres.logger)
            let name = service.database.name
            try await server.execute("ALTER DATABASE \(identifier: name) ALLOW_CONNECTIONS false")
            _ = try await server.query(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = \(name)")
            for _ in 0..<3 {
                let answer = try await service.call(.get, "/api/portfolio")
                #expect(answer.status == 503 && answer.json?["code"] == "SYS-001", "\(answer.text)")
                await service.optimizer.notices.flush()
            }
            try await server.execute("ALTER DATABASE \(identifier: name) ALLOW_CONNECTIONS true")
            await server.close()
            try await eventually {
                await service.optimizer.notices.flush()
                return (try? await changes(service))?.isEmpty == false
            }
            let told = try await changes(service)
            #expect(told.map { $0.code } == ["SYS-001"] && told.first?.count == 3)
        }
    }

    @Test("later problems of a code are told together, a minute after the first; nothing is told twice")
    func together() async throws {
        try await ServiceUnderTest.with { service in
            let notices = service.optimizer.notices
            notices.note(Problem(.infeasible, "first"), tenant: nil, source: "a")
            await notices.flush()
            for n in 0..<1000 { notices.note(Problem(.infeasible, "later \(n)"), tenant: nil, source: "b\(n)") }
            notices.note(Problem(.rateLimited, "is no news"), tenant: nil, source: "c")
            await notices.flush()
            await notices.flush()
            let first = try await changes(service)
            #expect(first == [Told(code: "OPT-101", detail: "first", source: "a", count: 1)])
            await notices.flush(at: .now + ProblemNotices.quiet)
            await notices.flush(at: .now + ProblemNotices.quiet * 3)
            let all = try await changes(service)
            #expect(all == first + [Told(code: "OPT-101", detail: "later 0", source: "b0", count: 1000)])
        }
    }
}

/// A line that was logged.
private struct Line: Sendable {
    var level: Logger.Level
    var message: String
    var metadata: [String: String]
}

private struct Recorder: LogHandler {
    let lines: Locked<[Line]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(lines: Locked<[Line]>) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        lines.withLock { $0.append(Line(level: event.level, message: "\(event.message)", metadata: all)) }
    }
}

/// The body of an answer.
private actor JSONCollector {
    private var bytes: [UInt8] = []
    private func append(_ buffer: ByteBuffer) { bytes += buffer.readableBytesView }

    private struct Writer: ResponseBodyWriter {
        let target: JSONCollector
        func write(_ buffer: ByteBuffer) async throws { await target.append(buffer) }
        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    static func of(_ response: Response) async throws -> JSONValue {
        let collector = JSONCollector()
        try await response.body.write(Writer(target: collector))
        return try StrictJSON.parse(await collector.bytes, limits: .stored)
    }
}
