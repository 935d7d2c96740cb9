public import LinearAlgebra

/// A convex quadratic program, or a linear one where `P` is nil.
///
///     minimise    1/2 x'Px + q'x
///     subject to  A x = b,  G x <= h,  lower <= x <= upper
///
/// P is n x n, symmetric and positive semidefinite (both triangles filled); A is m x n, G is k x n. A bound or an element
/// of `h` may be infinite, which means that it is absent. `lower` equal to `upper` fixes a variable; `lower` above `upper`
/// is a contradiction, which the solver answers with a certificate.
public struct QuadraticProgram: Sendable {
    /// Quadratic term, n x n, or nil for a linear program.
    public var P: Matrix?
    /// Linear term, n values.
    public var q: [Double]
    /// Equality rows, m x n.
    public var A: Matrix
    /// Right-hand sides of the equality rows.
    public var b: [Double]
    /// Inequality rows, k x n.
    public var G: Matrix
    /// Right-hand sides of the inequality rows; +infinity switches a row off.
    public var h: [Double]
    /// Lower bounds; -infinity where there is none.
    public var lower: [Double]
    /// Upper bounds; +infinity where there is none.
    public var upper: [Double]

    /// A program; whatever is left out is absent (no rows, no bounds).
    public init(
        P: Matrix? = nil,
        q: [Double],
        A: Matrix? = nil,
        b: [Double] = [],
        G: Matrix? = nil,
        h: [Double] = [],
        lower: [Double]? = nil,
        upper: [Double]? = nil
    ) {
        let n = q.count
        self.P = P
        self.q = q
        self.A = A ?? Matrix(rows: 0, columns: n)
        self.b = b
        self.G = G ?? Matrix(rows: 0, columns: n)
        self.h = h
        self.lower = lower ?? [Double](repeating: -.infinity, count: n)
        self.upper = upper ?? [Double](repeating: .infinity, count: n)
    }

    /// Number of variables.
    public var variables: Int { q.count }

    /// 1/2 x'Px + q'x.
    public func objective(at x: [Double]) -> Double {
        let linear = Vector.dot(q, x)
        guard let P else { return linear }
        return 0.5 * Vector.dot(x, P.symmetricMultiplied(by: x)) + linear
    }

    /// Throws if the program is malformed: sizes that do not fit, NaN, or infinities where a number is needed.
    public func validate() throws(ProgramError) {
        let n = variables
        guard n > 0 else { throw .noVariables }
        if let P {
            try Self.check(P.rows, n, "rows of P")
            try Self.check(P.columns, n, "columns of P")
            guard P.isFinite else { throw .notFinite("P") }
            let scale = P.maximumMagnitude
            for j in 0..<n {
                guard P[j, j] >= 0 else { throw .negativeCurvature(variable: j) }
                for i in (j + 1)..<max(n, j + 1) where (P[i, j] - P[j, i]).magnitude > 1e-10 * scale {
                    throw .notSymmetric(row: i, column: j)
                }
            }
        }
        try Self.check(A.columns, n, "columns of A")
        try Self.check(G.columns, n, "columns of G")
        try Self.check(b.count, A.rows, "elements of b")
        try Self.check(h.count, G.rows, "elements of h")
        try Self.check(lower.count, n, "elements of lower")
        try Self.check(upper.count, n, "elements of upper")
        guard q.allSatisfy({ $0.isFinite }) else { throw .notFinite("q") }
        guard A.isFinite else { throw .notFinite("A") }
        guard b.allSatisfy({ $0.isFinite }) else { throw .notFinite("b") }
        guard G.isFinite else { throw .notFinite("G") }
        guard h.allSatisfy({ !$0.isNaN }) else { throw .notFinite("h") }
        guard lower.allSatisfy({ !$0.isNaN && $0 < .infinity }) else { throw .notFinite("lower") }
        guard upper.allSatisfy({ !$0.isNaN && $0 > -.infinity }) else { throw .notFinite("upper") }
    }

    private static func check(_ found: Int, _ expected: Int, _ what: String) throws(ProgramError) {
        guard found == expected else { throw .dimension(what, expected: expected, found: found) }
    }
}

/// Why a program cannot be read as one: a mistake of the caller, not a property of the problem.
public enum ProgramError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no variable.
    case noVariables
    /// A part has the wrong size.
    case dimension(String, expected: Int, found: Int)
    /// A part holds a NaN, or an infinity that has no meaning there.
    case notFinite(String)
    /// P is not symmetric at this place.
    case notSymmetric(row: Int, column: Int)
    /// P has a negative diagonal element, so the program is not convex.
    case negativeCurvature(variable: Int)

    /// A sentence that names the part and the numbers.
    public var description: String {
        switch self {
        case .noVariables: "the program has no variable"
        case .dimension(let part, let expected, let found): "\(part): \(expected) expected, \(found) found"
        case .notFinite(let part): "\(part) holds a NaN or a meaningless infinity"
        case .notSymmetric(let row, let column): "P is not symmetric at (\(row), \(column))"
        case .negativeCurvature(let variable): "P has a negative diagonal element at \(variable)"
        }
    }
}
