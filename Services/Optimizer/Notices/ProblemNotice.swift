import Foundation
import PostgresClient
import WireFormat

/// What a tenant is told of a problem: how often it occurred since it was last told of, and the first of these.
struct ProblemNotice: Sendable, Equatable {
    var tenant: UUID
    var code: ProblemCode
    /// Of the first.
    var detail: String
    /// Of the first: the request's identifier, the job's or the portfolio's.
    var source: String
    var count: Int64 = 1
    var first: UTCTimestamp
    var last: UTCTimestamp

    /// Whether anybody besides the caller is told: the specification's three classes.
    static func concerns(_ problem: Problem) -> ProblemCode? {
        guard let code = ProblemCode(rawValue: problem.code) else { return nil }
        return [.data_validation, .optimization, .system].contains(code.problemClass) ? code : nil
    }

    /// Writes the row, which the change log publishes, and the deliveries of the webhooks that ask for it.
    func store(_ pool: PostgresPool) async throws {
        try await pool.transaction(.app(tenant)) { connection in
            _ = try await connection.query(
                """
                SELECT ballast.problem_tell(\(code.rawValue), \(code.problemClass.rawValue), \(code.title), \(detail), \(source),
                    \(count), \(PostgresTimestamp(microsecondsSinceEpoch: first.microsecondsSinceEpoch)), \(PostgresTimestamp(microsecondsSinceEpoch: last.microsecondsSinceEpoch)))::text
                """)
        }
    }
}
