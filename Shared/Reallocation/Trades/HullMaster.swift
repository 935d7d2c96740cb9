import LinearAlgebra

/// Weights of each asset's choices that make objective and rows best, for a given list of choices: the convex relaxation over it.
///
///     minimise   sum_ij c_ij x_ij + |y|^2 / 2 + penalty sum_q e_q
///     subject to y = y0 + sum_ij beta_i k_ij x_ij,   sum_ij rho_ijq x_ij + s_q - e_q = R_q,   sum_j x_ij = 1,   x, s, e >= 0
///
/// A feasible primal-dual interior-point method with predictor and corrector. The choices of one asset are eliminated by themselves, so that a
/// step solves a system of as many unknowns as there are factors and rows. Source: Mehrotra (1992), On the implementation of a
/// primal-dual interior point method; Dantzig and Wolfe (1960) for the choices as columns.
struct HullMaster {
    /// The choices of all assets, one asset after the other.
    struct Columns {
        var starts: [Int] = [0]
        var k: [Double] = []
        var cost: [Double] = []
        /// Gains of each choice, by side.
        var short: [Double] = []
        var long: [Double] = []
        /// What each choice adds to the rows, a choice's rows side by side.
        var rows: [Double] = []
    }

    let columns: Columns
    /// Loadings for a step, an asset's factors side by side.
    let loadings: [Double]
    let factors: Int
    let exposure: [Double]
    let limits: [Double]
    /// The most that a unit of a row may cost.
    let penalties: [Double]

    private(set) var x: [Double]
    private(set) var y: [Double]
    private(set) var multipliers: [Double]
    /// What each asset's best choice costs at the prices of the rows and the factors.
    private(set) var best: [Double]
    private var t: [Double]
    private var missing: (y: [Double], rows: [Double], size: Double) = ([], [], 0)
    private var slack: [Double]
    private var excess: [Double]

    private var assets: Int { columns.starts.count - 1 }
    private var m: Int { limits.count }

    init(
        _ columns: Columns, loadings: [Double], factors: Int, exposure: [Double], limits: [Double], penalties: [Double],
        multipliers start: [Double], center: [Double], barrier: Double
    ) {
        self.columns = columns
        self.loadings = loadings
        self.factors = factors
        self.exposure = exposure
        self.limits = limits
        self.penalties = penalties
        let n = columns.starts.count - 1
        x = columns.k.map { _ in 0 }
        t = x
        best = [Double](repeating: 0, count: n)
        multipliers = zip(start, penalties).map { min(max($0, 1e-3 * $1), 0.7 * $1) }
        slack = limits
        excess = limits
        y = exposure
        for i in 0..<n where center[i] != 0 {
            for f in 0..<factors { y[f] += loadings[i * factors + f] * center[i] }
        }
        // As far from the boundary as the equations are from being met.
        var barrier = barrier
        for _ in 0..<5 {
            begin(at: barrier)
            let needed = residuals().size / Double(max(1, x.count))
            guard needed > 2 * barrier else { break }
            barrier = needed
        }
    }

    /// Weights, slacks and excesses with which all products of a variable and its price are the same.
    private mutating func begin(at barrier: Double) {
        slack = multipliers.map { barrier / $0 }
        excess = zip(multipliers, penalties).map { barrier / ($1 - $0) }
        for i in 0..<assets {
            let range = columns.starts[i]..<columns.starts[i + 1]
            let slope = slope(i)
            var least = Double.infinity
            for j in range {
                t[j] = price(j, slope)
                least = min(least, t[j])
            }
            var margin = barrier
            for _ in 0..<30 {
                var (sum, fall) = (0.0, 0.0)
                for j in range {
                    let part = barrier / (t[j] - least + margin)
                    sum += part
                    fall += part * part / barrier
                }
                guard sum > 1 + 1e-9 else { break }
                margin += (sum - 1) / fall
            }
            best[i] = least - margin
            var sum = 0.0
            for j in range {
                t[j] -= best[i]
                x[j] = barrier / t[j]
                sum += x[j]
            }
            for j in range { x[j] /= sum }
        }
    }

    private func slope(_ i: Int) -> Double {
        var sum = 0.0
        for f in 0..<factors { sum += loadings[i * factors + f] * y[f] }
        return sum
    }

    private func price(_ j: Int, _ slope: Double) -> Double {
        var sum = columns.cost[j] + slope * columns.k[j]
        for q in 0..<m { sum += multipliers[q] * columns.rows[j * m + q] }
        return sum
    }

    /// y0 + sum beta k x, and the rows' totals.
    private func sums(_ x: [Double]) -> (y: [Double], rows: [Double]) {
        var y = exposure
        var rows = [Double](repeating: 0, count: m)
        for i in 0..<assets {
            var k = 0.0
            for j in columns.starts[i]..<columns.starts[i + 1] where x[j] != 0 {
                k += columns.k[j] * x[j]
                for q in 0..<m { rows[q] += columns.rows[j * m + q] * x[j] }
            }
            if k != 0 { for f in 0..<factors { y[f] += loadings[i * factors + f] * k } }
        }
        return (y, rows)
    }

    /// Objective of the relaxation at the present weights.
    var objective: Double {
        var sum = 0.0
        for j in x.indices { sum += columns.cost[j] * x[j] }
        for f in 0..<factors { sum += 0.5 * y[f] * y[f] }
        for q in limits.indices { sum += penalties[q] * excess[q] }
        return sum
    }

    /// What each choice costs beyond the best of its asset.
    var reducedCosts: [Double] { t }

    /// Mean steps of each asset.
    var means: [Double] {
        (0..<assets).map { i in
            (columns.starts[i]..<columns.starts[i + 1]).reduce(0) { $0 + columns.k[$1] * x[$1] }
        }
    }

    private var complementarity: Double {
        var sum = 0.0
        for j in x.indices { sum += x[j] * t[j] }
        for q in limits.indices { sum += slack[q] * multipliers[q] + excess[q] * (penalties[q] - multipliers[q]) }
        return sum
    }

    // MARK: Newton

    private struct Reduced {
        /// Of each asset: sum of theta, and the mean of (k, rows) by theta.
        var weight: [Double]
        var mean: [Double]
        var factor: Cholesky
        /// H of each asset times nothing yet: first row, of k with k and the rows.
        var cross: [Double]
    }

    private struct Direction {
        var x: [Double]
        var t: [Double]
        var best: [Double]
        var y: [Double]
        var multipliers: [Double]
        var slack: [Double]
        var excess: [Double]
    }

    /// Solves to a gap of at most `tolerance`; false where the numbers gave out before.
    @discardableResult
    mutating func solve(tolerance: Double, iterations: Int = 40) -> Bool {
        let pairs = Double(x.count + 2 * m)
        var isSolved = false
        for _ in 0..<iterations {
            let gap = complementarity
            missing = residuals()
            isSolved = gap <= tolerance && missing.size <= tolerance
            guard !isSolved, let reduced = reduce() else { return isSolved }
            let mu = gap / pairs
            let affine = direction(reduced, target: 0, correction: nil)
            let reach = step(affine)
            let after = complementarity(affine, reach)
            let share = gap > 0 ? after / gap : 0
            let center = min(1, share * share * share)
            let full = direction(reduced, target: max(center, 1e-4) * mu, correction: affine)
            let length = min(1, 0.995 * step(full))
            guard length > 1e-8 else { return false }
            move(full, length)
        }
        return isSolved
    }

    /// What the equations of exposures and rows lack, and what that is worth at the present prices.
    private func residuals() -> (y: [Double], rows: [Double], size: Double) {
        let (sumY, sumRows) = sums(x)
        let y = zip(sumY, self.y).map { $0 - $1 }
        let rows = (0..<m).map { limits[$0] - sumRows[$0] - slack[$0] + excess[$0] }
        var size = 0.0
        for f in 0..<factors { size += (y[f] * (self.y[f].magnitude + y[f].magnitude)).magnitude }
        for q in 0..<m { size += (rows[q] * multipliers[q]).magnitude }
        return (y, rows, size)
    }

    private func reduce() -> Reduced? {
        let width = factors + m
        let n = assets
        var weight = [Double](repeating: 0, count: n)
        var mean = [Double](repeating: 0, count: n * (m + 1))
        var cross = mean
        var scaled = Matrix(rows: factors, columns: n)
        var system = Matrix(rows: width, columns: width)
        var block = [Double](repeating: 0, count: m * m)
        var deviation = [Double](repeating: 0, count: m)
        for i in 0..<n {
            let range = columns.starts[i]..<columns.starts[i + 1]
            let at = i * (m + 1)
            for j in range {
                let theta = x[j] / t[j]
                weight[i] += theta
                mean[at] += theta * columns.k[j]
                for q in 0..<m { mean[at + 1 + q] += theta * columns.rows[j * m + q] }
            }
            guard weight[i] > 0, weight[i].isFinite else { return nil }
            for q in 0...m { mean[at + q] /= weight[i] }
            var own = 0.0
            for j in range {
                let theta = x[j] / t[j]
                let k = columns.k[j] - mean[at]
                own += theta * k * k
                for q in 0..<m {
                    deviation[q] = columns.rows[j * m + q] - mean[at + 1 + q]
                    cross[at + 1 + q] += theta * k * deviation[q]
                    for p in 0...q { block[q * m + p] += theta * deviation[q] * deviation[p] }
                }
            }
            cross[at] = own
            let root = own.squareRoot()
            for f in 0..<factors {
                let loading = loadings[i * factors + f]
                scaled[f, i] = root * loading
                for q in 0..<m { system[factors + q, f] += loading * cross[at + 1 + q] }
            }
        }
        if factors > 0 {
            var gram = Matrix(rows: factors, columns: factors)
            gram.syrk(scaled)
            for f in 0..<factors {
                for g in 0...f { system[f, g] = gram[f, g] }
                system[f, f] += 1
            }
        }
        for q in 0..<m {
            for p in 0...q { system[factors + q, factors + p] = block[q * m + p] }
            system[factors + q, factors + q] +=
                slack[q] / multipliers[q] + excess[q] / (penalties[q] - multipliers[q])
        }
        guard let factor = try? Cholesky(factorising: system) else { return nil }
        return Reduced(weight: weight, mean: mean, factor: factor, cross: cross)
    }

    private func direction(_ reduced: Reduced, target: Double, correction: Direction?) -> Direction {
        let n = assets
        var right = missing.y + missing.rows.map { -$0 }
        var q0 = x
        for j in x.indices { q0[j] = target - x[j] * t[j] }
        if let correction { for j in x.indices { q0[j] -= correction.x[j] * correction.t[j] } }
        for j in x.indices { q0[j] /= t[j] }
        var shift = [Double](repeating: 0, count: n)
        for i in 0..<n {
            let at = i * (m + 1)
            var k = 0.0
            for j in columns.starts[i]..<columns.starts[i + 1] {
                shift[i] += q0[j]
                k += q0[j] * (columns.k[j] - reduced.mean[at])
                for q in 0..<m {
                    right[factors + q] += q0[j] * (columns.rows[j * m + q] - reduced.mean[at + 1 + q])
                }
            }
            for f in 0..<factors { right[f] += loadings[i * factors + f] * k }
        }
        var slackTarget = [Double](repeating: 0, count: m)
        var excessTarget = slackTarget
        for q in 0..<m {
            let other = penalties[q] - multipliers[q]
            slackTarget[q] =
                target - slack[q] * multipliers[q] - (correction.map { $0.slack[q] * $0.multipliers[q] } ?? 0)
            excessTarget[q] = target - excess[q] * other + (correction.map { $0.excess[q] * $0.multipliers[q] } ?? 0)
            right[factors + q] += slackTarget[q] / multipliers[q] - excessTarget[q] / other
        }
        let solution = reduced.factor.solve(right)
        let dy = Array(solution.prefix(factors))
        let dnu = Array(solution.suffix(m))
        var direction = Direction(
            x: q0, t: q0, best: shift, y: dy, multipliers: dnu, slack: slackTarget, excess: excessTarget)
        for i in 0..<n {
            var slope = 0.0
            for f in 0..<factors { slope += loadings[i * factors + f] * dy[f] }
            let at = i * (m + 1)
            var average = slope * reduced.mean[at]
            for q in 0..<m { average += dnu[q] * reduced.mean[at + 1 + q] }
            let change = average - shift[i] / reduced.weight[i]
            direction.best[i] = change
            for j in columns.starts[i]..<columns.starts[i + 1] {
                var dt = slope * columns.k[j] - change
                for q in 0..<m { dt += dnu[q] * columns.rows[j * m + q] }
                direction.t[j] = dt
                direction.x[j] = q0[j] - x[j] / t[j] * dt
            }
        }
        for q in 0..<m {
            let other = penalties[q] - multipliers[q]
            direction.slack[q] = (slackTarget[q] - slack[q] * dnu[q]) / multipliers[q]
            direction.excess[q] = (excessTarget[q] + excess[q] * dnu[q]) / other
        }
        return direction
    }

    private func step(_ d: Direction) -> Double {
        var most = 1e300
        for j in x.indices {
            if d.x[j] < 0 { most = min(most, -x[j] / d.x[j]) }
            if d.t[j] < 0 { most = min(most, -t[j] / d.t[j]) }
        }
        for q in 0..<m {
            if d.slack[q] < 0 { most = min(most, -slack[q] / d.slack[q]) }
            if d.excess[q] < 0 { most = min(most, -excess[q] / d.excess[q]) }
            if d.multipliers[q] < 0 { most = min(most, -multipliers[q] / d.multipliers[q]) }
            if d.multipliers[q] > 0 { most = min(most, (penalties[q] - multipliers[q]) / d.multipliers[q]) }
        }
        return min(most, 1)
    }

    private func complementarity(_ d: Direction, _ a: Double) -> Double {
        var sum = 0.0
        for j in x.indices { sum += (x[j] + a * d.x[j]) * (t[j] + a * d.t[j]) }
        for q in 0..<m {
            let nu = multipliers[q] + a * d.multipliers[q]
            sum += (slack[q] + a * d.slack[q]) * nu + (excess[q] + a * d.excess[q]) * (penalties[q] - nu)
        }
        return max(0, sum)
    }

    private mutating func move(_ d: Direction, _ a: Double) {
        for j in x.indices {
            x[j] = max(x[j] + a * d.x[j], 1e-300)
            t[j] = max(t[j] + a * d.t[j], 1e-300)
        }
        for i in best.indices { best[i] += a * d.best[i] }
        for f in y.indices { y[f] += a * d.y[f] }
        for q in 0..<m {
            multipliers[q] = min(max(multipliers[q] + a * d.multipliers[q], 1e-300), penalties[q])
            slack[q] = max(slack[q] + a * d.slack[q], 1e-300)
            excess[q] = max(excess[q] + a * d.excess[q], 1e-300)
            if penalties[q] - multipliers[q] <= 0 { multipliers[q] = penalties[q] * (1 - 1e-12) }
        }
    }
}
