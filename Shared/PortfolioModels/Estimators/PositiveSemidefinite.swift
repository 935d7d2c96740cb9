public import LinearAlgebra
public import WireFormat

/// Turns a symmetric matrix that is no covariance into a near one that is, with the same variances, and says by how much.
///
/// `clip` sets the negative eigenvalues of the correlations to zero and scales the diagonal back to one: fast, and near.
/// `higham` finds the nearest correlation matrix.
public enum PositiveSemidefinite {
    /// What was done.
    public struct Repair: Sendable, Equatable {
        /// Positive semidefinite, up to rounding.
        public var matrix: Matrix
        /// Smallest eigenvalue of the correlations before.
        public var smallestEigenvalue: Double
        /// Largest change of a correlation.
        public var largestChange: Double

        /// The change as callers see it.
        public func warning(_ place: [String]) -> PortfolioWarning {
            PortfolioWarning(
                code: "covariance_repaired", pointer: JSONPointer(place),
                detail:
                    "The estimate was not positive semidefinite (smallest eigenvalue of its correlations \(smallestEigenvalue)); no correlation was changed by more than \(largestChange)."
            )
        }
    }

    /// Largest eigenvalue below zero that is taken for rounding, relative to the largest one.
    public static let rounding = 1e-12

    /// The repair, or nil where the matrix is positive semidefinite already.
    /// - Parameter covariance: N x N, symmetric, finite, with a diagonal that is not negative.
    /// - Throws: `OPT-202` where the spectral decomposition or the projections do not converge.
    public static func repair(_ covariance: Matrix, method: PSDRepair = .clip) throws(Problem) -> Repair? {
        var correlation = Correlation(of: covariance)
        let original = correlation.matrix
        // A Cholesky factor proves it at a tenth of the cost.
        if (try? Cholesky(factorising: original)) != nil { return nil }
        let eigen = try decompose(original)
        guard let smallest = eigen.values.first, let largest = eigen.values.last,
            smallest < -rounding * max(largest, 1)
        else { return nil }
        switch method {
        case .clip: correlation.matrix = Correlation(of: projected(eigen)).matrix
        case .higham: correlation.matrix = try NearestCorrelation.to(original)
        }
        // Rounding of the projection itself must not leave a direction of negative variance.
        let after = try decompose(correlation.matrix).values.first ?? 0
        if after < 0 {
            let share = min(-after / (1 - after), 1)
            for index in correlation.matrix.storage.indices { correlation.matrix.storage[index] *= 1 - share }
            for i in 0..<original.rows { correlation.matrix[i, i] = 1 }
        }
        var change = 0.0
        for (a, b) in zip(correlation.matrix.storage, original.storage) { change = max(change, abs(a - b)) }
        return Repair(matrix: correlation.covariance, smallestEigenvalue: smallest, largestChange: change)
    }

    static func decompose(_ matrix: Matrix) throws(Problem) -> SymmetricEigen {
        do { return try SymmetricEigen(matrix) } catch {
            throw Problem(.unstable, "The covariance has no spectral decomposition: \(error).")
        }
    }

    /// The matrix without its negative eigenvalues.
    static func projected(_ eigen: SymmetricEigen) -> Matrix {
        let n = eigen.values.count
        let kept = eigen.values.indices.filter { eigen.values[$0] > 0 }
        let vectors = eigen.vectors.selecting(columns: kept)
            .scaled(rows: [Double](repeating: 1, count: n), columns: kept.map { eigen.values[$0].squareRoot() })
        return vectors.gram(ofRows: true)
    }
}

/// The nearest correlation matrix in the Frobenius norm.
///
/// Alternating projections onto positive semidefinite matrices, with Dykstra's correction, and onto unit diagonals; converges
/// linearly.
///
/// Source: N. J. Higham (2002), Computing the Nearest Correlation Matrix, a Problem from Finance, IMA Journal of Numerical
/// Analysis 22, algorithm 3.3.
enum NearestCorrelation {
    /// Most rounds of projections.
    static let mostRounds = 2000

    /// - Throws: `OPT-202` where the projections have not settled to 1e-10 after `mostRounds`.
    static func to(_ matrix: Matrix) throws(Problem) -> Matrix {
        var correction = Matrix(rows: matrix.rows, columns: matrix.columns)
        var current = matrix
        for _ in 0..<mostRounds {
            var shifted = current
            for index in shifted.storage.indices { shifted.storage[index] -= correction.storage[index] }
            let inside = PositiveSemidefinite.projected(try PositiveSemidefinite.decompose(shifted))
            var next = inside
            for i in 0..<matrix.rows { next[i, i] = 1 }
            var change = 0.0
            for index in next.storage.indices {
                correction.storage[index] = inside.storage[index] - shifted.storage[index]
                change = max(
                    change, abs(next.storage[index] - current.storage[index]),
                    abs(next.storage[index] - inside.storage[index]))
            }
            current = next
            if change <= 1e-10 { return current }
        }
        throw Problem(
            .notConverged, "The nearest correlation matrix was not found in \(mostRounds) rounds; use the method clip.")
    }
}
