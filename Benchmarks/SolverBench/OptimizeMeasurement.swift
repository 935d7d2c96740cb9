import PortfolioModels
import WireFormat

/// One request solved several times, each time from the decoded request and the returns in memory: statistics, solve,
/// metrics, and the check that every answer passes before it leaves the service.
enum OptimizeMeasurement {
    /// - Parameter near: weights from which each solve starts.
    static func measure(
        _ wanted: JSONValue, _ panel: ReturnPanel, repeats: Int, near: [Double]? = nil
    ) throws -> JSONValue {
        var members = wanted.objectValue ?? JSONObject()
        members["assets"] = JSONValue(panel.assets)
        if members["periods_per_year"] == nil { members["periods_per_year"] = 252 }
        let request = try OptimizeRequest(json: .object(members))
        let clock = ContinuousClock()
        var whole: [Double] = []
        var checked: [Double] = []
        var processor: [Double] = []
        var alone: [Double] = []
        // Kept moments and no metrics: what is left is the solver's.
        let base = try? MomentEstimation.base(request, panel: panel).moments
        var answer = JSONObject()
        for _ in 0..<max(1, repeats) {
            let start = clock.now
            let before = ProcessMemory.processorMilliseconds
            do {
                let result = try PortfolioOptimization.run(request, panel: panel, near: near)
                let solved = clock.now
                whole.append((solved - start) / .milliseconds(1))
                try Verification.check(request, panel: panel, result: result)
                checked.append((clock.now - start) / .milliseconds(1))
                processor.append(ProcessMemory.processorMilliseconds - before)
                answer = Self.answer(result)
                guard let base, request.frontier == nil, repeats > 1 else { continue }
                let again = clock.now
                _ = try PortfolioOptimization.run(request, panel: panel, scope: .none, base: base, near: near)
                alone.append((clock.now - again) / .milliseconds(1))
            } catch {
                return [
                    "problem": error.json(requestID: nil),
                    "whole_ms": JSONValue((clock.now - start) / .milliseconds(1)),
                ]
            }
        }
        answer["whole_ms"] = JSONValue(whole)
        if !alone.isEmpty { answer["solver_ms"] = JSONValue(alone) }
        answer["cpu_ms"] = JSONValue(processor)
        answer["checked_ms"] = JSONValue(checked)
        answer["peak_bytes"] = JSONValue(ProcessMemory.peakBytes)
        return .object(answer)
    }

    private static func answer(_ result: OptimizationResult) -> JSONObject {
        let solution = result.solution
        return JSONObject([
            ("weights", JSONValue(result.weights)), ("objective_value", JSONValue(solution.objectiveValue)),
            ("risk", JSONValue(solution.risk)), ("expected_return", JSONValue(solution.expectedReturn)),
            ("gap", JSONValue(solution.dualityGap)), ("iterations", JSONValue(solution.iterations)),
            ("method", .string(solution.method)),
            ("frontier_points", JSONValue(result.frontier?.count)),
            ("figures", .object(JSONObject(result.modelFigures.map { ($0.name, JSONValue($0.value)) }))),
        ])
    }
}
