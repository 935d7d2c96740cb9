/// A fuzzer's bytes as a sequence of choices: whatever they are, they mean a request and a panel, so that coverage leads into the solver
/// rather than into a parser's refusals.
struct Choices {
    private var bytes: ArraySlice<UInt8>
    private var state: UInt64 = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    /// The next byte; zero once there is none, which stands for "as usual" everywhere.
    mutating func byte() -> Int { Int(bytes.popFirst() ?? 0) }

    /// 0..<count.
    mutating func pick(_ count: Int) -> Int { byte() % max(count, 1) }

    mutating func one<T>(of values: [T], otherwise: T) -> T { values.isEmpty ? otherwise : values[pick(values.count)] }

    /// One time in `parts`.
    mutating func chance(_ parts: Int) -> Bool { byte() % max(parts, 1) == parts - 1 }

    /// Plain and awkward numbers.
    mutating func number() -> Double {
        switch pick(8) {
        case 0: return 0
        case 1: return [1e-300, 1e-17, 1e-12, 1e-8, 1e-4, 1, 1e3, 1e8, 1e150, .ulpOfOne, 0.05, 0.5, 1 / 3][pick(13)]
        case 2: return -Double(byte()) / 256
        default: return Double(byte() * 256 + byte()) / 65_536
        }
    }

    /// From -1 to 1, by a generator that the bytes seed once: a panel has more figures than an input has bytes.
    mutating func drawn() -> Double {
        if state == 0 { state = UInt64(1 + byte() * 256 + byte()) &* 0x9E37_79B9_7F4A_7C15 }
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Double(state >> 11) / 4_503_599_627_370_496 - 1
    }
}
