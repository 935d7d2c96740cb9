import Foundation

/// The most memory this process has held, and the processor time it has used.
enum ProcessMemory {
    /// Bytes, from the kernel's VmHWM; nil where there is no /proc.
    static var peakBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(whereSeparator: { $0.isWhitespace }).dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return 1024 * kibibytes
    }

    /// Milliseconds of all threads together.
    static var processorMilliseconds: Double {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .nan }
        return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
    }
}
