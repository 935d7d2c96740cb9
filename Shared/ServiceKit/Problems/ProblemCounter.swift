import CoreMetrics
import WireFormat

/// Counts problems by code: `problems_total{code}`. Codes are a closed list, so callers cannot make series.
public struct ProblemCounter: Sendable {
    public static let name = "problems_total"
    private let counters: [String: any CounterHandler]

    public init(_ registry: PrometheusRegistry) {
        registry.describe(Self.name, "Problems that requests, jobs and recalculations ended in, by code")
        counters = Dictionary(
            uniqueKeysWithValues: ProblemCode.allCases.map {
                ($0.rawValue, registry.makeCounter(label: Self.name, dimensions: [("code", $0.rawValue)]))
            })
    }

    public func count(_ code: String) { counters[code]?.increment(by: 1) }
}
