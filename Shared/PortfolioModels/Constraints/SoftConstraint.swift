import WireFormat

/// A constraint that may be broken at a price: the objective loses `weight` for every unit beyond the level.
///
/// The penalty is a cost like those of trading. It lowers the return of Utility, MaxRet and Sharpe, and is added to the risk that MinRisk
/// minimises. A weight above the hard constraint's price leaves the solution of the hard constraint: the penalty is exact.
///
/// Source: O. Mangasarian (1985), Sufficiency of exact penalty minimization, SIAM Journal on Control and Optimization 23.
struct SoftConstraint: Sendable {
    let constraint: NamedConstraint
    /// Loss of the objective per unit of the caller's level.
    let weight: Double

    /// How far the weights are beyond the level, in the caller's units.
    ///
    /// Of `effective_assets` to first order: least^2 (sum of squares - 1 / least), which is convex.
    func excess(at w: [Double]) -> Double { max(-constraint.slack(at: w) / constraint.perLevel, 0) }

    /// What an excess is measured by, in the caller's units.
    func size(at w: [Double]) -> Double { constraint.size(at: w) / constraint.perLevel }

    /// A constraint in the forms that have one price: an equality is two, limits of each asset are the sums of what is beyond them.
    static func parts(_ constraint: NamedConstraint, weight: Double) -> [SoftConstraint] {
        func part(_ kind: NamedConstraint.Kind, _ level: Double) -> SoftConstraint {
            SoftConstraint(
                constraint: NamedConstraint(
                    name: constraint.name, pointer: constraint.pointer, kind: kind, level: level, isStructural: false),
                weight: weight)
        }
        switch constraint.kind {
        case .equal(let a): return [part(.atMost(a), constraint.level), part(.atLeast(a), constraint.level)]
        case .bounds(let lower, let upper):
            return [
                part(.hinge(NamedConstraint.Hinge(reference: lower, linear: 0, weight: 1)), 0),
                part(.hinge(NamedConstraint.Hinge(reference: upper, linear: 1, weight: 1)), 0),
            ]
        case .atMost, .atLeast, .hinge, .convex: return [SoftConstraint(constraint: constraint, weight: weight)]
        }
    }
}

extension NamedConstraint {
    /// A cone whose unit is its own, not the share that it stands for.
    var relaxed: NamedConstraint {
        guard case .convex(var limit) = kind else { return self }
        limit.perLevel = 1
        return NamedConstraint(
            name: name, pointer: pointer, kind: .convex(limit), level: level, isStructural: isStructural)
    }

    /// What one unit of the caller's level is in the constraint's own.
    var perLevel: Double { if case .convex(let limit) = kind { abs(limit.perLevel) } else { 1 } }
}

extension ConstraintRequest {
    /// The price of breaking a named constraint; nil where it is hard. A name is that of the constraint or what it begins with, up to a
    /// dot; the longest one decides.
    func penalty(of constraint: String) -> Double? {
        soft.filter { constraint == $0.constraint || constraint.hasPrefix($0.constraint + ".") }
            .max { $0.constraint.utf8.count < $1.constraint.utf8.count }?.weight
    }

    /// What `soft` names although no constraint has that name.
    func unknownSoft(_ names: [String]) -> Violation? {
        soft.first { softened in
            !names.contains { $0 == softened.constraint || $0.hasPrefix(softened.constraint + ".") }
        }.map { softened in
            let head = String(softened.constraint.prefix { $0 != "." })
            let own = names.filter { $0 == head || $0.hasPrefix(head + ".") }
            let hint = NearestName.of(softened.constraint, among: own).map { " Did you mean \($0)?" } ?? ""
            return Violation(
                JSONPointer(["constraints", "soft", softened.constraint]), .unknownValue,
                "\"\(Problem.echo(softened.constraint))\" is not among the constraints that can be softened.\(hint)")
        }
    }
}
