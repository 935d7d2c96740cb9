import Foundation

/// The most memory this process has held.
enum ProcessMemory {
    /// Bytes, from the kernel's VmHWM; nil where there is no /proc.
    static var peakBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(whereSeparator: { $0.isWhitespace }).dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return 1024 * kibibytes
    }
}
