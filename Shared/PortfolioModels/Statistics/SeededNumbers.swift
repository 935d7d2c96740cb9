/// A repeatable stream of pseudo-random numbers: the same seed gives the same stream on every machine and version.
///
/// Source: S. Vigna (2015), SplitMix64; D. Lemire (2019), Fast Random Integer Generation in an Interval.
struct SeededNumbers {
    private var state: UInt64

    init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) }

    /// Uniform over all 64-bit words.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    mutating func uniform() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }

    /// Uniform in 0 ..< bound; the bias is below bound / 2^64.
    mutating func pick(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }
}
