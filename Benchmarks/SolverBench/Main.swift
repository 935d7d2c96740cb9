#if canImport(Glibc)
import CMalloc
#endif
import Foundation
import PortfolioModels
import WireFormat

/// Solves requests that come as lines of JSON on standard input and answers each with one line: what benchmarks and the
/// cross-check against other solvers drive, without a service around the mathematics.
///
/// ```
/// {"do":"optimize","panel":"x.f64","observations":1000,"columns":100,"repeats":5,"request":{"risk_measure":"CVaR"}}
/// {"do":"covariance","panel":"x.f64","observations":2500,"columns":500,"repeats":15,"method":"ledoit"}
/// {"do":"backtest","panel":"x.f64","observations":2520,"columns":20,"repeats":3,"request":{"risk_measure":"CVaR","backtest":{"train":252}}}
/// {"do":"floor","observations":1000,"columns":100}
/// ```
/// A panel is raw float64, little-endian, T x N by rows. `request` is that of `POST /api/portfolio/optimize` without its
/// panel; assets are named S0000, S0001, ...
@main
struct SolverBench {
    static func main() {
        #if canImport(Glibc)
        // As the service does (`LargeBlocks`).
        _ = mallopt(M_MMAP_THRESHOLD, 8 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 32 << 20)
        #endif
        var panels = PanelFiles()
        while let line = readLine() {
            guard !line.isEmpty else { continue }
            let answer: JSONValue
            do {
                answer = try Self.answer(try StrictJSON.parse(line, limits: .stored), &panels)
            } catch {
                answer = ["error": .string("\(error)")]
            }
            print(answer.serialized())
            fflush(nil)
        }
    }

    private static func answer(_ order: JSONValue, _ panels: inout PanelFiles) throws -> JSONValue {
        let rows = order["observations"]?.intValue ?? 0
        let columns = order["columns"]?.intValue ?? 0
        switch order["do"]?.stringValue {
        case "floor":
            return BlasFloor.measure(observations: rows, assets: columns)
        case "optimize":
            let panel = try panels.read(order["panel"]?.stringValue ?? "", observations: rows, assets: columns)
            return try OptimizeMeasurement.measure(
                order["request"] ?? .object(JSONObject()), panel, repeats: order["repeats"]?.intValue ?? 1,
                near: order["near"]?.arrayValue?.compactMap { $0.doubleValue })
        case "backtest":
            let panel = try panels.read(order["panel"]?.stringValue ?? "", observations: rows, assets: columns)
            return try BacktestMeasurement.measure(
                order["request"] ?? .object(JSONObject()), panel, repeats: order["repeats"]?.intValue ?? 1,
                threads: order["threads"]?.intValue ?? 1)
        case "covariance":
            let panel = try panels.read(order["panel"]?.stringValue ?? "", observations: rows, assets: columns)
            return try EstimatorMeasurement.measure(order, panel)
        case "moments":
            let panel = try panels.read(order["panel"]?.stringValue ?? "", observations: rows, assets: columns)
            return try MomentsMeasurement.measure(order["request"] ?? .object(JSONObject()), panel)
        case "metrics":
            let panel = try panels.read(order["panel"]?.stringValue ?? "", observations: rows, assets: columns)
            return try MetricsMeasurement.measure(order["request"] ?? .object(JSONObject()), panel)
        default:
            throw Problem(
                JSONPointer(["do"]), .unknownValue, "Known: optimize, backtest, covariance, moments, metrics, floor.")
        }
    }
}
