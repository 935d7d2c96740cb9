public import CoreMetrics
import Synchronization

/// Keeps the metrics of one process and writes them in Prometheus' text format.
///
/// It is a `MetricsFactory`: counters and meters become counters and gauges, timers become histograms in seconds, recorders
/// become histograms (aggregate) or gauges. Labels come from the dimensions. A metric has at most `seriesLimit` series: what
/// comes after is counted together under `overflow="true"`, so that no caller can fill the memory.
public final class PrometheusRegistry: MetricsFactory {
    enum Kind: String { case counter, gauge, histogram }

    struct Family {
        var kind: Kind
        var help: String?
        var series: [Labels: any Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var help: [String: String] = [:]
        var buckets: [String: [Double]] = [:]
        var collectors: [@Sendable () async -> [Sample]] = []
    }

    private let state = Mutex(State())
    private let seriesLimit: Int

    /// Seconds: from a millisecond to a minute.
    public static let latencyBuckets = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    public init(seriesLimit: Int = 1000) { self.seriesLimit = seriesLimit }

    // MARK: Describing

    /// The line `# HELP` of a metric, and the upper bounds of its buckets if it is a histogram.
    public func describe(_ name: String, _ help: String, buckets: [Double]? = nil) {
        state.withLock { state in
            state.help[Self.metricName(name)] = help
            if let buckets { state.buckets[Self.metricName(name)] = buckets.sorted() }
        }
    }

    /// A figure that is asked for at each scrape: sizes of pools and queues.
    public struct Sample: Sendable {
        public enum Kind: String, Sendable { case counter, gauge }
        public var name: String
        public var kind: Kind
        public var labels: [(String, String)]
        public var value: Double
        public init(_ name: String, _ kind: Kind = .gauge, labels: [(String, String)] = [], value: Double) {
            self.name = name
            self.kind = kind
            self.labels = labels
            self.value = value
        }
    }

    /// Adds figures that are asked for at each scrape.
    public func addCollector(_ collect: @escaping @Sendable () async -> [Sample]) {
        state.withLock { $0.collectors.append(collect) }
    }

    // MARK: Making

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, .counter, dimensions) { _ in CounterSeries() }
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, .counter, dimensions) { _ in CounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, .gauge, dimensions) { _ in GaugeSeries() }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            series(label, .histogram, dimensions) { HistogramSeries(bounds: $0, scale: 1) }
        } else {
            series(label, .gauge, dimensions) { _ in GaugeSeries() }
        }
    }

    /// A histogram in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, .histogram, dimensions) { HistogramSeries(bounds: $0, scale: 1e-9) }
    }

    /// Series live as long as the process: Prometheus' counters must not vanish.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func series<S: Series>(
        _ label: String, _ kind: Kind, _ dimensions: [(String, String)], make: ([Double]) -> S
    ) -> S {
        let name = Self.metricName(label)
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            // A name used for two kinds: the first one keeps the name, the other is not exported.
            guard family.kind == kind else { return make(Self.latencyBuckets) }
            var labels = Labels(dimensions)
            if family.series[labels] == nil, family.series.count >= seriesLimit {
                labels = Labels([("overflow", "true")])
            }
            if let known = family.series[labels] as? S { return known }
            let made = make(state.buckets[name] ?? Self.latencyBuckets)
            family.series[labels] = made
            state.families[name] = family
            return made
        }
    }

    // MARK: Writing

    /// Everything, in the text format 0.0.4: families and series sorted, each line ends in a newline.
    public func text() async -> String {
        let (families, help, collectors) = state.withLock { ($0.families, $0.help, $0.collectors) }
        var blocks: [String: TextFamily] = [:]
        for (name, family) in families {
            var block = TextFamily(kind: family.kind.rawValue)
            for (labels, series) in family.series { block.lines += series.lines(name: name, labels: labels) }
            blocks[name] = block
        }
        for collect in collectors {
            for sample in await collect() {
                let name = Self.metricName(sample.name)
                let line = TextFormat.line(name, Labels(sample.labels), sample.value)
                blocks[name, default: TextFamily(kind: sample.kind.rawValue)].lines.append(
                    (Labels(sample.labels), line))
            }
        }
        var text = ""
        for (name, block) in blocks.sorted(by: { $0.key < $1.key }) {
            if let help = help[name] { text += "# HELP \(name) \(TextFormat.escapedHelp(help))\n" }
            text += "# TYPE \(name) \(block.kind)\n"
            for line in block.lines.sorted(by: { $0.labels < $1.labels }) { text += line.text }
        }
        return text
    }

    private struct TextFamily {
        var kind: String
        var lines: [(labels: Labels, text: String)] = []
    }

    /// A name in Prometheus' alphabet: `http.server.requests` becomes `http_server_requests`.
    static func metricName(_ label: String) -> String {
        var name = ""
        for scalar in label.unicodeScalars {
            let isAllowed =
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_" || scalar == ":"
                || (("0"..."9").contains(scalar) && !name.isEmpty)
            name.unicodeScalars.append(isAllowed ? scalar : "_")
        }
        return name.isEmpty ? "_" : name
    }
}
