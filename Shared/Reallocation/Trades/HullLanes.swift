/// The loops of `HullMaster` over all choices, with a choice's steps and rows in the lanes of one vector: up to seven rows, as nearly all
/// problems have. A Newton step costs about (rows + 4) vector operations a choice, and little else.
enum HullLanes {
    typealias Lane = SIMD8<Double>

    /// Steps in the first lane, rows in the next; empty where there are too many rows.
    static func lanes(of columns: HullMaster.Columns, rows m: Int) -> [Lane] {
        guard m < Lane.scalarCount else { return [] }
        return columns.k.indices.map { j in
            var lane = Lane.zero
            lane[0] = columns.k[j]
            for q in 0..<m { lane[q + 1] = columns.rows[j * m + q] }
            return lane
        }
    }

    /// What the choices of each asset are on average, and how they vary.
    struct Moments {
        /// Sums of theta, and means by theta.
        var weight: [Double]
        var mean: [Lane]
        /// Loadings times the root of the steps' variance, a factor's column as long as there are assets stand side by side for `syrk`.
        var scaled: [Double]
        var coupling: [Double]
        var block: [Double]
    }

    static func moments(
        _ theta: [Double], _ lanes: [Lane], starts: [Int], loadings: [Double], factors: Int, rows m: Int
    ) -> Moments? {
        let n = starts.count - 1
        var made = Moments(
            weight: [Double](repeating: 0, count: n), mean: [Lane](repeating: .zero, count: n),
            scaled: [Double](repeating: 0, count: n * factors), coupling: [Double](repeating: 0, count: factors * m),
            block: [Double](repeating: 0, count: m * m))
        var block = [Lane](repeating: .zero, count: m + 1)
        let (weights, vectors) = (theta.span, lanes.span)
        for i in 0..<n {
            let range = starts[i]..<starts[i + 1]
            var (total, sum) = (0.0, Lane.zero)
            for j in range {
                total += weights[j]
                sum += weights[j] * vectors[j]
            }
            guard total > 0, total.isFinite else { return nil }
            let mean = sum / total
            var own = Lane.zero
            for j in range {
                let apart = vectors[j] - mean
                let pulled = weights[j] * apart
                own += pulled[0] * apart
                for q in 1..<(m + 1) { block[q] += pulled[q] * apart }
            }
            made.weight[i] = total
            made.mean[i] = mean
            let root = max(0, own[0]).squareRoot()
            for f in 0..<factors {
                let loading = loadings[i * factors + f]
                made.scaled[i * factors + f] = root * loading
                for q in 0..<m { made.coupling[f * m + q] += loading * own[q + 1] }
            }
        }
        for q in 0..<m { for p in 0...q { made.block[q * m + p] = block[q + 1][p + 1] } }
        return made
    }

    /// Adds to the right side what the choices' own equations lack, and to `shift` their sums by asset.
    static func addRight(
        _ free: [Double], _ lanes: [Lane], _ moments: Moments, starts: [Int], loadings: [Double], factors: Int,
        rows m: Int, to right: inout [Double], _ shift: inout [Double]
    ) {
        let (values, vectors) = (free.span, lanes.span)
        var all = Lane.zero
        for i in moments.weight.indices {
            let mean = moments.mean[i]
            var (total, moved) = (0.0, Lane.zero)
            for j in starts[i]..<starts[i + 1] {
                total += values[j]
                moved += values[j] * (vectors[j] - mean)
            }
            shift[i] = total
            all += moved
            for f in 0..<factors { right[f] += loadings[i * factors + f] * moved[0] }
        }
        for q in 0..<m { right[factors + q] += all[q + 1] }
    }

    /// How the reduced costs change, and each asset's best price.
    static func rises(
        _ solution: [Double], _ lanes: [Lane], _ moments: Moments, starts: [Int], loadings: [Double], factors: Int,
        shift: [Double], _ rise: inout [Double], _ best: inout [Double]
    ) {
        var prices = Lane.zero
        for q in factors..<solution.count { prices[q - factors + 1] = solution[q] }
        let vectors = lanes.span
        var rises = rise.mutableSpan
        for i in moments.weight.indices {
            var slope = 0.0
            for f in 0..<factors { slope += loadings[i * factors + f] * solution[f] }
            prices[0] = slope
            let change = (prices * moments.mean[i]).sum() - shift[i] / moments.weight[i]
            best[i] = change
            for j in starts[i]..<starts[i + 1] { rises[j] = (prices * vectors[j]).sum() - change }
        }
    }

    /// Adds what the choices bring at weights x to the exposures and the rows.
    static func addSums(
        _ x: [Double], _ lanes: [Lane], starts: [Int], loadings: [Double], factors: Int, to y: inout [Double],
        _ rows: inout [Double]
    ) {
        let (values, vectors) = (x.span, lanes.span)
        var all = Lane.zero
        for i in 0..<(starts.count - 1) {
            var sum = Lane.zero
            for j in starts[i]..<starts[i + 1] { sum += values[j] * vectors[j] }
            all += sum
            for f in 0..<factors { y[f] += loadings[i * factors + f] * sum[0] }
        }
        for q in rows.indices { rows[q] += all[q + 1] }
    }

    // MARK: All choices alike

    /// How far a point may go along a direction before the first of its figures is zero.
    static func reach(_ x: [Double], _ dx: [Double]) -> Double {
        let (values, changes) = (x.span, dx.span)
        // The steepest fall relative to what is there: maxima without a branch, as many side by side as a vector holds.
        var steepest = Lane(repeating: 1e-300)
        var j = 0
        while j + Lane.scalarCount <= values.count {
            var (value, change) = (Lane.zero, Lane.zero)
            for lane in 0..<Lane.scalarCount {
                value[lane] = values[j + lane]
                change[lane] = changes[j + lane]
            }
            let fall = -change / value
            steepest.replace(with: fall, where: fall .> steepest)
            j += Lane.scalarCount
        }
        var most = steepest.max()
        for j in j..<values.count { most = max(most, -changes[j] / values[j]) }
        return 1 / most
    }

    /// x / t.
    static func quotient(_ x: [Double], _ t: [Double]) -> [Double] {
        var out = x
        var values = out.mutableSpan
        let divisors = t.span
        for j in values.indices { values[j] /= divisors[j] }
        return out
    }

    /// (target - x t - dx dt) / t.
    static func free(_ x: [Double], _ t: [Double], target: Double, less correction: ([Double], [Double])?) -> [Double] {
        var out = x
        var values = out.mutableSpan
        let prices = t.span
        if let correction {
            let (dx, dt) = (correction.0.span, correction.1.span)
            for j in values.indices {
                values[j] = (target - values[j] * prices[j] - dx[j] * dt[j]) / prices[j]
            }
        } else {
            for j in values.indices { values[j] = (target - values[j] * prices[j]) / prices[j] }
        }
        return out
    }

    /// free - theta dt.
    static func difference(_ free: [Double], _ theta: [Double], _ dt: [Double]) -> [Double] {
        var out = free
        var values = out.mutableSpan
        let (weights, rises) = (theta.span, dt.span)
        for j in values.indices { values[j] -= weights[j] * rises[j] }
        return out
    }
}
