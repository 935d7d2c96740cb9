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

    /// How far along a direction each value comes to zero: where it has the sign of `side`, moves against it by more than `least`, and
    /// counts; else infinite. A value that is beyond zero by a rounding is there at once.
    public static func distances(
        _ values: [Double], _ directions: [Double], sides: [Double], counts: [Double], least: Double,
        into distances: inout [Double]
    ) {
        let count = values.count
        precondition(
            directions.count == count && sides.count == count && counts.count == count && distances.count == count)
        values.withUnsafeBytes { values in
            directions.withUnsafeBytes { directions in
                sides.withUnsafeBytes { sides in
                    counts.withUnsafeBytes { counts in
                        distances.withUnsafeMutableBytes { out in
                            var t = 0
                            while t + 8 <= count {
                                let speed = directions.loadUnaligned(fromByteOffset: 8 * t, as: Lanes.self)
                                let side = sides.loadUnaligned(fromByteOffset: 8 * t, as: Lanes.self)
                                let value = values.loadUnaligned(fromByteOffset: 8 * t, as: Lanes.self)
                                let bend = counts.loadUnaligned(fromByteOffset: 8 * t, as: Lanes.self)
                                let length = -value / speed
                                var distance = length.replacing(with: 0, where: length .< 0)
                                distance.replace(with: .infinity, where: (side * speed .>= -least) .| (bend .<= 0))
                                out.storeBytes(of: distance, toByteOffset: 8 * t, as: Lanes.self)
                                t += 8
                            }
                            for i in t..<count {
                                let load = { (bytes: UnsafeRawBufferPointer) in
                                    bytes.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)
                                }
                                let speed = load(directions)
                                let isAhead = load(sides) * speed < -least && load(counts) > 0
                                let distance = isAhead ? max(-load(values) / speed, 0) : .infinity
                                out.storeBytes(of: distance, toByteOffset: 8 * i, as: Double.self)
                            }
                        }
                    }
                }
            }
        }
    }
}
