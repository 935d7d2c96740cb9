import Foundation
import ServiceKit
import WireFormat

/// A job as its row holds it.
struct Job: Sendable {
    enum State: String, Sendable {
        case queued, running, done, failed, cancelled
        var isOver: Bool { self == .done || self == .failed || self == .cancelled }
    }

    var id: String
    var state: State
    /// 0 to 1.
    var progress: Double
    /// queued, loading, solving, storing, done, failed, cancelled.
    var phase: String
    /// Seconds that are probably left; nil where nobody knows.
    var etaSeconds: Double?
    /// The answer's JSON text.
    var result: String?
    /// The problem's JSON text.
    var problem: String?
    var createdAt: UTCTimestamp
    var startedAt: UTCTimestamp?
    var finishedAt: UTCTimestamp?
    /// The number of the newest event.
    var events: Int
    /// Of the request that became the job; nil for one from before jobs had any.
    var traceparent: String?
    /// Iterations of all its solves so far; nil before the first.
    var iteration: Int64?
    /// Relative; nil where nobody knows.
    var gap: Double?
    /// Of a job that has equal parts: fits, points, samples.
    var partsDone: Int32?
    var parts: Int32?

    /// What `GET /api/jobs/{id}` answers.
    func json() throws -> JSONValue {
        [
            "job_id": .string(id), "state": .string(state.rawValue), "progress": JSONValue(progress),
            "phase": .string(phase),
            "eta_s": JSONValue(etaSeconds), "iteration": JSONValue(iteration.map { Int($0) }), "gap": JSONValue(gap),
            "parts_done": JSONValue(partsDone.map { Int($0) }), "parts": JSONValue(parts.map { Int($0) }),
            "result": try Self.parsed(result), "problem": try Self.parsed(problem),
            "created_at": .string(createdAt.isoString), "started_at": JSONValue(startedAt?.isoString),
            "finished_at": JSONValue(finishedAt?.isoString),
            "trace_id": JSONValue(traceparent.map { TraceContext(traceparent: $0).traceID }),
        ]
    }

    private static func parsed(_ text: String?) throws -> JSONValue {
        guard let text else { return .null }
        return try StrictJSON.parse(text, limits: .stored)
    }

    /// Whether a path's text can be the id of a job.
    static func isID(_ text: String) -> Bool {
        text.utf8.count == 14
            && text.utf8.allSatisfy {
                ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                    || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z"))
            }
    }
}

/// Which call a job's request is of: the words of the column.
enum JobKind: String, Sendable {
    case optimize, backtest
}

/// A job that this process works on.
struct ClaimedWork: Sendable {
    /// The run's own span in the trace that the job was asked for in.
    var trace: TraceContext
    var tenant: UUID
    var id: String
    /// What the request asks for.
    var kind: JobKind
    /// Grows with each claim and with a cancellation: whoever has an older one can write nothing.
    var fence: Int64
    /// The request's JSON text, as it came.
    var request: String
    var isStrict: Bool
    var subject: String
    var requestID: String?
    var estimateSeconds: Double
}
