public import LinearAlgebra

/// A small seeded generator: the same data on every machine and in every run.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Nearly normal: the sum of twelve uniforms.
    public mutating func normal() -> Double {
        var sum = -6.0
        for _ in 0..<12 { sum += uniform() }
        return sum
    }

    /// Uniform in 0..<bound.
    public mutating func integer(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True with the given probability.
    public mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

    /// Nearly normal numbers.
    public mutating func vector(_ n: Int) -> [Double] { (0..<n).map { _ in normal() } }

    /// Nearly normal numbers, m x n.
    public mutating func matrix(_ m: Int, _ n: Int) -> Matrix {
        Matrix(rows: m, columns: n, columnMajor: vector(m * n))
    }
}
