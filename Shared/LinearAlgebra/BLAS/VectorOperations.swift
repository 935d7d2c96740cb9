import COpenBLAS

/// Operations on vectors of doubles, and the only names under which the rest of the package reaches BLAS level 1.
public enum Vector {
    /// The scalar product of two vectors of equal length.
    public static func dot(_ x: [Double], _ y: [Double]) -> Double {
        precondition(x.count == y.count, "a scalar product needs equal lengths")
        OpenBLASKernel.prepare()
        return cblas_ddot(Int32(x.count), x, 1, y, 1)
    }

    /// y += alpha x.
    public static func axpy(_ alpha: Double, _ x: [Double], _ y: inout [Double]) {
        precondition(x.count == y.count, "axpy needs equal lengths")
        OpenBLASKernel.prepare()
        cblas_daxpy(Int32(x.count), alpha, x, 1, &y, 1)
    }

    /// y = x, in the memory that y has.
    public static func copy(_ x: [Double], into y: inout [Double]) {
        precondition(x.count == y.count, "a copy needs equal lengths")
        OpenBLASKernel.prepare()
        cblas_dcopy(Int32(x.count), x, 1, &y, 1)
    }

    /// The Euclidean norm, without overflow or underflow on the way.
    public static func norm2(_ x: [Double]) -> Double {
        OpenBLASKernel.prepare()
        return cblas_dnrm2(Int32(x.count), x, 1)
    }

    /// The largest magnitude; zero for an empty vector, NaN if there is one.
    public static func normInfinity(_ x: [Double]) -> Double {
        var largest = 0.0
        for value in x where !(value.magnitude <= largest) {
            if value.isNaN { return value }
            largest = value.magnitude
        }
        return largest
    }
}
