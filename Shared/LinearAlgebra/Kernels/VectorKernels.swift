/// Passes over vectors, eight elements at a time.
extension Vector {
    private typealias Lanes = SIMD8<Double>

    /// The largest of `-step / value`, values being positive: the reciprocal of how far all stay so. Zero where none falls.
    public static func fallRate(_ values: [Double], _ steps: [Double]) -> Double {
        precondition(values.count == steps.count, "as many steps as values")
        return values.withUnsafeBytes { values in
            steps.withUnsafeBytes { steps in
                let (count, size) = (values.count / 8, MemoryLayout<Lanes>.size)
                var (rate, t) = (0.0, 0)
                func consider(_ value: Double, _ step: Double) {
                    // Divided only where it would be larger than before.
                    if -step > rate * value { rate = -step / value }
                }
                while t + 8 <= count {
                    let value = values.loadUnaligned(fromByteOffset: t / 8 * size, as: Lanes.self)
                    let step = steps.loadUnaligned(fromByteOffset: t / 8 * size, as: Lanes.self)
                    if any(-step .> rate * value) { for i in 0..<8 { consider(value[i], step[i]) } }
                    t += 8
                }
                for i in t..<count {
                    consider(
                        values.loadUnaligned(fromByteOffset: 8 * i, as: Double.self),
                        steps.loadUnaligned(fromByteOffset: 8 * i, as: Double.self))
                }
                return rate
            }
        }
    }
}
