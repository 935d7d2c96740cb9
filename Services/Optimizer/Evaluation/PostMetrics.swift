import HTTPTypes
import Hummingbird
import PortfolioModels
import ServiceKit
import WireFormat

/// `POST /api/portfolio/metrics`: decode -> admit -> load -> evaluate -> respond. Stores nothing.
struct PostMetrics: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let start = ContinuousClock.now
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery()
        let timeout = try request.timeout()
        let isStrict = request.prefers("handling=strict")
        let wanted = Carried(try MetricsRequest(json: try await request.jsonBody()))
        let bytes = CostModel.bytes(of: wanted.value.data)
        try optimizer.memory.check(bytes)
        let call = AdmittedCall(
            principal: principal, requestID: context.requestID, cost: CostModel.metrics(wanted.value), bytes: bytes,
            start: start, limit: timeout, client: context.client)
        let answer = try await optimizer.metrics(wanted, call)
        try Optimizer.refuse(answer.value.warnings, isStrict)
        var response = Response(json: answer.value.json)
        response.headers[.cacheControl] = "no-store"
        return response
    }
}

extension Optimizer {
    func metrics(_ wanted: Carried<MetricsRequest>, _ call: AdmittedCall) async throws -> Carried<MetricsResponse> {
        try await admitted(call) { deadline, lane, solve in
            let loaded = Carried(try await load(wanted.value.loading, for: call.principal))
            let found = try await solver.solve(
                lane: lane, deadline: deadline, onStart: { solve.began($0) }, onLong: { solve.isLong() }
            ) {
                () throws(Problem) in
                let begin = ContinuousClock.now
                let evaluation = try PortfolioEvaluation.run(
                    wanted.value, panel: loaded.value.panel, factors: loaded.value.factors, deadline: deadline)
                return Carried((evaluation, (ContinuousClock.now - begin) / .milliseconds(1)))
            }
            let (evaluation, milliseconds) = found.value
            return Carried(
                evaluation.response(
                    request: wanted.value, revision: loaded.value.tick,
                    fingerprint: PanelFingerprint(evaluation.panel).hex,
                    meta: Self.meta(
                        call, solveMilliseconds: milliseconds, periodsPerYear: evaluation.periodsPerYear,
                        convention: wanted.value.data.convention),
                    warnings: loaded.value.warnings))
        }
    }
}

extension CostModel {
    /// Seconds of a core for an evaluation: the contributions of each measure read the panel once, tails and entropies sort and search.
    static func metrics(_ request: MetricsRequest) -> Double {
        let t = Double(observations(of: request.data, today: UTCTimestamp.now.date))
        let n = Double(max(1, request.data.assets.count))
        let measures = Double(request.measures?.count ?? RiskMeasureCode.allCases.count)
        let factors = Double(request.factors?.names.count ?? 0)
        return 0.001 + measures * (t * n * 4 + t * 2000) / 2e9 + n * t * factors * factors * factors / 1e9
    }
}
