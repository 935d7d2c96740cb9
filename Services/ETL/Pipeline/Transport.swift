import Foundation
import HTTPFetch
import MarketData
import ServiceKit
import WireFormat

/// Gets the answer to a source's request, from the network or from a file, and has the source read it.
struct Transport: Sendable {
    /// One a source: its hosts' rates, breakers and quiet times are kept in one place.
    private let fetchers: [String: HTTPFetcher]

    init(client: HTTPClient = HTTPClient(), observe: @escaping @Sendable (FetchEvent) -> Void) {
        var fetchers: [String: HTTPFetcher] = [:]
        for source in Sources.all {
            let limit = RateLimit(perSecond: source.manners.requestsPerSecond, burst: source.manners.burst)
            fetchers[source.id] = HTTPFetcher(client: client, defaultLimit: limit, observe: observe)
        }
        self.fetchers = fetchers
    }

    /// - Throws: `SourceFailure`, or `CancellationError`.
    func page(_ request: SourceRequest, of source: any MarketDataSource) async throws -> SourcePage {
        switch request.target {
        case .file(let path, let offset, let length):
            try Task.checkCancellation()
            return try source.read(Self.slice(path, offset, length), to: request).get()
        case .get(let url):
            return try await fetch(
                HTTPRequest(.get, url, headers: [HTTPHeader("accept", "application/json")]), request, source)
        case .post(let url, let body):
            let headers = [HTTPHeader("accept", "application/json"), HTTPHeader("content-type", "application/json")]
            return try await fetch(HTTPRequest(.post, url, headers: headers, body: body), request, source)
        }
    }

    private static func slice(_ path: String, _ offset: Int, _ length: Int) -> SourceAnswer {
        do {
            let (bytes, isLast) = try FileSlice.read(path, offset: offset, length: length)
            return SourceAnswer(body: bytes, now: WallClock.now, isComplete: isLast)
        } catch {
            let isThere = FileManager.default.fileExists(atPath: path)
            return SourceAnswer(status: isThere ? 500 : 404, body: [], now: WallClock.now)
        }
    }

    private func fetch(
        _ http: HTTPRequest, _ request: SourceRequest, _ source: any MarketDataSource
    ) async throws -> SourcePage {
        guard let fetcher = fetchers[type(of: source).id] else { throw SourceFailure(.clientBug, "no such source") }
        let reading: Result<SourcePage, SourceFailure>
        do throws(FetchError) {
            reading = try await fetcher.fetch(http) { response in
                let reading = source.read(Self.answer(response), to: request)
                return Judgement(reading, Self.verdict(reading))
            }
        } catch {
            throw Self.failure(error)
        }
        return try reading.get()
    }

    static func answer(_ response: HTTPResponse) -> SourceAnswer {
        let now = WallClock.now
        let sent = response.header("date").flatMap { RetryAfter.unixTime(httpDate: $0) }
        let wait = RetryAfter.wait(of: response, now: Int(now.secondsSinceEpoch))
        return SourceAnswer(
            status: response.status, body: response.body,
            now: sent.map { UTCTimestamp(secondsSinceEpoch: Int64($0)) } ?? now,
            retryAfterSeconds: wait.map { Int($0.components.seconds) })
    }

    /// How the host is to be treated after an answer of that kind.
    static func verdict(_ reading: Result<SourcePage, SourceFailure>) -> Verdict {
        guard case .failure(let failure) = reading else { return .answered }
        let wait = failure.retryAfterSeconds.map { Duration.seconds($0) }
        switch failure.errorClass {
        case .rateLimited, .notReady: return .slowDown(after: wait)
        case .upstream, .nodeUnhealthy: return wait == nil ? .failed : .slowDown(after: wait)
        case .banned: return .refused(for: wait ?? .seconds(120))
        case .blocked, .quotaExhausted: return .refused(for: wait ?? .seconds(3_600))
        case .auth, .planLimit, .notFound, .badRequest, .clientBug, .slotSkipped, .notAvailable, .unsupported, .schema:
            return .answered
        }
    }

    static func failure(_ error: FetchError) -> any Error {
        switch error {
        case .cancelled, .closed: CancellationError()
        case .invalidRequest, .insecureAddress: SourceFailure(.clientBug, error.description)
        case .tooLarge: SourceFailure(.schema, error.description)
        case .circuitOpen(_, let remaining):
            SourceFailure(.upstream, error.description, retryAfterSeconds: Int(remaining.components.seconds) + 1)
        case .timedOut, .unreachable, .untrusted, .truncated, .transport: SourceFailure(.upstream, error.description)
        }
    }
}
