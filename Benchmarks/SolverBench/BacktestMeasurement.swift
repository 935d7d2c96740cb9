import PortfolioModels
import WireFormat

/// A whole backtest several times, on one thread: every fit solved and verified, the path walked, its figures made.
enum BacktestMeasurement {
    static func measure(_ wanted: JSONValue, _ panel: ReturnPanel, repeats: Int) throws -> JSONValue {
        var members = wanted.objectValue ?? JSONObject()
        members["assets"] = JSONValue(panel.assets)
        if members["periods_per_year"] == nil { members["periods_per_year"] = 252 }
        let request = try BacktestRequest(json: .object(members))
        let clock = ContinuousClock()
        var times: [Double] = []
        var answer = JSONObject()
        for _ in 0..<max(1, repeats) {
            let start = clock.now
            do {
                let backtest = try Backtest(request, panel: panel)
                let figures = try backtest.run()
                times.append((clock.now - start) / .milliseconds(1))
                answer["fits"] = JSONValue(backtest.fits)
                answer["failures"] = JSONValue(figures.failures.count)
                answer["returns"] = JSONValue(figures.paths[0].returns)
                answer["weights"] = .array(figures.fits.map { JSONValue($0.weights ?? []) })
            } catch {
                return ["problem": error.json(requestID: nil)]
            }
        }
        answer["whole_ms"] = JSONValue(times)
        return .object(answer)
    }
}
