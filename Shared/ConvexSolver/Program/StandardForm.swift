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
        inequalityProduct(x, into: &result)
        return result
    }

    /// The same into a vector that is there already, as are the others below.
    func inequalityProduct(_ x: [Double], into result: inout [Double]) {
        G.gemv(x, from: 0, into: &result, at: 0)
        for (k, j) in lowerIndex.enumerated() { result[lowerOffset + k] = -x[j] }
        for (k, j) in upperIndex.enumerated() { result[upperOffset + k] = x[j] }
    }

    /// result += C' z.
    func addInequalityTransposed(_ z: [Double], to result: inout [Double]) {
        G.gemv(z, from: 0, transposed: true, beta: 1, into: &result, at: 0)
        for (k, j) in lowerIndex.enumerated() { result[j] -= z[lowerOffset + k] }
        for (k, j) in upperIndex.enumerated() { result[j] += z[upperOffset + k] }
    }

    /// P x, or zeros.
    func quadraticProduct(_ x: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: variables)
        quadraticProduct(x, into: &result)
        return result
    }

    func quadraticProduct(_ x: [Double], into result: inout [Double]) {
        if let P {
            P.symmetricMultiplied(by: x, into: &result)
        } else {
            for j in result.indices { result[j] = 0 }
        }
    }

    /// Lower triangle of P + C' diag(w) C.
    /// - Parameter scaledRows: room for G, each row times the root of its weight.
    func weightedHessian(_ w: [Double], into hessian: inout Matrix, _ scaledRows: inout Matrix) {
        if let P {
            Vector.copy(P.storage, into: &hessian.storage)
        } else {
            for i in hessian.storage.indices { hessian.storage[i] = 0 }
        }
        if rows > 0 {
            for i in 0..<rows {
                let root = w[i].squareRoot()
                for j in 0..<variables { scaledRows.storage[i + j * rows] = root * G.storage[i + j * rows] }
            }
            hessian.syrk(scaledRows, transposed: true, beta: 1)
        }
        let n = variables
        for (k, j) in lowerIndex.enumerated() { hessian.storage[j + j * n] += w[lowerOffset + k] }
        for (k, j) in upperIndex.enumerated() { hessian.storage[j + j * n] += w[upperOffset + k] }
    }

    /// (P + C' diag(w) C) x without forming the matrix.
    /// - Parameter image: room for one number an inequality.
    func weightedHessianProduct(
        _ w: [Double], _ x: [Double], into result: inout [Double], _ image: inout [Double]
    ) {
        quadraticProduct(x, into: &result)
        inequalityProduct(x, into: &image)
        for i in image.indices { image[i] *= w[i] }
        addInequalityTransposed(image, to: &result)
    }

    /// What the bounds add to the diagonal of the Hessian.
    func boundWeights(_ w: [Double], into diagonal: inout [Double]) {
        for j in diagonal.indices { diagonal[j] = 0 }
        for (k, j) in lowerIndex.enumerated() { diagonal[j] += w[lowerOffset + k] }
        for (k, j) in upperIndex.enumerated() { diagonal[j] += w[upperOffset + k] }
    }
}
