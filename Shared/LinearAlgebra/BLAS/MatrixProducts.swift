import COpenBLAS

/// Which triangle of a symmetric matrix holds its elements.
public enum Triangle: Sendable {
    /// Elements (i, j) with i >= j.
    case lower
    /// Elements (i, j) with i <= j.
    case upper

    var blas: CBLAS_UPLO { self == .lower ? CblasLower : CblasUpper }
    var lapack: CChar { CChar(UInt8(ascii: self == .lower ? "L" : "U")) }
}

/// Products of matrices and vectors (BLAS levels 2 and 3).
extension Matrix {
    /// result = scale op(A) x + beta result, op being the transpose where `transposed`.
    public func gemv(
        _ x: [Double], transposed: Bool = false, scale alpha: Double = 1, beta: Double = 0, into result: inout [Double]
    ) {
        precondition(x.count == (transposed ? rows : columns), "gemv: the vector does not fit the matrix")
        precondition(result.count == (transposed ? columns : rows), "gemv: the result does not fit the matrix")
        precondition(storage.count == rows * columns)
        guard !result.isEmpty else { return }
        guard !x.isEmpty else {
            for i in result.indices { result[i] = beta == 0 ? 0 : beta * result[i] }
            return
        }
        OpenBLASKernel.prepare()
        cblas_dgemv(
            CblasColMajor, transposed ? CblasTrans : CblasNoTrans, Int32(rows), Int32(columns), alpha, storage,
            Int32(rows), x, 1, beta, &result, 1)
    }

    /// The same of parts of longer vectors: x begins at `from`, the result at `place`.
    public func gemv(
        _ x: [Double], from: Int, transposed: Bool = false, scale alpha: Double = 1, beta: Double = 0,
        into result: inout [Double], at place: Int
    ) {
        let (taken, given) = transposed ? (rows, columns) : (columns, rows)
        precondition(from >= 0 && from + taken <= x.count, "gemv: the vector does not fit the matrix")
        precondition(place >= 0 && place + given <= result.count && storage.count == rows * columns)
        guard given > 0 else { return }
        guard taken > 0 else {
            for i in place..<(place + given) { result[i] = beta == 0 ? 0 : beta * result[i] }
            return
        }
        OpenBLASKernel.prepare()
        x.withUnsafeBufferPointer { x in
            result.withUnsafeMutableBufferPointer { result in
                cblas_dgemv(
                    CblasColMajor, transposed ? CblasTrans : CblasNoTrans, Int32(rows), Int32(columns), alpha, storage,
                    Int32(rows), x.baseAddress.unsafelyUnwrapped + from, 1, beta,
                    result.baseAddress.unsafelyUnwrapped + place, 1)
            }
        }
    }

    /// Adds `scale A x` to a vector, x being the part of a longer one that begins at `start`.
    public func addProduct(_ x: [Double], from start: Int, scale alpha: Double, to result: inout [Double]) {
        precondition(result.count == rows)
        gemv(x, from: start, scale: alpha, beta: 1, into: &result, at: 0)
    }

    /// Adds `scale A' x` to the part of a longer vector that begins at `start`.
    public func addTransposedProduct(_ x: [Double], scale alpha: Double, to result: inout [Double], at start: Int) {
        precondition(x.count == rows)
        gemv(x, from: 0, transposed: true, scale: alpha, beta: 1, into: &result, at: start)
    }

    /// Adds a multiple of column j to a vector.
    public func addColumn(_ j: Int, times alpha: Double, to result: inout [Double]) {
        precondition(j >= 0 && j < columns && result.count == rows && storage.count == rows * columns)
        OpenBLASKernel.prepare()
        storage.withUnsafeBufferPointer { values in
            cblas_daxpy(Int32(rows), alpha, values.baseAddress.unsafelyUnwrapped + j * rows, 1, &result, 1)
        }
    }

    /// The scalar product of column j and a vector.
    public func dot(column j: Int, _ x: [Double]) -> Double {
        precondition(j >= 0 && j < columns && x.count == rows && storage.count == rows * columns)
        OpenBLASKernel.prepare()
        return storage.withUnsafeBufferPointer { values in
            cblas_ddot(Int32(rows), values.baseAddress.unsafelyUnwrapped + j * rows, 1, x, 1)
        }
    }

    /// A += scale x y'.
    public mutating func addOuter(_ x: [Double], _ y: [Double], scale alpha: Double) {
        precondition(x.count == rows && y.count == columns, "addOuter: the vectors do not fit the matrix")
        guard rows > 0, columns > 0 else { return }
        OpenBLASKernel.prepare()
        cblas_dger(CblasColMajor, Int32(rows), Int32(columns), alpha, x, 1, y, 1, &storage, Int32(rows))
    }

    /// A x.
    public func multiplied(by x: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: rows)
        gemv(x, into: &result)
        return result
    }

    /// A' x.
    public func transposedMultiplied(by x: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: columns)
        gemv(x, transposed: true, into: &result)
        return result
    }

    /// A x for a symmetric A of which one triangle is read.
    public func symmetricMultiplied(by x: [Double], triangle: Triangle = .lower) -> [Double] {
        precondition(rows == columns && x.count == rows, "symv: the vector does not fit the matrix")
        var result = [Double](repeating: 0, count: rows)
        symmetricMultiplied(by: x, triangle: triangle, into: &result)
        return result
    }

    /// The same into a vector that is there already.
    public func symmetricMultiplied(by x: [Double], triangle: Triangle = .lower, into result: inout [Double]) {
        precondition(rows == columns && x.count == rows && result.count == rows, "symv: the vectors do not fit")
        guard rows > 0 else { return }
        OpenBLASKernel.prepare()
        cblas_dsymv(CblasColMajor, triangle.blas, Int32(rows), 1, storage, Int32(rows), x, 1, 0, &result, 1)
    }

    /// self = scale op(A) op(B) + beta self.
    public mutating func gemm(
        _ a: Matrix, _ b: Matrix, transposeFirst transposeA: Bool = false, transposeSecond transposeB: Bool = false,
        scale alpha: Double = 1, beta: Double = 0
    ) {
        let inner = transposeA ? a.rows : a.columns
        precondition(inner == (transposeB ? b.columns : b.rows), "gemm: the factors do not fit")
        precondition(rows == (transposeA ? a.columns : a.rows), "gemm: the result has the wrong rows")
        precondition(columns == (transposeB ? b.rows : b.columns), "gemm: the result has the wrong columns")
        guard rows > 0, columns > 0 else { return }
        guard inner > 0 else {
            for i in storage.indices { storage[i] = beta == 0 ? 0 : beta * storage[i] }
            return
        }
        OpenBLASKernel.prepare()
        cblas_dgemm(
            CblasColMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
            Int32(rows), Int32(columns), Int32(inner), alpha, a.storage, Int32(a.rows), b.storage, Int32(b.rows),
            beta, &storage, Int32(rows))
    }

    /// A B.
    public static func * (a: Matrix, b: Matrix) -> Matrix {
        var result = Matrix(rows: a.rows, columns: b.columns)
        result.gemm(a, b)
        return result
    }

    /// self = scale A A' + beta self, or scale A' A + beta self where `transposed`; only the lower triangle is written.
    public mutating func syrk(_ a: Matrix, transposed: Bool = false, scale alpha: Double = 1, beta: Double = 0) {
        let order = transposed ? a.columns : a.rows
        let inner = transposed ? a.rows : a.columns
        precondition(rows == order && columns == order, "syrk: the result has the wrong order")
        guard order > 0 else { return }
        guard inner > 0 else {
            if beta != 1 { for i in storage.indices { storage[i] = beta == 0 ? 0 : beta * storage[i] } }
            return
        }
        OpenBLASKernel.prepare()
        cblas_dsyrk(
            CblasColMajor, CblasLower, transposed ? CblasTrans : CblasNoTrans, Int32(order), Int32(inner), alpha,
            a.storage, Int32(a.rows), beta, &storage, Int32(rows))
    }

    /// A' A of some of the rows, each times its factor; both triangles filled. Rows are taken in groups, so that no copy of all is made.
    public func gram(rows places: [Int], factors: [Double]) -> Matrix {
        precondition(places.count == factors.count && places.allSatisfy { $0 >= 0 && $0 < rows })
        let group = min(places.count, 1024)
        var part = Matrix(rows: group, columns: columns)
        var result = Matrix(rows: columns, columns: columns)
        for start in stride(from: 0, to: places.count, by: max(group, 1)) {
            let kept = min(group, places.count - start)
            for j in 0..<columns {
                for i in 0..<kept {
                    part.storage[i + j * group] = factors[start + i] * storage[places[start + i] + j * rows]
                }
            }
            result.syrk(firstRows: kept, of: part, beta: start == 0 ? 0 : 1)
        }
        result.mirrorLowerTriangle()
        return result
    }

    /// self = A' A + beta self, A being the first rows of a matrix that may have more; only the lower triangle is written.
    public mutating func syrk(firstRows count: Int, of a: Matrix, beta: Double = 0) {
        precondition(rows == a.columns && columns == a.columns && count <= a.rows, "syrk: the shapes do not fit")
        guard columns > 0 else { return }
        guard count > 0 else {
            if beta != 1 { for i in storage.indices { storage[i] = beta == 0 ? 0 : beta * storage[i] } }
            return
        }
        OpenBLASKernel.prepare()
        cblas_dsyrk(
            CblasColMajor, CblasLower, CblasTrans, Int32(columns), Int32(count), 1, a.storage, Int32(a.rows), beta,
            &storage, Int32(rows))
    }

    /// The symmetric matrix A' A (or A A'), both triangles filled.
    public func gram(ofRows: Bool = false) -> Matrix {
        let order = ofRows ? rows : columns
        var result = Matrix(rows: order, columns: order)
        result.syrk(self, transposed: !ofRows)
        result.mirrorLowerTriangle()
        return result
    }
}
