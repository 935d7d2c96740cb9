public import LinearAlgebra

/// Rows `a = factor M v_columns + sum_j border_j v_j + offset`: how a block's argument follows from the core variables.
///
/// M is T x columns.count and may be shared by many maps (a panel of returns); border columns belong to single core variables,
/// such as a quantile.
public struct RowMap: Sendable {
    /// A column of its own for one core variable.
    public struct Border: Sendable {
        /// Index of the core variable.
        public var index: Int
        /// One number a row.
        public var values: [Double]

        public init(index: Int, values: [Double]) {
            self.index = index
            self.values = values
        }
    }

    public var matrix: Matrix
    /// The core variable of each column of `matrix`.
    public var columns: [Int]
    public var factor: Double
    public var borders: [Border]
    /// Zero where nil.
    public var offset: [Double]?

    /// - Parameters:
    ///   - matrix: T x columns.count.
    ///   - offset: T numbers; zero where nil.
    public init(
        _ matrix: Matrix, columns: [Int], factor: Double = 1, borders: [Border] = [], offset: [Double]? = nil
    ) {
        precondition(matrix.columns == columns.count)
        self.matrix = matrix
        self.columns = columns
        self.factor = factor
        self.borders = borders
        self.offset = offset
    }

    var rows: Int { matrix.rows }

    /// The first of the core variables where they follow one another, as weights do; else nil.
    private var first: Int? {
        guard let first = columns.first else { return nil }
        for j in columns.indices where columns[j] != first + j { return nil }
        return first
    }

    /// a at the core point v.
    func argument(_ v: [Double], into a: inout [Double]) {
        if let offset {
            Vector.copy(offset, into: &a)
        } else {
            for t in a.indices { a[t] = 0 }
        }
        add(v, into: &a)
    }

    /// The linear part for a direction of v.
    func direction(_ dv: [Double], into da: inout [Double]) {
        for t in da.indices { da[t] = 0 }
        add(dv, into: &da)
    }

    private func add(_ v: [Double], into a: inout [Double]) {
        if let first {
            matrix.addProduct(v, from: first, scale: factor, to: &a)
        } else {
            for (j, index) in columns.enumerated() { matrix.addColumn(j, times: factor * v[index], to: &a) }
        }
        for border in borders { Vector.axpy(v[border.index], border.values, &a) }
    }

    /// core += times map' force.
    func addAdjoint(_ force: [Double], times: Double = 1, to core: inout [Double]) {
        if let first {
            matrix.addTransposedProduct(force, scale: times * factor, to: &core, at: first)
        } else {
            for (j, index) in columns.enumerated() { core[index] += times * factor * matrix.dot(column: j, force) }
        }
        for border in borders { core[border.index] += times * Vector.dot(border.values, force) }
    }
}
