import Dispatch
import PortfolioModels
import Synchronization
import WireFormat

/// A whole backtest several times: every fit solved and verified, the path walked, its figures made.
///
/// `threads` in the order makes the fits on as many threads, which the service does with all its processors; each fit is the same wherever
/// it is made.
enum BacktestMeasurement {
    static func measure(_ wanted: JSONValue, _ panel: ReturnPanel, repeats: Int, threads: Int = 1) throws -> JSONValue {
        var members = wanted.objectValue ?? JSONObject()
        members["assets"] = JSONValue(panel.assets)
        if members["periods_per_year"] == nil { members["periods_per_year"] = 252 }
        let request = try BacktestRequest(json: .object(members))
        let clock = ContinuousClock()
        var times: [Double] = []
        var processor: [Double] = []
        var answer = JSONObject()
        for _ in 0..<max(1, repeats) {
            let start = clock.now
            let before = ProcessMemory.processorMilliseconds
            do {
                let backtest = try Backtest(request, panel: panel)
                let figures = try threads > 1 ? parallel(backtest, threads) : backtest.run()
                times.append((clock.now - start) / .milliseconds(1))
                processor.append(ProcessMemory.processorMilliseconds - before)
                answer["fits"] = JSONValue(backtest.fits)
                answer["failures"] = JSONValue(figures.failures.count)
                answer["returns"] = JSONValue(figures.paths[0].returns)
                answer["weights"] = .array(figures.fits.map { JSONValue($0.weights ?? []) })
            } catch {
                return ["problem": error.json(requestID: nil)]
            }
        }
        answer["whole_ms"] = JSONValue(times)
        answer["cpu_ms"] = JSONValue(processor)
        return .object(answer)
    }

    /// Each thread takes the next fit that nobody has.
    private static func parallel(_ backtest: Backtest, _ threads: Int) throws(Problem) -> BacktestFigures {
        let next = Atomic<Int>(0)
        let found = Mutex<[Int: Result<Backtest.Outcome, Problem>]>([:])
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < backtest.fits else { return }
                let outcome = Result { () throws(Problem) in try backtest.fit(index) }
                found.withLock { $0[index] = outcome }
            }
        }
        var outcomes: [Backtest.Outcome] = []
        for index in 0..<backtest.fits {
            guard let outcome = found.withLock({ $0[index] }) else {
                throw Problem(.internalError, "A fit is missing.")
            }
            outcomes.append(try outcome.get())
        }
        return try backtest.assemble(outcomes)
    }
}
