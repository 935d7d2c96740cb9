import CoreMetrics
import ServiceKit
import Testing

@Suite("Prometheus text")
struct PrometheusTests {
    /// The rules of the format 0.0.4 that a scraper relies on.
    private func lint(_ text: String) -> [String] {
        var faults: [String] = []
        var types: [String: String] = [:]
        var current = ""
        var seen: Set<String> = []
        if !text.hasSuffix("\n") { faults.append("no final newline") }
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# HELP ") { continue }
            if line.hasPrefix("# TYPE ") {
                let parts = line.split(separator: " ")
                guard parts.count == 4, ["counter", "gauge", "histogram"].contains(String(parts[3])) else {
                    faults.append("bad type: \(line)")
                    continue
                }
                current = String(parts[2])
                if types.updateValue(String(parts[3]), forKey: current) != nil {
                    faults.append("type twice: \(current)")
                }
                continue
            }
            guard
                line.wholeMatch(
                    of:
                        /[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="(\\[\\n"]|[^\\"\n])*"(,[a-zA-Z_][a-zA-Z0-9_]*="(\\[\\n"]|[^\\"\n])*")*\})? (NaN|[+-]Inf|[-+0-9.e]+)/
                ) != nil
            else {
                faults.append("bad line: \(line)")
                continue
            }
            if !line.hasPrefix(current) { faults.append("outside its family: \(line)") }
            let series = String(line[..<(line.lastIndex(of: " ") ?? line.endIndex)])
            if !seen.insert(series).inserted { faults.append("twice: \(series)") }
        }
        return faults
    }

    @Test("writes counters, gauges and histograms that a scraper can read")
    func text() async throws {
        let registry = PrometheusRegistry()
        registry.describe("jobs_total", "Jobs\nby \\ outcome")
        Counter(label: "jobs_total", dimensions: [("outcome", "done")], factory: registry).increment(by: 3)
        Counter(label: "jobs_total", dimensions: [("outcome", "a\"b\\c\nd")], factory: registry).increment()
        Meter(label: "queue.depth", factory: registry).set(4.5)
        registry.describe("solve_seconds", "Solves", buckets: [0.1, 1])
        let timer = Timer(label: "solve_seconds", dimensions: [("model", "Classic")], factory: registry)
        timer.recordMilliseconds(50)
        timer.recordMilliseconds(500)
        timer.recordSeconds(5)
        registry.addCollector { [.init("pool_connections", labels: [("state", "idle")], value: 2)] }
        registry.addProcessMetrics(service: "test", version: ServiceVersion())
        let text = await registry.text()
        #expect(lint(text) == [])
        #expect(text.contains("# HELP jobs_total Jobs\\nby \\\\ outcome\n# TYPE jobs_total counter\n"))
        #expect(text.contains("jobs_total{outcome=\"done\"} 3\n"))
        #expect(text.contains("jobs_total{outcome=\"a\\\"b\\\\c\\nd\"} 1\n"))
        #expect(text.contains("queue_depth 4.5\n"))
        #expect(text.contains("solve_seconds_bucket{model=\"Classic\",le=\"0.1\"} 1\n"))
        #expect(text.contains("solve_seconds_bucket{model=\"Classic\",le=\"1\"} 2\n"))
        #expect(text.contains("solve_seconds_bucket{model=\"Classic\",le=\"+Inf\"} 3\n"))
        #expect(text.contains("solve_seconds_sum{model=\"Classic\"} 5.55\n"))
        #expect(text.contains("solve_seconds_count{model=\"Classic\"} 3\n"))
        #expect(text.contains("pool_connections{state=\"idle\"} 2\n"))
        #expect(text.contains("build_info{"))
        #expect(text.contains("process_resident_memory_bytes "))
    }

    @Test("the same label made twice is the same series")
    func shared() async {
        let registry = PrometheusRegistry()
        for _ in 0..<3 { Counter(label: "c_total", factory: registry).increment() }
        #expect(await registry.text().contains("c_total 3\n"))
    }

    @Test("series beyond the limit are counted together")
    func limit() async {
        let registry = PrometheusRegistry(seriesLimit: 5)
        for n in 0..<100 { Counter(label: "c_total", dimensions: [("n", "\(n)")], factory: registry).increment() }
        let text = await registry.text()
        #expect(text.split(separator: "\n").count == 7)
        #expect(text.contains("c_total{overflow=\"true\"} 95\n"))
    }

    @Test("concurrent increments are all counted")
    func concurrent() async {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 { Counter(label: "c_total", factory: registry).increment() }
                }
            }
        }
        #expect(await registry.text().contains("c_total 8000\n"))
    }
}
