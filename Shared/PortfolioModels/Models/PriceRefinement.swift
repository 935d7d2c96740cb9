import LinearAlgebra
import WireFormat

/// Corrects the prices of rows and limits to the weights that are reported.
///
/// At weights strictly between their bounds the objective's gradient is a combination of the gradients of the priced constraints. The
/// solver's prices belong to a point a rounding away; the least-squares correction makes them belong to this one.
struct PriceRefinement {
    let set: ConstraintSet
    let limits: LimitMinorants
    let weights: [Double]
    /// Linear costs of moving, whose kinks are prices of their own.
    var costs: Reward.Costs?

    /// The corrected prices, or those given where there is nothing to correct by.
    /// - Parameters:
    ///   - direction: the objective's gradient in its improving direction.
    ///   - given: by constraint.
    func refine(_ given: [Double], direction: [Double]) -> [Double] {
        let free = weights.indices.filter { i in
            weights[i] > set.lower[i] && weights[i] < set.upper[i] && !isOnKink(i)
        }
        let largest = given.reduce(0) { max($0, abs($1)) }
        let rows: [(index: Int, slope: [Double])] = given.indices.compactMap { index in
            guard abs(given[index]) > 1e-9 * largest, let slope = slope(of: index) else { return nil }
            return (index, free.map { slope[$0] })
        }
        guard !free.isEmpty, !rows.isEmpty, rows.count <= free.count else { return given }
        var rest = free.map { direction[$0] }
        for row in rows { Vector.axpy(-given[row.index], row.slope, &rest) }
        var normal = Matrix(rows: rows.count, columns: rows.count)
        var right = [Double](repeating: 0, count: rows.count)
        for (a, row) in rows.enumerated() {
            right[a] = Vector.dot(row.slope, rest)
            for (b, other) in rows.enumerated() { normal[a, b] = Vector.dot(row.slope, other.slope) }
        }
        for a in rows.indices { normal[a, a] *= 1 + 1e-13 }
        guard let factor = try? Cholesky(factorising: normal) else { return given }
        var refined = given
        for (a, change) in factor.solve(right).enumerated() where change.isFinite {
            let index = rows[a].index
            let isSigned = if case .equal = set.constraints[index].kind { false } else { true }
            let price = given[index] + change
            refined[index] = isSigned ? max(price, 0) : price
        }
        return refined
    }

    private func isOnKink(_ asset: Int) -> Bool {
        if let costs, costs.linear[asset] > 0, weights[asset] == costs.reference[asset] { return true }
        return set.constraints.contains { constraint in
            if case .hinge(let hinge) = constraint.kind { weights[asset] == hinge.reference[asset] } else { false }
        }
    }

    /// What one unit of price takes from the direction; nil for bounds.
    private func slope(of index: Int) -> [Double]? {
        switch set.constraints[index].kind {
        case .bounds: return nil
        case .equal(let a), .atMost(let a): return a
        case .atLeast(let a): return a.map { -$0 }
        case .hinge(let hinge):
            return weights.indices.map { hinge.linear - (weights[$0] < hinge.reference[$0] ? hinge.weight : 0) }
        case .convex:
            guard let row = limits.rows.first(where: { $0.index == index }) else { return nil }
            return row.minorant.slope.map { $0 / row.perLevel }
        }
    }
}
