import COpenBLAS
import RealModule

/// The LAPACK routines the factorisations stand on. Column order, lower triangles, no copy.
enum LAPACK {
    private static let columnMajor = LAPACK_COL_MAJOR
    private static let lower = Triangle.lower.lapack
    private static func character(_ c: Unicode.Scalar) -> CChar { CChar(UInt8(ascii: c)) }

    static func cholesky(_ a: inout Matrix) throws(FactorisationError) {
        guard a.rows > 0 else { return }
        let order = Int32(a.rows)
        OpenBLASKernel.prepare()
        let info = LAPACKE_dpotrf_work(columnMajor, lower, order, &a.storage, order)
        if info > 0 { throw .notPositiveDefinite(order: Int(info)) }
        if info < 0 { throw .invalidArgument(position: Int(-info)) }
        // A NaN need not stop dpotrf, but it always reaches the last pivot or an earlier one.
        for i in 0..<a.rows where !(a.storage[i + i * a.rows] > 0) { throw .notPositiveDefinite(order: i + 1) }
    }

    static func choleskySolve(_ factor: Matrix, _ b: inout [Double], columns: Int) {
        precondition(b.count == factor.rows * columns, "the right-hand side does not fit the factor")
        guard factor.rows > 0, columns > 0 else { return }
        let order = Int32(factor.rows)
        OpenBLASKernel.prepare()
        if columns == 1 {
            cblas_dtrsv(CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, order, factor.storage, order, &b, 1)
            cblas_dtrsv(CblasColMajor, CblasLower, CblasTrans, CblasNonUnit, order, factor.storage, order, &b, 1)
        } else {
            triangularSolve(factor, transposed: false, &b, columns: columns)
            triangularSolve(factor, transposed: true, &b, columns: columns)
        }
    }

    static func triangularSolve(_ factor: Matrix, transposed: Bool, _ b: inout [Double], columns: Int) {
        precondition(b.count == factor.rows * columns, "the right-hand side does not fit the factor")
        guard factor.rows > 0, columns > 0 else { return }
        let order = Int32(factor.rows)
        OpenBLASKernel.prepare()
        cblas_dtrsm(
            CblasColMajor, CblasLeft, CblasLower, transposed ? CblasTrans : CblasNoTrans, CblasNonUnit, order,
            Int32(columns), 1, factor.storage, order, &b, order)
    }

    /// Numbers of work that a factorisation asks for.
    static func bunchKaufmanRoom(order n: Int) -> Int {
        guard n > 0 else { return 1 }
        OpenBLASKernel.prepare()
        let order = Int32(n)
        var (matrix, pivot, size) = (0.0, Int32(0), 0.0)
        _ = LAPACKE_dsytrf_work(columnMajor, lower, order, &matrix, order, &pivot, &size, -1)
        return max(Int(size), 1)
    }

    static func bunchKaufman(
        _ a: inout Matrix, _ pivots: inout [Int32], _ work: inout [Double]
    ) throws(FactorisationError) {
        let order = Int32(a.rows)
        guard order > 0 else { return }
        guard a.isFinite else { throw .notFinite }
        OpenBLASKernel.prepare()
        let info = LAPACKE_dsytrf_work(
            columnMajor, lower, order, &a.storage, order, &pivots, &work, Int32(work.count))
        if info > 0 { throw .singular(pivot: Int(info)) }
        if info < 0 { throw .invalidArgument(position: Int(-info)) }
    }

    static func bunchKaufmanSolve(_ factor: Matrix, _ pivots: [Int32], _ b: inout [Double], columns: Int) {
        precondition(b.count == factor.rows * columns, "the right-hand side does not fit the factor")
        guard factor.rows > 0, columns > 0 else { return }
        let order = Int32(factor.rows)
        OpenBLASKernel.prepare()
        _ = LAPACKE_dsytrs_work(columnMajor, lower, order, Int32(columns), factor.storage, order, pivots, &b, order)
    }

    static func lu(_ a: inout Matrix) throws(FactorisationError) -> [Int32] {
        let order = Int32(a.rows)
        var pivots = [Int32](repeating: 0, count: a.rows)
        guard order > 0 else { return pivots }
        guard a.isFinite else { throw .notFinite }
        OpenBLASKernel.prepare()
        let info = LAPACKE_dgetrf_work(columnMajor, order, order, &a.storage, order, &pivots)
        if info > 0 { throw .singular(pivot: Int(info)) }
        if info < 0 { throw .invalidArgument(position: Int(-info)) }
        return pivots
    }

    static func luSolve(_ factor: Matrix, _ pivots: [Int32], _ b: inout [Double], columns: Int) {
        precondition(b.count == factor.rows * columns, "the right-hand side does not fit the factor")
        guard factor.rows > 0, columns > 0 else { return }
        let order = Int32(factor.rows)
        OpenBLASKernel.prepare()
        _ = LAPACKE_dgetrs_work(
            columnMajor, character("N"), order, Int32(columns), factor.storage, order, pivots, &b, order)
    }

    static func eigen(_ a: Matrix) throws(FactorisationError) -> ([Double], Matrix) {
        let n = a.rows
        var values = [Double](repeating: 0, count: n)
        var vectors = Matrix(rows: n, columns: n)
        guard n > 0 else { return (values, vectors) }
        var copy = a.storage
        var found: Int32 = 0
        var support = [Int32](repeating: 0, count: 2 * n)
        let order = Int32(n)
        let job = character("V")
        let range = character("A")
        OpenBLASKernel.prepare()
        var size = 0.0
        var integerSize: Int32 = 0
        _ = LAPACKE_dsyevr_work(
            columnMajor, job, range, lower, order, &copy, order, 0, 0, 0, 0, 0, &found, &values, &vectors.storage,
            order,
            &support, &size, -1, &integerSize, -1)
        var work = [Double](repeating: 0, count: max(Int(size), 1))
        var integerWork = [Int32](repeating: 0, count: max(Int(integerSize), 1))
        let info = LAPACKE_dsyevr_work(
            columnMajor, job, range, lower, order, &copy, order, 0, 0, 0, 0, 0, &found, &values, &vectors.storage,
            order,
            &support, &work, Int32(work.count), &integerWork, Int32(integerWork.count))
        if info < 0 { throw .invalidArgument(position: Int(-info)) }
        if info > 0 || Int(found) != n { throw .noConvergence(code: Int(info)) }
        return (values, vectors)
    }

    static func pivotedQR(_ a: inout Matrix) throws(FactorisationError) -> [Int] {
        var order = [Int32](repeating: 0, count: a.columns)
        guard a.rows > 0, a.columns > 0 else { return Array(0..<a.columns) }
        var reflectors = [Double](repeating: 0, count: min(a.rows, a.columns))
        let (m, n) = (Int32(a.rows), Int32(a.columns))
        OpenBLASKernel.prepare()
        var size = 0.0
        _ = LAPACKE_dgeqp3_work(columnMajor, m, n, &a.storage, m, &order, &reflectors, &size, -1)
        var work = [Double](repeating: 0, count: max(Int(size), 1))
        let info = LAPACKE_dgeqp3_work(
            columnMajor, m, n, &a.storage, m, &order, &reflectors, &work, Int32(work.count))
        if info != 0 { throw .invalidArgument(position: Int(-info)) }
        return order.map { Int($0) - 1 }
    }
}

/// Natural logarithm, kept here so that the factorisations need no other import.
func naturalLogarithm(_ x: Double) -> Double { Double.log(x) }
