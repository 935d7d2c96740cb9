/// `a_i = sign (v_columns_i - reference_i v_scale)`, with 1 in the place of `v_scale` where there is none: changes of single weights.
public struct CoordinateMap: Sendable {
    public var columns: [Int]
    public var sign: Double
    public var reference: [Double]
    public var scale: Int?

    public init(columns: [Int], sign: Double = 1, reference: [Double], scale: Int? = nil) {
        precondition(columns.count == reference.count)
        self.columns = columns
        self.sign = sign
        self.reference = reference
        self.scale = scale
    }

    func argument(_ v: [Double], into a: inout [Double]) {
        let size = scale.map { v[$0] } ?? 1
        for i in columns.indices { a[i] = sign * (v[columns[i]] - reference[i] * size) }
    }

    func direction(_ dv: [Double], into da: inout [Double]) {
        let size = scale.map { dv[$0] } ?? 0
        for i in columns.indices { da[i] = sign * (dv[columns[i]] - reference[i] * size) }
    }

    func addAdjoint(_ force: [Double], times factor: Double = 1, to core: inout [Double]) {
        var ofScale = 0.0
        for i in columns.indices {
            let part = factor * sign * force[i]
            core[columns[i]] += part
            ofScale -= reference[i] * part
        }
        if let scale { core[scale] += ofScale }
    }

    /// Adds `sum_i weight_i p_i p_i'`, p_i having the row's entry, the scale's, and less those of the function's own columns.
    func addWeighted(_ weights: [Double], own: [RowMap.Border], to core: inout CoreMatrix) {
        for i in columns.indices {
            let weight = weights[i]
            core.add(weight, columns[i], columns[i])
            if let scale {
                let entry = -sign * reference[i]
                let isSelf = scale == columns[i]
                core.add((isSelf ? 2 : 1) * weight * sign * entry, columns[i], scale)
                core.add(weight * entry * entry, scale, scale)
                for column in own {
                    core.add((column.index == scale ? -2 : -1) * weight * entry * column.values[i], scale, column.index)
                }
            }
            for (place, column) in own.enumerated() {
                let value = column.values[i]
                core.add(
                    (column.index == columns[i] ? -2 : -1) * weight * sign * value, columns[i], column.index)
                for next in place..<own.count {
                    // Two columns may belong to one variable; their product then counts from both sides.
                    let isTwice = next != place && own[next].index == column.index
                    core.add((isTwice ? 2 : 1) * weight * value * own[next].values[i], column.index, own[next].index)
                }
            }
        }
    }
}
