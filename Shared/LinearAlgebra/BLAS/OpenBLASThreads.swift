import COpenBLAS

/// How many threads OpenBLAS uses for one call, for the whole process.
///
/// A service that solves on several threads of its own sets one; a single solve of a large program may use more.
public enum OpenBLASThreads {
    /// The present number of threads.
    public static var count: Int { Int(openblas_get_num_threads()) }

    /// Sets the number of threads of all later calls; values below one count as one.
    public static func set(_ count: Int) {
        OpenBLASKernel.prepare()
        openblas_set_num_threads(Int32(clamping: max(1, count)))
    }

    /// Version and processor kernel of the library in use, as it describes itself.
    public static var configuration: String {
        guard let text = openblas_get_config() else { return "unknown" }
        return String(cString: text)
    }
}
