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

    func addAdjoint(_ force: [Double], to core: inout [Double]) {
        var ofScale = 0.0
        for i in columns.indices {
            core[columns[i]] += sign * force[i]
            ofScale -= sign * reference[i] * force[i]
        }
        if let scale { core[scale] += ofScale }
    }

    /// Adds `sum_i weight_i p_i p_i'`, p_i having the row's entry, the scale's, and those of the border columns.
    func addWeighted(_ weights: [Double], borders: [RowMap.Border], to core: inout CoreMatrix) {
        for i in columns.indices {
            let weight = weights[i]
            var entries = [(columns[i], sign)]
            if let scale { entries.append((scale, -sign * reference[i])) }
            for border in borders { entries.append((border.index, border.values[i])) }
            for (a, entry) in entries.enumerated() {
                for other in entries[a...] {
                    let isSelf = other.0 == entry.0
                    let product = weight * entry.1 * other.1
                    core.add(isSelf && entries[a].1 != other.1 ? 2 * product : product, entry.0, other.0)
                }
            }
        }
    }
}
