import LinearAlgebra
import RealModule

/// The graphical lasso: a covariance whose inverse Theta is sparse.
///
/// ```
/// min over Theta > 0 of  tr(S Theta) - log det Theta + alpha sum_{i != j} |Theta_ij|
/// ```
/// Block coordinate descent: each row of Theta is a lasso on the others. Tolerances (1e-4 on the duality gaps) and the order of
/// all steps are scikit-learn's, so that the same penalties count as solved; at the penalty that cross-validation picks, the
/// result is within 1e-5 of the optimum.
///
/// Source: J. Friedman, T. Hastie, R. Tibshirani (2008), Sparse Inverse Covariance Estimation with the Graphical Lasso,
/// Biostatistics 9.
struct GraphicalLasso {
    let covariance: Matrix
    let precision: Matrix
    /// Whether the duality gap reached the tolerance.
    let isConverged: Bool

    private static let tolerance = 1e-4

    /// Nil where the iteration leaves the positive definite matrices.
    /// - Parameters:
    ///   - sample: S, divisor T.
    ///   - start: the covariance of a larger penalty; S where there is none.
    init?(sample: Matrix, penalty: Double, start: Matrix? = nil, rounds: Int) {
        let n = sample.rows
        var covariance = start ?? sample
        for index in covariance.storage.indices { covariance.storage[index] *= 0.95 }
        for i in 0..<n { covariance[i, i] = sample[i, i] }
        guard var precision = Self.pseudoInverse(covariance) else { return nil }
        var isConverged = false
        for round in 0..<rounds {
            for index in 0..<n {
                let others = (0..<n).filter { $0 != index }
                let block = covariance.submatrix(rows: others, columns: others)
                let row = others.map { sample[index, $0] }
                let pivot = precision[index, index] + 1000 * Double.ulpOfOne
                var lasso = GramLasso(
                    gram: block, target: row, penalty: penalty, start: others.map { -(precision[$0, index] / pivot) })
                lasso.run(rounds: max(20, rounds), tolerance: Self.tolerance)
                let coefficients = lasso.coefficients
                var explained = 0.0
                for (k, other) in others.enumerated() { explained += covariance[other, index] * coefficients[k] }
                let diagonal = 1 / (covariance[index, index] - explained)
                precision[index, index] = diagonal
                let fitted = block.multiplied(by: coefficients)
                for (k, other) in others.enumerated() {
                    precision[other, index] = -diagonal * coefficients[k]
                    precision[index, other] = -diagonal * coefficients[k]
                    covariance[index, other] = fitted[k]
                    covariance[other, index] = fitted[k]
                }
            }
            guard precision.isFinite else { return nil }
            let gap = Self.gap(sample, precision, penalty)
            if abs(gap) < Self.tolerance {
                isConverged = true
                break
            }
            if round > 0, !GaussianLikelihood.isPositiveDefinite(precision) { return nil }
        }
        self.covariance = covariance
        self.precision = precision
        self.isConverged = isConverged
    }

    private static func gap(_ sample: Matrix, _ precision: Matrix, _ penalty: Double) -> Double {
        var size = 0.0
        for value in precision.storage { size += abs(value) }
        for value in precision.diagonal { size -= abs(value) }
        return Vector.dot(sample.storage, precision.storage) - Double(precision.rows) + penalty * size
    }

    private static func pseudoInverse(_ matrix: Matrix) -> Matrix? {
        guard let eigen = try? SymmetricEigen(matrix) else { return nil }
        let n = matrix.rows
        let largest = eigen.values.reduce(0) { max($0, abs($1)) }
        let cut = Double(n) * Double.ulpOfOne * largest
        let kept = eigen.values.indices.filter { abs(eigen.values[$0]) > cut }
        let vectors = eigen.vectors.selecting(columns: kept)
        let scaled = vectors.scaled(
            rows: [Double](repeating: 1, count: n), columns: kept.map { 1 / eigen.values[$0] })
        var result = Matrix(rows: n, columns: n)
        result.gemm(scaled, vectors, transposeSecond: true)
        result.mirrorLowerTriangle()
        return result
    }
}

/// The mean log-likelihood of normal returns with covariance S under a precision.
enum GaussianLikelihood {
    /// Minus infinity where the precision has no logarithm of a positive determinant.
    static func value(sample: Matrix, precision: Matrix) -> Double {
        guard let logDeterminant = logDeterminant(precision) else { return -.infinity }
        let n = Double(precision.rows)
        return (logDeterminant - Vector.dot(sample.storage, precision.storage) - n * Double.log(2 * Double.pi)) / 2
    }

    static func isPositiveDefinite(_ precision: Matrix) -> Bool { logDeterminant(precision) != nil }

    /// By the signs of the eigenvalues: an even number of negative ones still has a logarithm, as in the reference.
    private static func logDeterminant(_ matrix: Matrix) -> Double? {
        guard let eigen = try? SymmetricEigen(matrix) else { return nil }
        var sum = 0.0
        var isNegative = false
        for value in eigen.values {
            if value == 0 { return nil }
            if value < 0 { isNegative.toggle() }
            sum += Double.log(abs(value))
        }
        return isNegative ? nil : sum
    }
}

/// min over w of w'Qw/2 - q'w + penalty |w|_1 by cyclic coordinate descent, with gap-safe screening.
///
/// Source: O. Fercoq, A. Gramfort, J. Salmon (2015), Mind the Duality Gap: Safer Rules for the Lasso; the rules of termination
/// are scikit-learn's.
struct GramLasso {
    private let gram: Matrix
    private let target: [Double]
    private let penalty: Double
    private let size: Double
    private(set) var coefficients: [Double]
    private var fitted: [Double]
    private var active: [Int]

    init(gram: Matrix, target: [Double], penalty: Double, start: [Double]) {
        self.gram = gram
        self.target = target
        self.penalty = penalty
        size = Vector.dot(target, target)
        coefficients = start
        fitted = gram.multiplied(by: start)
        active = Array(target.indices)
    }

    mutating func run(rounds: Int, tolerance: Double) {
        let most = tolerance * size
        let start = gap()
        if start.gap >= 0, start.gap <= most { return }
        for j in active where gram[j, j] == 0 { coefficients[j] = 0 }
        active.removeAll { gram[$0, $0] == 0 }
        screen(start)
        for round in 0..<rounds {
            var largest = 0.0
            var largestChange = 0.0
            for j in active {
                let former = coefficients[j]
                let pivot = gram[j, j]
                let pull = target[j] - fitted[j] + former * pivot
                let next = (pull > 0 ? 1.0 : pull < 0 ? -1 : 0) * max(abs(pull) - penalty, 0) / pivot
                if next != former { move(j, to: next) }
                largestChange = max(largestChange, abs(next - former))
                largest = max(largest, abs(next))
            }
            guard largest == 0 || largestChange / largest <= tolerance || round == rounds - 1 else { continue }
            let reached = gap()
            if reached.gap <= most { return }
            screen(reached)
        }
    }

    private mutating func move(_ j: Int, to value: Double) {
        let change = value - coefficients[j]
        let start = j * gram.rows
        for i in fitted.indices { fitted[i] += change * gram.storage[start + i] }
        coefficients[j] = value
    }

    /// Drops the coordinates that are zero at every optimum.
    private mutating func screen(_ found: (gap: Double, norm: Double)) {
        let radius = (2 * abs(found.gap)).squareRoot() / penalty
        var kept: [Int] = []
        for j in active {
            let slack = 1 - abs((target[j] - fitted[j]) / max(penalty, found.norm))
            if slack / gram[j, j].squareRoot() <= radius { kept.append(j) }
        }
        let residuals = Set(kept)
        for j in active where !residuals.contains(j) && coefficients[j] != 0 { move(j, to: 0) }
        active = kept
    }

    /// The duality gap, the sum of squares of the target standing for that of the data it came from, and |X'r|_inf.
    private func gap() -> (gap: Double, norm: Double) {
        let inner = Vector.dot(coefficients, target)
        let residual = size + Vector.dot(coefficients, fitted) - 2 * inner
        var norm = 0.0
        var absolute = 0.0
        for j in target.indices {
            norm = max(norm, abs(target[j] - fitted[j]))
            absolute += abs(coefficients[j])
        }
        let share = norm > penalty ? penalty / norm : 1
        let gap = (norm > penalty ? 0.5 * residual * (1 + share * share) : residual) + penalty * absolute
        return (gap - share * (size - inner), norm)
    }
}
