import Crypto
public import HTTPTypes
public import Hummingbird
import Logging
import NIOCore
import WireFormat

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Answers a request that was sent twice under one Idempotency-Key once: the second gets the first one's answer, marked
/// `Idempotency-Replayed: true`.
///
/// Success and refusals that the same request will always meet are kept for a day; what may pass (429, 5xx) is not, and frees the key.
/// The key of a request that is still running is 409 with Retry-After, of a different request 422. Runs behind authentication.
public struct IdempotencyMiddleware: RouterMiddleware {
    public typealias Context = BallastRequestContext
    private let store: IdempotencyStore
    private let bodyLimit: @Sendable (Request) -> Int

    /// Larger answers are not kept.
    static let mostAnswerBytes = 8 << 20

    /// - Parameter bodyLimit: most bytes of a request's body.
    public init(
        _ store: IdempotencyStore, bodyLimit: @escaping @Sendable (Request) -> Int = { _ in BodyLimits.standard }
    ) {
        self.store = store
        self.bodyLimit = bodyLimit
    }

    public func handle(
        _ request: Request, context: BallastRequestContext,
        next: (Request, BallastRequestContext) async throws -> Response
    ) async throws -> Response {
        guard let header = request.headers[.idempotencyKey], [.post, .put, .patch, .delete].contains(request.method),
            let principal = context.principal
        else { return try await next(request, context) }
        let key = try IdempotencyKey(header: header)
        let body = try await request.bodyBytes(limit: bodyLimit(request))
        let route = "\(request.method.rawValue) \(request.uri.path)"
        var hash = SHA256()
        for part in [Array(request.uri.string.utf8), Array((request.mediaType ?? "").utf8), body] {
            hash.update(data: Array("\(part.count):".utf8))
            hash.update(data: part)
        }
        let (owner, tenant) = (UUID().uuidString, principal.tenant)
        let claim: IdempotencyStore.Claim = try await store.claim(
            key, route: route, requestSHA256: Array(hash.finalize()), owner: owner, tenant: tenant)
        switch claim {
        case .run: break
        case .running:
            throw Problem(.keyInProgress, "A request with this Idempotency-Key is still running.", retryAfter: 1)
        case .other:
            throw Problem(.keyReused, "This Idempotency-Key belongs to another request: use a new one for each.")
        case .done(let answer): return Self.replay(answer)
        }
        var request = request
        request.body = RequestBody(buffer: ByteBuffer(bytes: body))
        do {
            var response: Response
            do {
                response = try await next(request, context)
            } catch {
                guard let problem = Problem(mapping: error), Self.isKept(problem.status) else { throw error }
                context.outcome.problem = problem
                response = ProblemMiddleware.response(problem, context: context)
            }
            guard Self.isKept(Int(response.status.code)) else {
                await release(key, route, owner, tenant, context)
                return response
            }
            let answer = try await Self.record(&response)
            try await store.finish(key, route: route, owner: owner, tenant: tenant, answer: answer)
            return response
        } catch {
            await release(key, route, owner, tenant, context)
            throw error
        }
    }

    /// In a task of its own: the request's may have been cancelled, and that is when it matters.
    private func release(
        _ key: IdempotencyKey, _ route: String, _ owner: String, _ tenant: UUID, _ context: BallastRequestContext
    ) async {
        let (store, logger) = (store, context.logger)
        await Task {
            do { try await store.release(key, route: route, owner: owner, tenant: tenant) } catch {
                logger.warning("An idempotency key stays held until its lease is over", metadata: ["error": "\(error)"])
            }
        }.value
    }

    /// What the same request would always be answered.
    static func isKept(_ status: Int) -> Bool {
        (200..<300).contains(status) || [400, 404, 405, 410, 413, 415, 422].contains(status)
    }

    private static let keptHeaders: [HTTPField.Name] = [
        .contentType, .location, .eTag, .cacheControl, .preferenceApplied,
    ]

    /// The answer's bytes, taken out of the response and put back.
    private static func record(_ response: inout Response) async throws -> IdempotencyStore.Answer {
        let sink = BodySink(limit: mostAnswerBytes)
        try await response.body.write(sink)
        let body = sink.bytes
        response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: body))
        let headers = keptHeaders.compactMap { name in response.headers[name].map { (name.canonicalName, $0) } }
        return .init(
            status: Int(response.status.code), headers: Dictionary(headers) { first, _ in first }, body: body)
    }

    private static func replay(_ answer: IdempotencyStore.Answer) -> Response {
        var response = Response(
            status: HTTPResponse.Status(code: answer.status), headers: [.idempotencyReplayed: "true"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { response.headers[name] = value }
        }
        return response
    }
}

/// Collects the bytes that a response would have sent.
private final class BodySink: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func write(_ buffer: ByteBuffer) async throws {
        guard bytes.count + buffer.readableBytes <= limit else {
            throw Problem(.internalError, "The answer is too large to be kept for its Idempotency-Key.")
        }
        bytes += buffer.readableBytesView
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

extension HTTPField.Name {
    /// Idempotency-Replayed. The name is a valid token, so the fallback is never taken.
    public static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed") ?? .cookie
    /// Preference-Applied (RFC 7240).
    public static let preferenceApplied = HTTPField.Name("Preference-Applied") ?? .cookie
}
