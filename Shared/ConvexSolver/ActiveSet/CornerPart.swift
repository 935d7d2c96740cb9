import LinearAlgebra

/// One part of a term: rows, each with a slope on either side of its corner at zero.
final class CornerPart {
    /// Where a row's argument is to its corner, as the sign of the argument.
    enum Side {
        static let below = -1.0
        static let on = 0.0
        static let above = 1.0
    }

    let place: (term: Int, part: Int)
    let map: ArgumentMap
    /// Slopes of the objective by the argument, below zero and above; infinite where it may not be above.
    let below: [Double]
    let above: [Double]
    /// By how much the slope rises at the corner.
    let bend: [Double]
    var argument: [Double]
    var direction: [Double]
    /// By row, a `Side`.
    var sides: [Double]
    /// How far along the direction the corner is; infinite where it is behind, or no corner.
    private(set) var lengths: [Double]

    init(_ place: (term: Int, part: Int), _ map: ArgumentMap, below: [Double], above: [Double]) {
        self.place = place
        self.map = map
        self.below = below
        self.above = above
        bend = zip(above, below).map { $0 - $1 }
        argument = [Double](repeating: 0, count: map.count)
        (direction, lengths) = (argument, argument)
        sides = [Double](repeating: Side.below, count: map.count)
    }

    /// Measures how far ahead the corners are; moves that are nothing but rounding reach none.
    func lookAhead() {
        Vector.distances(argument, direction, sides: sides, counts: bend, least: 1e-12, into: &lengths)
    }

    /// The parts of a program; nil where one is not piecewise linear.
    static func all(of program: CompositeProgram) -> [CornerPart]? {
        var result: [CornerPart] = []
        for (index, term) in program.terms.enumerated() {
            guard case .objective(let weight) = term.place, weight > 0 else { return nil }
            for (place, part) in term.parts.enumerated() {
                guard case .scenarios(let shape, let map) = part else { return nil }
                let slopes: (below: [Double], above: [Double])
                let none = [Double](repeating: 0, count: map.count)
                switch shape {
                case .hard: slopes = (none, none.map { _ in .infinity })
                case .sum(let cost):
                    let own = cost.map { weight * $0 }
                    slopes = (own, own)
                case .linear(let cost, let reflection) where reflection <= 1 && cost.allSatisfy({ $0 >= 0 }):
                    slopes = (
                        reflection == 0 ? none : cost.map { weight * reflection * $0 }, cost.map { weight * $0 }
                    )
                default: return nil
                }
                result.append(CornerPart((index, place), map, below: slopes.below, above: slopes.above))
            }
        }
        return result
    }

    func slope(_ t: Int) -> Double {
        sides[t] == Side.below ? below[t] : sides[t] == Side.above ? above[t] : 0
    }
}

extension ArgumentMap {
    /// v += factor x row t.
    func add(row t: Int, times factor: Double, to v: inout [Double]) {
        switch self {
        case .rows(let map):
            for (j, index) in map.columns.enumerated() {
                v[index] += factor * map.factor * map.matrix.storage[t + j * map.matrix.rows]
            }
            for border in map.borders { v[border.index] += factor * border.values[t] }
        case .coordinates(let map):
            v[map.columns[t]] += factor * map.sign
            if let scale = map.scale { v[scale] -= factor * map.sign * map.reference[t] }
        }
    }

    /// A core variable that lowers all rows as it grows.
    var lever: RowMap.Border? {
        guard case .rows(let map) = self else { return nil }
        return map.borders.first { border in border.values.allSatisfy { $0 < 0 } }
    }
}
