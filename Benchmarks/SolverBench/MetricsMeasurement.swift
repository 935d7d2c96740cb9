import PortfolioModels
import WireFormat

/// The figures of given weights, for comparison with other libraries.
enum MetricsMeasurement {
    static func measure(_ wanted: JSONValue, _ panel: ReturnPanel) throws -> JSONValue {
        var members = wanted.objectValue ?? JSONObject()
        members["assets"] = JSONValue(panel.assets)
        if members["periods_per_year"] == nil { members["periods_per_year"] = 252 }
        do throws(Problem) {
            let request = try MetricsRequest(json: .object(members))
            let found = try PortfolioEvaluation.run(request, panel: panel)
            let meta = OptimizeResponse.Meta(
                version: "", engine: "", solveMilliseconds: 0, totalMilliseconds: 0, cached: false, requestID: nil,
                periodsPerYear: found.periodsPerYear, convention: request.data.convention)
            return found.response(request: request, revision: nil, fingerprint: "", meta: meta, warnings: []).json
        } catch {
            return ["problem": error.json(requestID: nil)]
        }
    }
}
