import LinearAlgebra

/// The Newton matrix of the core variables while it is being added up; the lower triangle counts.
struct CoreMatrix {
    var matrix: Matrix

    init(order: Int) { matrix = Matrix(rows: order, columns: order) }

    mutating func reset() {
        for i in matrix.storage.indices { matrix.storage[i] = 0 }
    }

    /// Adds to element (i, j), and so to (j, i).
    mutating func add(_ value: Double, _ i: Int, _ j: Int) {
        matrix.storage[i >= j ? i + j * matrix.rows : j + i * matrix.rows] += value
    }

    /// Adds a symmetric matrix, given by its lower triangle, over some of the variables.
    mutating func add(_ part: Matrix, at indices: [Int]) {
        let isContiguous = indices.indices.allSatisfy { indices[$0] == indices[0] + $0 }
        let (n, m) = (indices.count, matrix.rows)
        if isContiguous {
            let start = indices.first ?? 0
            let source = part.storage
            var target = matrix.storage.mutableSpan
            for j in 0..<n {
                let to = start + (start + j) * m
                for i in j..<n { target[to + i] += source[i + j * n] }
            }
            return
        }
        for j in 0..<n {
            for i in j..<n where part.storage[i + j * n] != 0 {
                let value = part.storage[i + j * n]
                // Two columns may belong to one variable; their product then counts from both sides.
                add(i != j && indices[i] == indices[j] ? 2 * value : value, indices[i], indices[j])
            }
        }
    }

    /// Adds `scale u u'`.
    mutating func addOuter(_ u: [Double], scale: Double) {
        let m = matrix.rows
        for j in 0..<m where u[j] != 0 {
            let factor = scale * u[j]
            for i in j..<m { matrix.storage[i + j * m] += factor * u[i] }
        }
    }
}

/// Room for the scaled rows of the block in hand; all blocks use it in turn.
struct Workspace {
    private var rows = Matrix(rows: 0, columns: 0)
    private var product = Matrix(rows: 0, columns: 0)

    /// Adds `sum_t weight_t p_t p_t'` to the core, p_t being row t of the panel with its border columns.
    ///
    /// The cost is one pass to scale the rows and one syrk.
    mutating func addWeighted(
        _ panel: Matrix, sign: Double, columns: [Int], borders: [RowMap.Border], weights: [Double],
        to core: inout CoreMatrix
    ) {
        let (count, width) = (panel.rows, columns.count + borders.count)
        if rows.rows != count || rows.columns != width {
            rows = Matrix(rows: count, columns: width)
        }
        if product.rows != width { product = Matrix(rows: width, columns: width) }
        let roots = weights.map { sign * $0.squareRoot() }
        Self.scale(panel.storage, roots, &rows.storage, at: 0)
        for (j, border) in borders.enumerated() {
            Self.scale(border.values, roots, &rows.storage, at: (columns.count + j) * count, by: sign)
        }
        product.syrk(rows, transposed: true)
        core.add(product, at: columns + borders.map { $0.index })
    }

    private static func scale(
        _ source: [Double], _ factors: [Double], _ target: inout [Double], at start: Int, by sign: Double = 1
    ) {
        let count = factors.count
        let from = source.span
        let factor = factors.span
        var to = target.mutableSpan
        var column = 0
        while column < from.count {
            for t in 0..<count { to[start + column + t] = sign * factor[t] * from[column + t] }
            column += count
        }
    }
}
