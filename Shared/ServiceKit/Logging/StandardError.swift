#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes bytes to file descriptor 2, whole or not at all as far as the system allows.
enum StandardError {
    /// False where the system refused (full disk, closed pipe). Blocks while the reader is slow.
    static func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { buffer in
                #if canImport(Glibc)
                unsafe Glibc.write(2, buffer.baseAddress, buffer.count)
                #elseif canImport(Musl)
                unsafe Musl.write(2, buffer.baseAddress, buffer.count)
                #else
                unsafe Darwin.write(2, buffer.baseAddress, buffer.count)
                #endif
            }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if !(written < 0 && (errno == EINTR || errno == EAGAIN)) {
                return false
            }
        }
        return true
    }
}
