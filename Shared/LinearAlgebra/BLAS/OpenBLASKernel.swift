import COpenBLAS

#if canImport(Glibc)
import Glibc
#endif

/// The processor kernel OpenBLAS works with.
///
/// A library older than the processor does not recognise it and falls back to kernels of 2004 (SSE3, "Prescott"), four times
/// slower than the machine (measured: OpenBLAS 0.3.21 on a processor of 2023). The choice is then made again from the
/// processor's own feature flags, once, before the first call of this process. `OPENBLAS_CORETYPE` keeps the last word.
public enum OpenBLASKernel {
    /// The name of the kernel in use, such as "SkylakeX" or "Haswell".
    public static let name: String = {
        let chosen = current()
        guard chosen == "Prescott", getenv("OPENBLAS_CORETYPE") == nil, let better = suggestion(features()) else {
            return chosen
        }
        return reselect(better)
    }()

    /// Makes the choice; every wrapper does this first.
    @inline(__always)
    static func prepare() { _ = name }

    /// The newest kernel family that a processor with these features runs, or nil if the fallback is all there is.
    static func suggestion(_ features: Set<String>) -> String? {
        if features.isSuperset(of: ["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "fma"]) {
            return "SkylakeX"
        }
        if features.isSuperset(of: ["avx2", "fma"]) { return "Haswell" }
        if features.contains("avx") { return "Sandybridge" }
        return nil
    }

    private static func current() -> String {
        guard let text = openblas_get_corename() else { return "unknown" }
        return String(cString: text)
    }

    /// The processor's features as Linux lists them; empty elsewhere.
    private static func features() -> Set<String> {
        guard let file = fopen("/proc/cpuinfo", "r") else { return [] }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0 {
            guard let line else { break }
            let text = String(cString: line)
            if text.hasPrefix("flags") { return Set(text.split(whereSeparator: { $0.isWhitespace }).map(String.init)) }
        }
        return []
    }

    /// Initialises the library's dispatch table once more, if it has one.
    private static func reselect(_ kernel: String) -> String {
        typealias Call = @convention(c) () -> Void
        guard let quit = dlsym(nil, "gotoblas_dynamic_quit"), let initialise = dlsym(nil, "gotoblas_dynamic_init")
        else {
            return current()
        }
        setenv("OPENBLAS_CORETYPE", kernel, 1)
        unsafeBitCast(quit, to: Call.self)()
        unsafeBitCast(initialise, to: Call.self)()
        unsetenv("OPENBLAS_CORETYPE")
        return current()
    }
}
