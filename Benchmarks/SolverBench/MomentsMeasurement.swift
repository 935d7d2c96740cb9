import PortfolioModels
import WireFormat

/// The moments that a request's estimators and views come to, for comparison with other libraries: every number of them.
enum MomentsMeasurement {
    static func measure(_ wanted: JSONValue, _ panel: ReturnPanel) throws -> JSONValue {
        var members = wanted.objectValue ?? JSONObject()
        members["assets"] = JSONValue(panel.assets)
        if members["periods_per_year"] == nil { members["periods_per_year"] = 252 }
        do throws(Problem) {
            let request = try OptimizeRequest(json: .object(members))
            let moments = try MomentEstimation.estimate(
                request, panel: panel, periodsPerYear: PortfolioOptimization.periodsPerYear(request, panel))
            let n = panel.assets.count
            return [
                "mean": JSONValue(moments.mean),
                "covariance": .array((0..<n).map { i in JSONValue((0..<n).map { moments.covariance($0, i) }) }),
                "warnings": .array(moments.warnings.map { .string($0.code) }),
            ]
        } catch {
            return ["problem": error.json(requestID: nil)]
        }
    }
}
