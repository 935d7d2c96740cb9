import ServiceKit
import WireFormat

/// Why a request is not let in, and when it may come again.
struct AdmissionRefusal: Sendable, Equatable {
    enum Cause: Int, Sendable, CaseIterable {
        /// Of the queue the tenant has more than its part.
        case part
        /// More is asked than can be answered in time.
        case load
    }

    var cause: Cause
    /// From 1 to `longest`.
    var seconds: Int

    static let longest = 30

    /// - Parameter expected: seconds that the request would wait.
    init(_ cause: Cause, expected: Double) {
        self.cause = cause
        seconds = max(1, min(Self.longest, Int(expected.rounded(.up))))
    }

    var code: ProblemCode { cause == .part ? .rateLimited : .overloaded }

    var problem: Problem {
        switch cause {
        case .part:
            Problem(
                code, "More requests of this tenant wait already than its part of the queue.",
                retryAfter: seconds)
        case .load:
            Problem(
                code,
                "More requests wait already than are answered in time; about \(seconds) s until this one would be let in.",
                retryAfter: seconds)
        }
    }

    /// The refusal written ahead: under overload there are thousands a second.
    var ready: ReadyProblem { Self.written[cause.rawValue * Self.longest + seconds - 1] }

    private static let written = Cause.allCases.flatMap { cause in
        (1...longest).map { ReadyProblem(AdmissionRefusal(cause, expected: Double($0)).problem) }
    }
}
