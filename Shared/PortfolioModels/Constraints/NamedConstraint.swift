import LinearAlgebra
import WireFormat

/// One constraint on the weights under the name by which its caller knows it: what conflicts, prices and relaxations speak of.
struct NamedConstraint: Sendable {
    /// What it says about the weights w.
    enum Kind: Sendable {
        /// lower <= w <= upper, infinite where there is no limit.
        case bounds(lower: [Double], upper: [Double])
        /// a'w <= level
        case atMost([Double])
        /// a'w >= level
        case atLeast([Double])
        /// a'w = level
        case equal([Double])
        /// linear sum(w - reference) + weight sum(max(reference - w, 0)) <= level: shorts, gross exposure, turnover.
        case hinge(Hinge)
        /// A convex function of the weights is at most its level.
        case convex(ConvexLimit)
    }

    /// The piecewise linear sum of a `hinge` constraint.
    struct Hinge: Sendable {
        var reference: [Double]
        var linear: Double
        var weight: Double
    }

    let name: String
    let pointer: JSONPointer
    let kind: Kind
    /// The limit in the caller's units: the right-hand side, or the bound that a number gave to every asset.
    let level: Double
    /// Whether it holds without being asked for (budget, defaults): relaxed last.
    let isStructural: Bool

    /// Whether more room means a higher level (+1) or a lower one (-1); 0 for an equality.
    var direction: Double {
        switch kind {
        case .atMost, .hinge: 1
        case .convex(let limit): limit.perLevel < 0 ? -1 : 1
        case .atLeast: -1
        case .equal: 0
        case .bounds(let lower, _): lower.contains { $0 > -.infinity } ? -1 : 1
        }
    }
}

extension NamedConstraint {
    /// How far the constraint is from being tight at `w`; negative where it is violated. For bounds the least over assets.
    func slack(at w: [Double]) -> Double {
        switch kind {
        case .bounds(let lower, let upper):
            return w.indices.reduce(Double.infinity) { min($0, w[$1] - lower[$1], upper[$1] - w[$1]) }
        case .atMost(let a): return level - Self.dot(a, w)
        case .atLeast(let a): return Self.dot(a, w) - level
        case .equal(let a): return -abs(Self.dot(a, w) - level)
        case .hinge(let hinge):
            var total = 0.0
            for i in w.indices {
                total += hinge.linear * (w[i] - hinge.reference[i]) + hinge.weight * max(hinge.reference[i] - w[i], 0)
            }
            return level - total
        case .convex(let limit): return limit.most - limit.value(w)
        }
    }

    /// What a violation is measured by: the terms that are added up, of a limit its level.
    func size(at w: [Double]) -> Double {
        func terms(_ a: [Double]) -> Double {
            var (sum, largest) = (0.0, 0.0)
            for i in w.indices {
                sum += abs(a[i] * w[i])
                largest = max(largest, abs(a[i]))
            }
            return max(sum + 1e-6 * largest, .leastNormalMagnitude)
        }
        switch kind {
        case .bounds: return max(1, abs(level))
        case .atMost(let a), .atLeast(let a), .equal(let a): return terms(a)
        case .hinge(let hinge):
            return w.indices.reduce(1e-6) { sum, i in
                let reference = hinge.reference[i].isFinite ? abs(hinge.reference[i]) : 0
                return sum + (abs(hinge.linear) + hinge.weight) * abs(w[i]) + hinge.weight * reference
            }
        case .convex(let limit): return max(abs(limit.size), .leastNormalMagnitude)
        }
    }

    var isConcentration: Bool {
        if case .convex(let limit) = kind, case .concentration = limit.function { true } else { false }
    }

    /// The constraint on some of the assets, the others being at zero.
    func restricted(
        to kept: [Int], of count: Int, _ portfolioReturns: ([Double]) -> [Double]
    ) -> NamedConstraint {
        func part(_ row: [Double]) -> [Double] { kept.map { row[$0] } }
        let kind: Kind =
            switch self.kind {
            case .bounds(let lower, let upper): .bounds(lower: part(lower), upper: part(upper))
            case .atMost(let a): .atMost(part(a))
            case .atLeast(let a): .atLeast(part(a))
            case .equal(let a): .equal(part(a))
            case .hinge(let hinge):
                .hinge(Hinge(reference: part(hinge.reference), linear: hinge.linear, weight: hinge.weight))
            case .convex(let limit): .convex(limit.restricted(to: kept, of: count, portfolioReturns))
            }
        return NamedConstraint(name: name, pointer: pointer, kind: kind, level: level, isStructural: isStructural)
    }

    /// The limit of a convex function less a margin in the caller's units; nil for other constraints.
    func tightened(by margin: Double) -> NamedConstraint? {
        guard case .convex(var limit) = kind else { return nil }
        limit.most -= margin * abs(limit.perLevel)
        return NamedConstraint(
            name: name, pointer: pointer, kind: .convex(limit), level: level, isStructural: isStructural)
    }

    private static func dot(_ a: [Double], _ w: [Double]) -> Double {
        var sum = 0.0
        for i in w.indices { sum += a[i] * w[i] }
        return sum
    }
}

/// A limit of a risk, of the distance from a benchmark, or of concentration.
struct ConvexLimit: Sendable {
    /// What is limited.
    enum Function: Sendable {
        /// A risk measure; of MV the standard deviation.
        case risk(RiskMeasureCode)
        /// `sqrt(sum (x - b)^2 / (T - 1))` against weights.
        case distance(from: [Double])
        /// The same against a series of T returns.
        case distanceFromSeries([Double])
        /// The sum of squared weights.
        case concentration
        /// `|norm w| - slope'w`, which is homogeneous: at most zero.
        case cone(norm: Matrix, slope: [Double])
    }

    var function: Function
    /// The most that the function may be, per period.
    var most: Double
    /// d most / d level of the caller.
    var perLevel: Double
    /// The function by its definition.
    var value: @Sendable ([Double]) -> Double

    /// What a violation is measured by.
    var size: Double { if case .cone = function { 1 } else { most } }
}

extension ConvexLimit {
    fileprivate func restricted(
        to kept: [Int], of count: Int, _ portfolioReturns: ([Double]) -> [Double]
    ) -> ConvexLimit {
        var part = self
        let value = value
        part.value = { weights in
            var all = [Double](repeating: 0, count: count)
            for (place, asset) in kept.enumerated() { all[asset] = weights[place] }
            return value(all)
        }
        if case .cone(let norm, let slope) = function {
            part.function = .cone(
                norm: norm.submatrix(rows: Array(0..<norm.rows), columns: kept), slope: kept.map { slope[$0] })
        }
        if case .distance(let reference) = function {
            var rest = reference
            for asset in kept { rest[asset] = 0 }
            part.function =
                rest.allSatisfy { $0 == 0 }
                ? .distance(from: kept.map { reference[$0] }) : .distanceFromSeries(portfolioReturns(reference))
        }
        return part
    }
}
