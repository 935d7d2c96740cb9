/// Uniform numbers of a seed, the same on every machine. Source: Steele, Lea and Flood (2014), Fast splittable pseudorandom number
/// generators.
struct SeededUniform: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A stream of its own for a text. Source: Fowler, Noll and Vo, FNV-1a.
    init(seed: UInt64, text: String) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        state = seed &* 0x9E37_79B9_7F4A_7C15 ^ hash
    }

    /// In [0, 1).
    mutating func next() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
}
