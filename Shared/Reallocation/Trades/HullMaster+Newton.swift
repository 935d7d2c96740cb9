import LinearAlgebra

/// The Newton steps of `HullMaster`: predictor and corrector on the equations of exposures and rows, the choices of each asset eliminated.
extension HullMaster {
    struct Reduced {
        /// Of each asset: sum of theta, and the mean of (k, rows) by theta.
        var weight: [Double]
        var mean: [Double]
        var lanes: HullLanes.Moments?
        var factor: Cholesky
    }

    struct Direction {
        var x: [Double]
        var t: [Double]
        var best: [Double]
        var y: [Double]
        var multipliers: [Double]
        var slack: [Double]
        var excess: [Double]
    }

    /// Solves to a gap of at most `tolerance` of the objective, to which `constant` belongs too, or of `size`, where that is greater;
    /// false where the numbers gave out before.
    @discardableResult
    mutating func solve(tolerance: Double, size: Double, constant: Double, iterations: Int = 40) -> Bool {
        let pairs = Double(x.count + 2 * m)
        var isSolved = false
        for _ in 0..<iterations {
            let gap = complementarity
            missing = residuals()
            let enough = tolerance * max(size, (objective + constant).magnitude)
            isSolved = gap <= enough && missing.size <= enough
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
    func residuals() -> (y: [Double], rows: [Double], size: Double) {
        let (sumY, sumRows) = sums(x)
        let y = zip(sumY, self.y).map { $0 - $1 }
        let rows = (0..<m).map { limits[$0] - sumRows[$0] - slack[$0] + excess[$0] }
        var size = 0.0
        for f in 0..<factors { size += (y[f] * (self.y[f].magnitude + y[f].magnitude)).magnitude }
        for q in 0..<m { size += (rows[q] * multipliers[q]).magnitude }
        return (y, rows, size)
    }

    mutating func reduce() -> Reduced? {
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
    func system(_ scaled: [Double], coupling: [Double], block: [Double]) -> Cholesky? {
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

    func direction(_ reduced: Reduced, target: Double, correction: Direction?) -> Direction {
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

    func step(_ d: Direction) -> Double {
        var most = min(HullLanes.reach(x, d.x), HullLanes.reach(t, d.t))
        for q in 0..<m {
            if d.slack[q] < 0 { most = min(most, -slack[q] / d.slack[q]) }
            if d.excess[q] < 0 { most = min(most, -excess[q] / d.excess[q]) }
            if d.multipliers[q] < 0 { most = min(most, -multipliers[q] / d.multipliers[q]) }
            if d.multipliers[q] > 0 { most = min(most, (penalties[q] - multipliers[q]) / d.multipliers[q]) }
        }
        return min(most, 1)
    }

    func complementarity(_ d: Direction, _ a: Double) -> Double {
        var sum = 0.0
        for j in x.indices { sum += (x[j] + a * d.x[j]) * (t[j] + a * d.t[j]) }
        for q in 0..<m {
            let nu = multipliers[q] + a * d.multipliers[q]
            sum += (slack[q] + a * d.slack[q]) * nu + (excess[q] + a * d.excess[q]) * (penalties[q] - nu)
        }
        return max(0, sum)
    }

    mutating func move(_ d: Direction, _ a: Double) {
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
