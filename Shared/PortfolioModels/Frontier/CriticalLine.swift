import LinearAlgebra
import WireFormat

/// The turning points of the mean-variance frontier: the portfolios between which all others lie on straight lines.
///
/// ```
/// min 1/2 w'S w - lambda m'w   s.t.  rows of equality, rows of at most h, l <= w <= u
/// ```
/// For a given set of free weights and rows that bind, w, the prices and the slopes of the other weights are linear in lambda: from the least
/// variance (lambda = 0) the set stays until the first of them changes its sign, which is a turning point, and one of the set changes. Every
/// set is solved anew, so rounding does not add up.
///
/// Source: H. Markowitz (1956), The optimization of a quadratic function subject to linear constraints, Naval Research Logistics Quarterly 3;
/// A. Niedermayer, D. Niedermayer (2007), Applying Markowitz's Critical Line Algorithm.
struct CriticalLine {
    private let covariance: Matrix
    private let mean: [Double]
    private let lower: [Double]
    private let upper: [Double]
    /// Rows `a'w <= level`, equalities first.
    private let rows: [(coefficients: [Double], level: Double)]
    private let equalities: Int
    private let deadline: () -> Bool

    /// Where a weight is: at a bound, or between them.
    private enum Place { case free, low, high }

    /// - Parameter isOver: polled at each turning point.
    /// - Throws: `REQ-105` for constraints that are not linear in the weights.
    init(_ model: MeanVariance, isOver: @escaping () -> Bool) throws(Problem) {
        let set = model.constraints
        // In units, so that tolerances mean the same for all data.
        var scaled = model.covariance
        for i in scaled.storage.indices { scaled.storage[i] /= model.unit * model.unit }
        covariance = scaled
        mean = model.mean.map { $0 / model.unit }
        (lower, upper) = (set.lower, set.upper)
        var equal: [([Double], Double)] = []
        var most: [([Double], Double)] = []
        for constraint in set.constraints {
            switch constraint.kind {
            case .bounds: break
            case .equal(let a): equal.append((a, constraint.level))
            case .atMost(let a): most.append((a, constraint.level))
            case .atLeast(let a): most.append((a.map { -$0 }, -constraint.level))
            case .hinge, .convex:
                throw Self.refused("\(constraint.name) is not linear in the weights.")
            }
        }
        guard set.soft.isEmpty else { throw Self.refused("Soft constraints have no turning points of their own.") }
        rows = equal + most
        equalities = equal.count
        deadline = isOver
    }

    static func refused(_ reason: String) -> Problem {
        Problem(
            JSONPointer(["efficient_frontier", "turning_points"]), .contradiction,
            "Turning points are those of mean-variance under linear constraints. \(reason)")
    }

    /// From the least variance to the largest return.
    /// - Parameter start: weights of the least variance, as exact as a solver makes them.
    /// - Throws: `OPT-202` where the set of the least variance is not unique, `SYS-201`.
    func points(from start: [Double]) throws(Problem) -> [[Double]] {
        var places = start.indices.map { i -> Place in
            let near = 1e-9 * max(1, abs(start[i]))
            if start[i] <= lower[i] + near { return .low }
            return start[i] >= upper[i] - near ? .high : .free
        }
        var binding = rows.indices.filter { j in
            j < equalities || Vector.dot(rows[j].coefficients, start) >= rows[j].level - 1e-9 * size(of: j)
        }
        var lambda = 0.0
        var found: [[Double]] = []
        for pivot in 0..<(40 * (start.count + rows.count) + 200) {
            if deadline() { throw Problem(.deadline, "The deadline passed at turning point \(found.count).") }
            guard let line = Line(self, places, binding) else { throw Self.ambiguous }
            let event = line.next(after: lambda)
            // The first set may hold more than it needs: what it drops at once moves nothing.
            if pivot == 0 || (event?.lambda ?? .infinity) > lambda * (1 + 1e-12) {
                let point = line.weights(lambda)
                if found.last.map({ zip($0, point).contains { abs($0 - $1) > 1e-11 } }) ?? true { found.append(point) }
            }
            guard let event else { return found }
            lambda = max(event.lambda, lambda)
            switch event.change {
            case .place(let i, let place): places[i] = place
            case .release(let i): places[i] = .free
            case .bind(let j): binding.append(j)
            case .drop(let j): binding.removeAll { $0 == j }
            }
        }
        throw Self.ambiguous
    }

    private static let ambiguous = Problem(
        .unstable,
        "The frontier has no unique turning points: several portfolios share a return and a risk. Ask for a number of points."
    )

    private func size(of row: Int) -> Double {
        rows[row].coefficients.reduce(abs(rows[row].level)) { max($0, abs($1)) }
    }

    // MARK: One set

    private enum Change {
        case place(Int, Place), release(Int), bind(Int), drop(Int)
    }

    /// What one set of free weights and binding rows makes of the weights: linear functions of lambda.
    private struct Line {
        private let whole: CriticalLine
        private let places: [Place]
        private let binding: [Int]
        /// Weights, the slopes of the weights at bounds, and the prices of the binding rows, each `constant + lambda slope`.
        private var weight: (constant: [Double], slope: [Double])
        private var reduced: (constant: [Double], slope: [Double])
        private var price: (constant: [Double], slope: [Double])

        /// Nil where the set does not determine the weights.
        init?(_ whole: CriticalLine, _ places: [Place], _ binding: [Int]) {
            self.whole = whole
            self.places = places
            self.binding = binding
            let n = places.count
            let free = places.indices.filter { places[$0] == .free }
            var fixed = [Double](repeating: 0, count: n)
            for i in places.indices where places[i] != .free {
                fixed[i] = places[i] == .low ? whole.lower[i] : whole.upper[i]
            }
            let pulled = whole.covariance.symmetricMultiplied(by: fixed)
            weight = (fixed, [Double](repeating: 0, count: n))
            price = (binding.map { _ in 0 }, binding.map { _ in 0 })
            if !free.isEmpty {
                // [S A'; A 0] by way of S = LL' and the rows' own Schur complement.
                guard let factor = try? Cholesky(factorising: whole.covariance.submatrix(rows: free, columns: free))
                else { return nil }
                let (constant, slope) = (
                    factor.solve(free.map { -pulled[$0] }), factor.solve(free.map { whole.mean[$0] })
                )
                var (first, second) = (constant, slope)
                if !binding.isEmpty {
                    let sides = Matrix(
                        rows: free.count, columns: binding.count,
                        columnMajor: binding.flatMap { j in free.map { whole.rows[j].coefficients[$0] } })
                    let solved = factor.solve(sides)
                    var complement = Matrix(rows: binding.count, columns: binding.count)
                    complement.gemm(sides, solved, transposeFirst: true)
                    guard let schur = try? Cholesky(factorising: complement) else { return nil }
                    let levels = binding.map { j in
                        whole.rows[j].level - Vector.dot(whole.rows[j].coefficients, fixed)
                    }
                    let reached = sides.transposedMultiplied(by: constant)
                    price.constant = schur.solve(zip(reached, levels).map { $0 - $1 })
                    price.slope = schur.solve(sides.transposedMultiplied(by: slope))
                    solved.gemv(price.constant, scale: -1, beta: 1, into: &first)
                    solved.gemv(price.slope, scale: -1, beta: 1, into: &second)
                }
                for (place, i) in free.enumerated() {
                    (weight.constant[i], weight.slope[i]) = (first[place], second[place])
                }
            } else if !binding.isEmpty {
                return nil
            }
            // S w - lambda m + A'p, of the weights at bounds.
            reduced.constant = whole.covariance.symmetricMultiplied(by: weight.constant)
            reduced.slope = whole.covariance.symmetricMultiplied(by: weight.slope)
            for i in places.indices { reduced.slope[i] -= whole.mean[i] }
            for (place, j) in binding.enumerated() {
                Vector.axpy(price.constant[place], whole.rows[j].coefficients, &reduced.constant)
                Vector.axpy(price.slope[place], whole.rows[j].coefficients, &reduced.slope)
            }
        }

        func weights(_ lambda: Double) -> [Double] {
            weight.constant.indices.map { i in
                let value = weight.constant[i] + lambda * weight.slope[i]
                return min(max(value, whole.lower[i]), whole.upper[i])
            }
        }

        /// The first change of the set beyond `lambda`; nil where it stays for ever.
        func next(after lambda: Double) -> (lambda: Double, change: Change)? {
            var best: (lambda: Double, change: Change)?
            // constant + lambda slope has to stay at zero or above.
            func consider(_ constant: Double, _ slope: Double, _ scale: Double, _ change: @autoclosure () -> Change) {
                let present = constant + lambda * slope
                let tolerance = 1e-12 * scale
                guard slope < 0 || present < -1e3 * tolerance else { return }
                // What does not move but by rounding never gets there.
                if slope >= -1e-14 * scale, present >= -1e3 * tolerance { return }
                let at = present <= tolerance ? lambda : -constant / slope
                if at < best?.lambda ?? .infinity { best = (max(at, lambda), change()) }
            }
            let slopes = weight.slope.reduce(1e-300) { max($0, abs($1)) }
            let forces =
                reduced.constant.reduce(1) { max($0, abs($1)) } + lambda * whole.mean.reduce(0) { max($0, abs($1)) }
            for i in places.indices where whole.lower[i] < whole.upper[i] {
                let (a, b) = (weight.constant[i], weight.slope[i])
                switch places[i] {
                case .free where abs(b) <= 1e-12 * slopes: break
                case .free:
                    if whole.lower[i] > -.infinity { consider(a - whole.lower[i], b, 1, .place(i, .low)) }
                    if whole.upper[i] < .infinity { consider(whole.upper[i] - a, -b, 1, .place(i, .high)) }
                case .low: consider(reduced.constant[i], reduced.slope[i], forces, .release(i))
                case .high: consider(-reduced.constant[i], -reduced.slope[i], forces, .release(i))
                }
            }
            let isBinding = Set(binding)
            for j in whole.equalities..<max(whole.rows.count, whole.equalities) where !isBinding.contains(j) {
                let row = whole.rows[j]
                consider(
                    row.level - Vector.dot(row.coefficients, weight.constant),
                    -Vector.dot(row.coefficients, weight.slope), whole.size(of: j), .bind(j))
            }
            for (place, j) in binding.enumerated() where j >= whole.equalities {
                consider(price.constant[place], price.slope[place], forces, .drop(j))
            }
            return best
        }
    }
}
