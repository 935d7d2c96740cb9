import LinearAlgebra

/// The program as the interior-point loop sees it: every inequality, row or bound, is one line of C x + s = d, s >= 0.
///
///     C = [ G ; -I(lowerIndex) ; I(upperIndex) ],   d = [ h ; -lower ; upper ]
///
/// Bounds are never stored as rows: they act on the diagonal.
struct StandardForm: Sendable {
    var P: Matrix?
    var q: [Double]
    var A: Matrix
    var b: [Double]
    var G: Matrix
    /// Right-hand sides of all inequalities, in the order of C.
    var d: [Double]
    var lowerIndex: [Int]
    var upperIndex: [Int]

    var variables: Int { q.count }
    var equalities: Int { b.count }
    var inequalities: Int { d.count }
    var rows: Int { G.rows }
    var lowerOffset: Int { G.rows }
    var upperOffset: Int { G.rows + lowerIndex.count }

    /// C x.
    func inequalityProduct(_ x: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: inequalities)
        if rows > 0 {
            let rowValues = G.multiplied(by: x)
            for i in 0..<rows { result[i] = rowValues[i] }
        }
        for (k, j) in lowerIndex.enumerated() { result[lowerOffset + k] = -x[j] }
        for (k, j) in upperIndex.enumerated() { result[upperOffset + k] = x[j] }
        return result
    }

    /// result += C' z.
    func addInequalityTransposed(_ z: [Double], to result: inout [Double]) {
        if rows > 0 { G.gemv(Array(z[0..<rows]), transposed: true, beta: 1, into: &result) }
        for (k, j) in lowerIndex.enumerated() { result[j] -= z[lowerOffset + k] }
        for (k, j) in upperIndex.enumerated() { result[j] += z[upperOffset + k] }
    }

    /// P x, or zeros.
    func quadraticProduct(_ x: [Double]) -> [Double] {
        P?.symmetricMultiplied(by: x) ?? [Double](repeating: 0, count: variables)
    }

    /// Lower triangle of P + C' diag(w) C.
    func weightedHessian(_ w: [Double]) -> Matrix {
        var hessian = P ?? Matrix(rows: variables, columns: variables)
        if rows > 0 {
            let roots = (0..<rows).map { w[$0].squareRoot() }
            hessian.syrk(G.scaled(rows: roots), transposed: true, beta: 1)
        }
        hessian.addToDiagonal(boundWeights(w))
        return hessian
    }

    /// (P + C' diag(w) C) x without forming the matrix.
    func weightedHessianProduct(_ w: [Double], _ x: [Double]) -> [Double] {
        var result = quadraticProduct(x)
        var image = inequalityProduct(x)
        for i in image.indices { image[i] *= w[i] }
        addInequalityTransposed(image, to: &result)
        return result
    }

    /// What the bounds add to the diagonal of the Hessian.
    func boundWeights(_ w: [Double]) -> [Double] {
        var diagonal = [Double](repeating: 0, count: variables)
        for (k, j) in lowerIndex.enumerated() { diagonal[j] += w[lowerOffset + k] }
        for (k, j) in upperIndex.enumerated() { diagonal[j] += w[upperOffset + k] }
        return diagonal
    }
}
