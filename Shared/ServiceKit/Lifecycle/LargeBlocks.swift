#if canImport(Glibc)
import CMalloc
#endif

/// How the C library keeps memory that has been given back.
public enum LargeBlocks {
    /// Most bytes of a block that is kept for the next who asks.
    private static let largest: Int32 = 8 << 20
    /// Most bytes that an arena keeps at its end.
    private static let kept: Int32 = 32 << 20

    /// Keeps blocks of the size of a panel instead of giving them back to the kernel after each request: each page that comes new from the kernel is
    /// cleared first, which took a quarter of the time of a small optimisation.
    public static func keep() {
        #if canImport(Glibc)
        // Each is 1 unless the value is beyond the library's limits, and these are far within.
        _ = mallopt(M_MMAP_THRESHOLD, largest)
        _ = mallopt(M_TRIM_THRESHOLD, kept)
        #endif
    }
}
