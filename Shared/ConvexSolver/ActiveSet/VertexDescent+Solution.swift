import LinearAlgebra

/// Where a descent has ended: whether its vertex is the only solution, and the solution with its prices.
extension VertexDescent {
    /// Removes what the updates left of rounding, and asks whether the vertex is the only solution.
    mutating func settle() -> Bool {
        for _ in 0..<2 {
            let missing = active.map { residual(of: $0) }
            for k in 0..<count where missing[k] != 0 {
                for i in 0..<count { x[i] += missing[k] * edges.storage[i + k * count] }
            }
            for constraint in active {
                switch constraint {
                case .low(let i): x[i] = program.lower[i]
                case .high(let i): x[i] = program.upper[i]
                default: break
                }
            }
            for p in parts.indices { parts[p].map.argument(x, into: &parts[p].argument) }
        }
        prices = [Double](repeating: 0, count: count)
        for _ in 0..<3 {
            edges.gemv(stationarity(), transposed: true, beta: 1, into: &prices)
        }
        return isAllowed && isOnly
    }

    /// What a tight constraint misses.
    func residual(of constraint: Active) -> Double {
        switch constraint {
        case .low(let i): return program.lower[i] - x[i]
        case .high(let i): return program.upper[i] - x[i]
        case .pin: return 0
        case .corner(let p, let t): return -parts[p].argument[t]
        case .equality(let r):
            var level = program.equalityLevels[r]
            for i in 0..<count { level -= program.equalities.storage[r + i * program.equalities.rows] * x[i] }
            return level
        }
    }

    /// The slopes of a part's rows, corners at their prices.
    func force(_ p: Int) -> [Double] {
        var force = parts[p].argument.indices.map { parts[p].slope($0) }
        for (k, constraint) in active.enumerated() {
            if case .corner(p, let t) = constraint { force[t] = -prices[k] }
        }
        return force
    }

    /// What the prices leave of the objective's slope.
    func stationarity() -> [Double] {
        var rest = linear
        for p in parts.indices { parts[p].map.addAdjoint(force(p), to: &rest) }
        for (k, constraint) in active.enumerated() {
            switch constraint {
            case .low(let i), .high(let i), .pin(let i): rest[i] -= prices[k]
            case .equality(let r):
                for i in 0..<count {
                    rest[i] -= prices[k] * program.equalities.storage[r + i * program.equalities.rows]
                }
            case .corner: break
            }
        }
        return rest
    }

    var isAllowed: Bool {
        for i in 0..<count where x[i] < program.lower[i] || x[i] > program.upper[i] { return false }
        for part in parts {
            for t in part.argument.indices where part.above[t] > part.below[t] {
                let size = 1e-11 * max(1, abs(part.argument[t]))
                switch part.sides[t] {
                case Side.below where part.argument[t] > size, Side.above where part.argument[t] < -size: return false
                case Side.on where abs(part.argument[t]) > size: return false
                default: break
                }
            }
        }
        return true
    }

    /// Whether every tight constraint has a price, and every corner lies strictly between its slopes.
    var isOnly: Bool {
        let size = max(linear.reduce(0) { max($0, abs($1)) }, prices.reduce(0) { max($0, abs($1)) })
        guard size.isFinite, stationarity().allSatisfy({ abs($0) <= 1e-11 * size }) else { return false }
        let least = 1e-9 * size
        for (k, constraint) in active.enumerated() {
            switch constraint {
            case .equality: continue
            case .pin: return false
            case .low(let i): if prices[k] < least, program.lower[i] < program.upper[i] { return false }
            case .high(let i): if -prices[k] < least, program.lower[i] < program.upper[i] { return false }
            case .corner(let p, let t):
                let (low, high) = (parts[p].below[t], parts[p].above[t])
                let margin = high < .infinity ? min(least, 1e-9 * (high - low)) : least
                if -prices[k] < low + margin || -prices[k] > high - margin { return false }
            }
        }
        return true
    }

    var solution: CompositeSolution {
        let n = count
        var (equality, lower, upper) = (program.equalityLevels.map { _ in 0.0 }, x.map { _ in 0.0 }, x.map { _ in 0.0 })
        for (k, constraint) in active.enumerated() {
            switch constraint {
            case .equality(let r): equality[r] = -prices[k]
            case .low(let i): if prices[k] >= 0 { lower[i] = prices[k] } else { upper[i] = -prices[k] }
            case .high(let i): upper[i] = -prices[k]
            case .pin, .corner: break
            }
        }
        var series = program.terms.map { term in [[Double]](repeating: [], count: term.parts.count) }
        var values = program.terms.map { term in term.linear.reduce(0) { $0 + $1.coefficient * x[$1.index] } }
        var weights = values.map { _ in 1.0 }
        for (index, term) in program.terms.enumerated() {
            if case .objective(let weight) = term.place { weights[index] = weight }
        }
        for (p, part) in parts.enumerated() {
            series[part.place.term][part.place.part] = force(p)
            var sum = 0.0
            for t in part.argument.indices where part.sides[t] != Side.on { sum += part.slope(t) * part.argument[t] }
            values[part.place.term] += sum / weights[part.place.term]
        }
        let rest = stationarity().reduce(0) { max($0, abs($1)) }
        let missing = active.reduce(0) { max($0, abs(residual(of: $1))) }
        return CompositeSolution(
            status: .optimal, v: x, equalityDuals: equality, lowerDuals: lower, upperDuals: upper,
            multipliers: weights, dualSeries: series, values: values, iterations: pivots, relativeGap: 0,
            primalResidual: missing, dualResidual: n > 0 ? rest : 0)
    }
}
