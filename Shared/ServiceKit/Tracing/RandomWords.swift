import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The system's random numbers, many at a time: for identifiers, of which an answer has several, a call of the system for each word would cost more than
/// the rest of its head.
enum RandomWords {
    private struct Kept {
        var words = [UInt64](repeating: 0, count: 32)
        var next = 32
    }
    private static let kept = Mutex(Kept())

    static func next() -> UInt64 {
        kept.withLock { kept in
            if kept.next == kept.words.count {
                fill(&kept.words)
                kept.next = 0
            }
            defer {
                // A word is given out once.
                kept.words[kept.next] = 0
                kept.next += 1
            }
            return kept.words[kept.next]
        }
    }

    private static func fill(_ words: inout [UInt64]) {
        #if canImport(Glibc) || canImport(Musl)
        // 256 bytes is the most that it gives.
        let filled = unsafe words.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return false }
            return unsafe getentropy(start, bytes.count) == 0
        }
        if filled { return }
        #endif
        var generator = SystemRandomNumberGenerator()
        for n in words.indices { words[n] = generator.next() }
    }
}
