import ConvexSolver
import LinearAlgebra
import RealModule
import WireFormat

/// Coefficients of ordered weighted averages, `risk = sum_i c_i x_(i)` with `x_(1) <= ... <= x_(T)`, as a request names them.
///
/// Source: D. Cajas (2021), OWA Portfolio Optimization, SSRN 3988927; D. Cajas (2023), Higher Order Moment Portfolio Optimization with
/// L-Moments, SSRN 4393155.
struct OrderedCoefficients {
    let request: OptimizeRequest
    /// T.
    let count: Int

    /// The T coefficients, never falling, and a warning where rounding had to be taken out of the caller's.
    /// - Throws: `REQ-104` for coefficients that fall somewhere: such a risk is not convex.
    func make() throws(Problem) -> (coefficients: [Double], warnings: [PortfolioWarning]) {
        let place = JSONPointer(["owa_weights"])
        let raw = try given(place)
        guard raw.count == count else {
            throw Problem(place, .other("length_mismatch"), "\(raw.count) numbers for \(count) periods of the panel.")
        }
        var raised = raw
        var fall = (size: 0.0, rank: 0)
        for i in raised.indices.dropFirst() where raised[i] < raised[i - 1] {
            if raised[i - 1] - raised[i] > fall.size { fall = (raised[i - 1] - raised[i], i) }
            raised[i] = raised[i - 1]
        }
        let range = (raw.max() ?? 0) - (raw.min() ?? 0)
        guard fall.size <= 1e-3 * range else {
            throw Problem(
                place, .other("not_convex"),
                "The numbers have to rise from the worst return to the best for the risk to be convex; number \(fall.rank) is \(raw[fall.rank]), \(fall.size) below the largest before it."
            )
        }
        guard range > 0 || count == 1 else {
            throw Problem(
                place, .outOfRange,
                "All numbers are \(raw.first ?? 0): every portfolio's risk is a multiple of its mean.")
        }
        guard fall.size > 0 else { return (raised, []) }
        guard fall.size > 1e-9 * range else { return (raised, []) }
        return (
            raised,
            [
                PortfolioWarning(
                    code: "owa_weights_raised", pointer: place,
                    detail:
                        "The numbers fall by up to \(fall.size) from one return to the next better one; they were raised to the largest before them, which makes the risk convex."
                )
            ]
        )
    }

    private func given(_ place: JSONPointer) throws(Problem) -> [Double] {
        switch request.owaWeights ?? .builder(OWABuilder(.gmd)) {
        case .given(let numbers): return numbers
        case .builder(let builder): return try build(builder, place)
        }
    }

    private func build(_ builder: OWABuilder, _ place: JSONPointer) throws(Problem) -> [Double] {
        let (alpha, beta) = (request.alpha, request.beta ?? request.alpha)
        switch builder.method {
        case .gmd: return GiniMeanDifference(RiskParameters()).coefficients(count: count)
        case .cvar: return losses(TailCoefficients.conditional(alpha: alpha, count: count))
        case .wcvar: return weighted(builder.alphas, builder.weights)
        case .tg: return losses(TailCoefficients.tailGini(alpha: alpha, levels: request.levels, count: count))
        case .wr: return losses([-1])
        case .rg: return range(losses([-1]), losses([-1]))
        case .cvrg:
            return range(
                losses(TailCoefficients.conditional(alpha: alpha, count: count)),
                losses(TailCoefficients.conditional(alpha: beta, count: count)))
        case .wcvrg:
            let gains =
                builder.betas.isEmpty
                ? weighted(builder.alphas, builder.weights) : weighted(builder.betas, builder.gainWeights)
            return range(weighted(builder.alphas, builder.weights), gains)
        case .tgrg:
            return range(
                losses(TailCoefficients.tailGini(alpha: alpha, levels: request.levels, count: count)),
                losses(
                    TailCoefficients.tailGini(
                        alpha: beta, levels: request.gainLevels ?? request.levels, count: count)))
        case .linearMoment:
            let order = builder.order ?? 2
            return try LinearMomentMeasures(count: count).moment(order, place)
        case .linearMomentMeasure: return try LinearMomentMeasures(count: count).measure(builder, place)
        }
    }

    /// Filled up with zeros to T.
    private func losses(_ coefficients: [Double]) -> [Double] {
        coefficients + [Double](repeating: 0, count: max(count - coefficients.count, 0))
    }

    private func weighted(_ levels: [Double], _ weights: [Double]) -> [Double] {
        var sum = [Double](repeating: 0, count: count)
        for (level, weight) in zip(levels, weights) {
            let own = losses(TailCoefficients.conditional(alpha: level, count: count))
            for i in sum.indices { sum[i] += weight * own[i] }
        }
        return sum
    }

    /// Losses and gains: the gain side from the best return on, with its sign turned.
    private func range(_ low: [Double], _ high: [Double]) -> [Double] { zip(low, high.reversed()).map { $0 - $1 } }
}

/// Coefficients of sample L-moments, and of convex measures made of them.
///
/// ```
/// l_k = sum_i p_(k-1)(i - 1) x_(i) / T,   (n + 1) (T - n - 1) p_(n+1)(x) = (2n + 1)(2x - T + 1) p_n(x) - n (T + n) p_(n-1)(x)
/// ```
/// The recursion of the discrete Chebyshev polynomials loses no digits, where Hosking's sums of binomials cancel.
///
/// Source: J. Hosking (1990), L-moments, JRSS B 52; P. Chebyshev (1864), see G. Szego, Orthogonal Polynomials, section 2.8.
struct LinearMomentMeasures {
    /// T.
    let count: Int

    /// The k-th moment's coefficients, from the smallest value on.
    /// - Throws: `REQ-104` for a moment of higher order than there are periods.
    func moment(_ order: Int, _ place: JSONPointer) throws(Problem) -> [Double] {
        guard order <= count, order >= 1 else {
            throw Problem(
                place.appending("k"), .outOfRange,
                "The L-moment of order \(order) needs as many periods; there are \(count).")
        }
        let T = Double(count)
        return (0..<count).map { i in
            let x = 2 * Double(i) - T + 1
            var (last, p) = (0.0, 1.0)
            for n in 0..<(order - 1) {
                let m = Double(n)
                (last, p) = (p, ((2 * m + 1) * x * p - m * (T + m) * last) / ((m + 1) * (T - m - 1)))
            }
            return p / T
        }
    }

    /// `sum_k phi_k (-1)^k l_k`, k from 2 on, that rises everywhere: phi by constant relative risk aversion, or by a criterion over all
    /// admissible phi (adding up to one, never rising, at most `max_phi`).
    ///
    /// MSS has the least sum of squares, MSD of squared differences. ME has the largest entropy of the coefficients' magnitudes, which
    /// is not concave: its maximum is looked for from MSS, MSD and equal phi by steps of conditional gradients. (Riskfolio-Lib's
    /// relaxation of it is flat: any admissible phi is an answer there.)
    func measure(_ builder: OWABuilder, _ place: JSONPointer) throws(Problem) -> [Double] {
        let order = builder.order ?? 4
        var basis: [[Double]] = []
        for k in 2...max(order, 2) {
            let sign = k % 2 == 0 ? 1.0 : -1
            basis.append(try moment(k, place).map { sign * $0 })
        }
        if builder.weighting == .crra {
            var (phi, rising): ([Double], Double) = ([], 1)
            var factorial = 1.0
            for i in 1..<order {
                rising *= builder.gamma + Double(i) - 1
                factorial *= Double(i + 1)
                phi.append(rising / factorial)
            }
            let total = phi.reduce(0, +)
            var sum = combined(basis, phi.map { $0 / total })
            for i in sum.indices.dropFirst() { sum[i] = max(sum[i], sum[i - 1]) }
            return sum
        }
        return combined(basis, try admissible(basis, builder, place))
    }

    private func combined(_ basis: [[Double]], _ phi: [Double]) -> [Double] {
        var sum = [Double](repeating: 0, count: count)
        for (moment, weight) in zip(basis, phi) { Vector.axpy(weight, moment, &sum) }
        return sum
    }

    private func admissible(
        _ basis: [[Double]], _ builder: OWABuilder, _ place: JSONPointer
    ) throws(Problem) -> [Double] {
        let steps = basis.map { moment in zip(moment.dropFirst(), moment).map { $0 - $1 } }
        switch builder.weighting {
        case .crra, .sumOfSquares: return try program(basis, steps, squares: basis, linear: nil, builder, place)
        case .squaredDifferences: return try program(basis, steps, squares: steps, linear: nil, builder, place)
        case .maximumEntropy:
            func entropy(_ phi: [Double]) -> Double {
                combined(basis, phi).reduce(0) { $0 - ($1 == 0 ? 0 : abs($1) * Double.log(abs($1))) }
            }
            var best: (value: Double, phi: [Double])?
            for squares in [basis, steps] {
                var phi = try program(basis, steps, squares: squares, linear: nil, builder, place)
                // The entropy grows along its linearisation's maximum, as far as a line search finds.
                for _ in 0..<60 {
                    let theta = combined(basis, phi)
                    let slope = theta.map { $0 == 0 ? 0 : ($0 > 0 ? -1.0 : 1) * (Double.log(abs($0)) + 1) }
                    let vertex = try program(
                        basis, steps, squares: nil, linear: basis.map { -Vector.dot($0, slope) }, builder, place)
                    var (step, value) = (0.0, entropy(phi))
                    for candidate in stride(from: 1.0, through: 0.001, by: -0.001) {
                        let moved = zip(phi, vertex).map { (1 - candidate) * $0 + candidate * $1 }
                        let reached = entropy(moved)
                        if reached > value + 1e-15 { (step, value) = (candidate, reached) }
                    }
                    guard step > 0 else { break }
                    phi = zip(phi, vertex).map { (1 - step) * $0 + step * $1 }
                }
                let value = entropy(phi)
                if value > best?.value ?? -.infinity { best = (value, phi) }
            }
            return best?.phi ?? []
        }
    }

    /// The admissible phi of least sum of squares, or of least linear cost.
    private func program(
        _ basis: [[Double]], _ steps: [[Double]], squares: [[Double]]?, linear: [Double]?, _ builder: OWABuilder,
        _ place: JSONPointer
    ) throws(Problem) -> [Double] {
        let n = basis.count
        let size = basis[0].reduce(0) { max($0, abs($1)) }
        var P: Matrix?
        if let squares {
            var gram = Matrix(rows: n, columns: n)
            for i in 0..<n { for j in 0..<n { gram[i, j] = Vector.dot(squares[i], squares[j]) } }
            let largest = gram.maximumMagnitude
            for i in gram.storage.indices { gram.storage[i] /= largest }
            P = gram
        }
        let largestStep = steps.reduce(0.0) { $1.reduce($0) { max($0, abs($1)) } }
        var G = Matrix(rows: count - 1 + n - 1, columns: n)
        for k in 0..<n { for t in 0..<(count - 1) { G[t, k] = -steps[k][t] / largestStep } }
        for k in 1..<max(n, 1) {
            G[count - 1 + k - 1, k] = 1
            G[count - 1 + k - 1, k - 1] = -1
        }
        let program = QuadraticProgram(
            P: P, q: (linear ?? [Double](repeating: 0, count: n)).map { linear == nil ? 0 : $0 / size },
            A: Matrix([[Double](repeating: 1, count: n)]), b: [1], G: G, h: [Double](repeating: 0, count: G.rows),
            lower: [Double](repeating: 0, count: n), upper: [Double](repeating: builder.mostPhi, count: n))
        let none = Problem(
            place, .other("no_convex_combination"),
            "No admissible combination of the L-moments up to order \(n + 1) rises over \(count) periods: CRRA always has one, and so has a larger max_phi or more history."
        )
        if n == 1, builder.mostPhi < 1 { throw none }
        guard let found = try? InteriorPointMethod.solve(program, settings: SolverSettings()) else { throw none }
        guard found.status == .optimal else { throw none }
        let total = found.x.reduce(0, +)
        return found.x.map { max($0, 0) / total }
    }
}
