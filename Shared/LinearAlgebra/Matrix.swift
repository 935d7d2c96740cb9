/// A dense matrix of doubles, stored by columns.
///
/// Element (i, j) is `storage[i + j * rows]`. Shapes are the caller's contract: operations on matrices that do not fit
/// stop with a precondition, so anything that comes from outside is checked before it becomes a matrix.
public struct Matrix: Sendable, Equatable {
    /// Number of rows.
    public let rows: Int
    /// Number of columns.
    public let columns: Int
    /// The elements, column after column; always `rows * columns` of them.
    public var storage: [Double]

    /// A `rows` x `columns` matrix whose elements all equal `value`.
    public init(rows: Int, columns: Int, repeating value: Double = 0) {
        precondition(rows >= 0 && columns >= 0, "a matrix has no negative dimension")
        self.rows = rows
        self.columns = columns
        storage = [Double](repeating: value, count: rows * columns)
    }

    /// A matrix over elements that are already in column order.
    public init(rows: Int, columns: Int, columnMajor storage: [Double]) {
        precondition(rows >= 0 && columns >= 0 && storage.count == rows * columns, "rows * columns elements are needed")
        self.rows = rows
        self.columns = columns
        self.storage = storage
    }

    /// A matrix given row by row, as it is written on paper; all rows have the same length.
    public init(_ rowVectors: [[Double]]) {
        let width = rowVectors.first?.count ?? 0
        self.init(rows: rowVectors.count, columns: width)
        for (i, row) in rowVectors.enumerated() {
            precondition(row.count == width, "all rows of a matrix have the same length")
            for (j, value) in row.enumerated() { storage[i + j * rows] = value }
        }
    }

    /// The identity of order `n`.
    public static func identity(_ n: Int) -> Matrix { diagonal([Double](repeating: 1, count: n)) }

    /// The square matrix with `values` on its diagonal and zeros elsewhere.
    public static func diagonal(_ values: [Double]) -> Matrix {
        var result = Matrix(rows: values.count, columns: values.count)
        for (i, value) in values.enumerated() { result.storage[i + i * values.count] = value }
        return result
    }

    /// Element (i, j), both from zero.
    @inlinable
    public subscript(i: Int, j: Int) -> Double {
        get {
            precondition(i >= 0 && i < rows && j >= 0 && j < columns)
            return storage[i + j * rows]
        }
        set {
            precondition(i >= 0 && i < rows && j >= 0 && j < columns)
            storage[i + j * rows] = newValue
        }
    }

    /// Row `i` as an array of `columns` values.
    public func row(_ i: Int) -> [Double] {
        precondition(i >= 0 && i < rows)
        return (0..<columns).map { storage[i + $0 * rows] }
    }

    /// Column `j` as an array of `rows` values.
    public func column(_ j: Int) -> [Double] {
        precondition(j >= 0 && j < columns)
        return Array(storage[(j * rows)..<((j + 1) * rows)])
    }

    /// The elements (i, i).
    public var diagonal: [Double] { (0..<min(rows, columns)).map { storage[$0 + $0 * rows] } }

    /// The matrix with rows and columns exchanged.
    public func transposed() -> Matrix {
        var result = Matrix(rows: columns, columns: rows)
        for j in 0..<columns {
            for i in 0..<rows { result.storage[j + i * columns] = storage[i + j * rows] }
        }
        return result
    }

    /// The matrix made of the given rows and columns, in the given order.
    public func submatrix(rows rowIndices: [Int], columns columnIndices: [Int]) -> Matrix {
        var values: [Double] = []
        values.reserveCapacity(rowIndices.count * columnIndices.count)
        for j in columnIndices {
            precondition(j >= 0 && j < columns)
            let start = j * rows
            for i in rowIndices {
                precondition(i >= 0 && i < rows)
                values.append(storage[start + i])
            }
        }
        return Matrix(rows: rowIndices.count, columns: columnIndices.count, columnMajor: values)
    }

    /// The matrix made of the given rows, in the given order.
    public func selecting(rows indices: [Int]) -> Matrix { submatrix(rows: indices, columns: Array(0..<columns)) }

    /// The matrix made of the given columns, in the given order.
    public func selecting(columns indices: [Int]) -> Matrix {
        var values: [Double] = []
        values.reserveCapacity(indices.count * rows)
        for j in indices {
            precondition(j >= 0 && j < columns)
            values.append(contentsOf: storage[(j * rows)..<((j + 1) * rows)])
        }
        return Matrix(rows: rows, columns: indices.count, columnMajor: values)
    }

    /// The matrix with the rows of another one below.
    public func appending(rows other: Matrix) -> Matrix {
        precondition(other.columns == columns)
        let total = rows + other.rows
        var result = Matrix(rows: total, columns: columns)
        for j in 0..<columns {
            for i in 0..<rows { result.storage[i + j * total] = storage[i + j * rows] }
            for i in 0..<other.rows { result.storage[rows + i + j * total] = other.storage[i + j * other.rows] }
        }
        return result
    }

    /// The matrix with one more row below.
    public func appending(row: [Double]) -> Matrix {
        precondition(row.count == columns)
        var result = Matrix(rows: rows + 1, columns: columns)
        for j in 0..<columns {
            for i in 0..<rows { result.storage[i + j * (rows + 1)] = storage[i + j * rows] }
            result.storage[rows + j * (rows + 1)] = row[j]
        }
        return result
    }

    /// The largest absolute element; zero for an empty matrix, NaN elements are ignored.
    public var maximumMagnitude: Double {
        columnMagnitudes.max() ?? 0
    }
}
