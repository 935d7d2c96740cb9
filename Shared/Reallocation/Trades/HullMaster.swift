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
    /// Steps and rows of each choice in one vector; empty where there are more rows than lanes.
    private let lanes: [HullLanes.Lane]
    /// x / t at the present point.
    private var theta: [Double] = []
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
        lanes = HullLanes.lanes(of: columns, rows: limits.count)
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
        let (m, factors) = (self.m, self.factors)
        let (k, values, starts, loadings) = (columns.k, columns.rows, columns.starts, self.loadings)
        var y = exposure
        var rows = [Double](repeating: 0, count: m)
        if !lanes.isEmpty {
            HullLanes.addSums(x, lanes, starts: starts, loadings: loadings, factors: factors, to: &y, &rows)
            return (y, rows)
        }
        for i in 0..<assets {
            var sum = 0.0
            for j in starts[i]..<starts[i + 1] {
                sum += k[j] * x[j]
                for q in 0..<m { rows[q] += values[j * m + q] * x[j] }
            }
            if sum != 0 { for f in 0..<factors { y[f] += loadings[i * factors + f] * sum } }
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
        var lanes: HullLanes.Moments?
        var factor: Cholesky
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

    private mutating func reduce() -> Reduced? {
        let (m, factors, n) = (self.m, self.factors, assets)
        let (k, rows, starts, loadings) = (columns.k, columns.rows, columns.starts, self.loadings)
        theta = HullLanes.quotient(x, t)
        if !lanes.isEmpty {
            guard
                let moments = HullLanes.moments(
                    theta, lanes, starts: starts, loadings: loadings, factors: factors, rows: m)
            else { return nil }
            return system(moments.scaled, coupling: moments.coupling, block: moments.block).map {
                Reduced(weight: moments.weight, mean: [], lanes: moments, factor: $0)
            }
        }
        let theta = theta
        var weight = [Double](repeating: 0, count: n)
        var mean = [Double](repeating: 0, count: n * (m + 1))
        var scaled = [Double](repeating: 0, count: n * factors)
        var coupling = [Double](repeating: 0, count: factors * m)
        var block = [Double](repeating: 0, count: m * m)
        var deviation = [Double](repeating: 0, count: m)
        var cross = deviation
        for i in 0..<n {
            let range = starts[i]..<starts[i + 1]
            let at = i * (m + 1)
            var (total, meanK) = (0.0, 0.0)
            for j in range {
                total += theta[j]
                meanK += theta[j] * k[j]
                for q in 0..<m { mean[at + 1 + q] += theta[j] * rows[j * m + q] }
            }
            guard total > 0, total.isFinite else { return nil }
            meanK /= total
            weight[i] = total
            mean[at] = meanK
            for q in 0..<m {
                mean[at + 1 + q] /= total
                cross[q] = 0
            }
            var own = 0.0
            for j in range {
                let pull = theta[j] * (k[j] - meanK)
                own += pull * (k[j] - meanK)
                for q in 0..<m {
                    let apart = rows[j * m + q] - mean[at + 1 + q]
                    deviation[q] = apart
                    cross[q] += pull * apart
                    let times = theta[j] * apart
                    for p in 0...q { block[q * m + p] += times * deviation[p] }
                }
            }
            let root = own.squareRoot()
            for f in 0..<factors {
                let loading = loadings[i * factors + f]
                scaled[i * factors + f] = root * loading
                for q in 0..<m { coupling[f * m + q] += loading * cross[q] }
            }
        }
        return system(scaled, coupling: coupling, block: block).map {
            Reduced(weight: weight, mean: mean, lanes: nil, factor: $0)
        }
    }

    /// The factorised equations of exposures and rows.
    private func system(_ scaled: [Double], coupling: [Double], block: [Double]) -> Cholesky? {
        let width = factors + m
        var system = Matrix(rows: width, columns: width)
        for f in 0..<factors { for q in 0..<m { system[factors + q, f] = coupling[f * m + q] } }
        if factors > 0 {
            var gram = Matrix(rows: factors, columns: factors)
            gram.syrk(Matrix(rows: factors, columns: assets, columnMajor: scaled))
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
        return try? Cholesky(factorising: system)
    }

    private func direction(_ reduced: Reduced, target: Double, correction: Direction?) -> Direction {
        let (m, factors, n) = (self.m, self.factors, assets)
        let (k, rows, starts, loadings, mean) = (columns.k, columns.rows, columns.starts, self.loadings, reduced.mean)
        var right = missing.y + missing.rows.map { -$0 }
        let free = HullLanes.free(x, t, target: target, less: correction.map { ($0.x, $0.t) })
        var shift = [Double](repeating: 0, count: n)
        if let moments = reduced.lanes {
            HullLanes.addRight(
                free, lanes, moments, starts: starts, loadings: loadings, factors: factors, rows: m, to: &right, &shift)
        } else {
            for i in 0..<n {
                let at = i * (m + 1)
                var (total, moved) = (0.0, 0.0)
                for j in starts[i]..<starts[i + 1] {
                    total += free[j]
                    moved += free[j] * (k[j] - mean[at])
                    for q in 0..<m { right[factors + q] += free[j] * (rows[j * m + q] - mean[at + 1 + q]) }
                }
                shift[i] = total
                for f in 0..<factors { right[f] += loadings[i * factors + f] * moved }
            }
        }
        var slackTarget = [Double](repeating: 0, count: m)
        var excessTarget = slackTarget
        for q in 0..<m {
            let other = penalties[q] - multipliers[q]
            slackTarget[q] = target - slack[q] * multipliers[q]
            excessTarget[q] = target - excess[q] * other
            if let correction {
                slackTarget[q] -= correction.slack[q] * correction.multipliers[q]
                excessTarget[q] += correction.excess[q] * correction.multipliers[q]
            }
            right[factors + q] += slackTarget[q] / multipliers[q] - excessTarget[q] / other
        }
        let solution = reduced.factor.solve(right)
        let dnu = Array(solution.suffix(m))
        var (dt, best) = (free, shift)
        if let moments = reduced.lanes {
            HullLanes.rises(
                solution, lanes, moments, starts: starts, loadings: loadings, factors: factors, shift: shift, &dt, &best
            )
        } else {
            for i in 0..<n {
                var slope = 0.0
                for f in 0..<factors { slope += loadings[i * factors + f] * solution[f] }
                let at = i * (m + 1)
                var average = slope * mean[at]
                for q in 0..<m { average += dnu[q] * mean[at + 1 + q] }
                let change = average - shift[i] / reduced.weight[i]
                best[i] = change
                for j in starts[i]..<starts[i + 1] {
                    var rise = slope * k[j] - change
                    for q in 0..<m { rise += dnu[q] * rows[j * m + q] }
                    dt[j] = rise
                }
            }
        }
        let dx = HullLanes.difference(free, theta, dt)
        var (ds, de) = (slackTarget, excessTarget)
        for q in 0..<m {
            ds[q] = (slackTarget[q] - slack[q] * dnu[q]) / multipliers[q]
            de[q] = (excessTarget[q] + excess[q] * dnu[q]) / (penalties[q] - multipliers[q])
        }
        return Direction(
            x: dx, t: dt, best: best, y: Array(solution.prefix(factors)), multipliers: dnu, slack: ds, excess: de)
    }

    private func step(_ d: Direction) -> Double {
        var most = min(HullLanes.reach(x, d.x), HullLanes.reach(t, d.t))
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
