import WireFormat

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension PrometheusRegistry {
    /// Figures of the process itself: build, start, resident memory, open files, dropped log lines.
    public func addProcessMetrics(service: String, version: ServiceVersion) {
        describe("build_info", "1, with the service and its version")
        describe("process_start_time_seconds", "Start of the process since 1970")
        describe("process_resident_memory_bytes", "Resident memory")
        describe("process_open_fds", "Open file descriptors")
        describe("log_lines_waiting_dropped", "Log lines dropped and not yet reported")
        let start = Double(WallClock.now.microsecondsSinceEpoch) / 1e6
        let labels = [("service", service), ("version", version.version), ("commit", version.commit)]
        addCollector {
            var samples = [
                Sample("build_info", labels: labels, value: 1),
                Sample("process_start_time_seconds", value: start),
                Sample("log_lines_waiting_dropped", value: Double(LogSink.standardError.dropped)),
            ]
            if let resident = Self.residentBytes() {
                samples.append(Sample("process_resident_memory_bytes", value: Double(resident)))
            }
            if let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
                samples.append(Sample("process_open_fds", value: Double(files)))
            }
            return samples
        }
    }

    /// The line `VmRSS:   12345 kB` of the process' status; nil where the system has no such file.
    private static func residentBytes() -> Int? {
        guard let data = FileManager.default.contents(atPath: "/proc/self/status") else { return nil }
        let status = String(decoding: data, as: UTF8.self)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }) else { return nil }
        return line.split(separator: " ", omittingEmptySubsequences: true).compactMap { Int($0) }.first.map {
            $0 * 1024
        }
    }
}
