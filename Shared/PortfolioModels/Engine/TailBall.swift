import ConvexSolver

/// The ball of a divergence that a tail measure maximises over.
struct TailBall: Sendable {
    let divergence: Divergence
    let multiplicity: [Double]
    let radius: Double

    /// `Sum m phi(q/m) <= ln_k(1 / (alpha T))`, m being T times the probabilities.
    init(_ divergence: Divergence, alpha: Double, probabilities: [Double]) {
        self.divergence = divergence
        let count = Double(probabilities.count)
        multiplicity = probabilities.map { $0 * count }
        radius = divergence.logarithm(1 / (alpha * count))
    }

    /// A price z of the ball and the quantile zeta that go with a series, near enough to start from: the least point of
    /// `zeta + z C + z sum_t m_t phi*((y_t - zeta) / z)`, whose slopes are `1 - sum q` and `C - sum m phi(q / m)`.
    func start(_ y: [Double]) -> (price: Double, quantile: Double) {
        guard let most = y.max(), let least = y.min(), most > least else { return (1e-3, y.max() ?? 0) }
        // Over many periods a start within a hundredth will do, and more would take as long as the solve. Over few the halving ends above the
        // least point's price where the search of a quantile gives up: solves without room under their limits need that room.
        guard y.count >= 500 else { return bisect(y, least, most, accuracy: 1e-4, rounds: 12) }
        return descend(y, from: (0.05 * (most - least), most), accuracy: 1e-2)
            ?? bisect(y, least, most, accuracy: 1e-2, rounds: 6)
    }

    /// Newton's method on both, damped; nil where it leaves the region in which there is a minimum inside (near ties of the worst).
    private func descend(
        _ y: [Double], from start: (price: Double, quantile: Double), accuracy: Double
    ) -> (price: Double, quantile: Double)? {
        var (z, zeta) = start
        for _ in 0..<20 {
            var (mass, sum, w0, w1, w2) = (0.0, 0.0, 0.0, 0.0, 0.0)
            for t in y.indices {
                let v = (y[t] - zeta) / z
                let (q, slope, phi) = divergence.conjugate(v)
                let w = multiplicity[t] * slope
                mass += multiplicity[t] * q
                sum += multiplicity[t] * phi
                w0 += w
                w1 += w * v
                w2 += w * v * v
            }
            let (first, second) = (1 - mass, radius - sum)
            let miss = max(abs(first), abs(second) / max(1, abs(radius)))
            if miss < accuracy { return (z, zeta) }
            let determinant = w0 * w2 - w1 * w1
            guard miss.isFinite, determinant > 0 else { return nil }
            let byQuantile = -z * (w2 * first - w1 * second) / determinant
            let byPrice = -z * (w0 * second - w1 * first) / determinant
            // z at most halves or triples, zeta moves with it.
            let share = min(1, byPrice < 0 ? 0.5 * z / -byPrice : 2 * z / max(byPrice, .leastNormalMagnitude))
            (z, zeta) = (z + share * byPrice, zeta + share * byQuantile)
            guard z > 1e-3 * start.price, z < 1e4 * start.price else { return nil }
        }
        return nil
    }

    /// The same inside brackets: the quantile by Newton's method, the price by halving.
    private func bisect(
        _ y: [Double], _ least: Double, _ most: Double, accuracy: Double, rounds: Int
    ) -> (price: Double, quantile: Double) {
        // sum q falls in the quantile; each search begins at the last one found.
        var last = most
        func quantile(_ z: Double) -> Double {
            var (low, high) = (least - 1e3 * z, most + 1e3 * z)
            for _ in 0..<48 {
                var (sum, slope) = (0.0, 0.0)
                for t in y.indices {
                    let found = divergence.conjugate((y[t] - last) / z)
                    sum += multiplicity[t] * found.value
                    slope -= multiplicity[t] * found.slope / z
                }
                if abs(sum - 1) < accuracy { break }
                if sum > 1 { low = last } else { high = last }
                let newton = last - (sum - 1) / slope
                last = newton > low && newton < high ? newton : (low + high) / 2
            }
            return last
        }
        var (low, high) = ((most - least) * 1e-3, (most - least) * 1e2)
        for _ in 0..<rounds {
            let z = (low * high).squareRoot()
            let zeta = quantile(z)
            let sum = y.indices.reduce(0) {
                $0 + multiplicity[$1] * divergence.conjugate((y[$1] - zeta) / z).divergence
            }
            if sum > radius { low = z } else { high = z }
        }
        let z = (low * high).squareRoot()
        return (z, quantile(z))
    }
}
