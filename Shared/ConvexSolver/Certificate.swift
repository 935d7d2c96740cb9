import LinearAlgebra

/// A proof that a program has no optimum.
public enum Certificate: Sendable, Equatable {
    /// The constraints contradict each other.
    case primalInfeasible(FarkasCertificate)
    /// The objective is unbounded below.
    case dualInfeasible(UnboundedRay)
}

/// Multipliers that add constraints up to a contradiction.
///
/// With z, zl, zu >= 0 and A'y + G'z - zl + zu = 0, every feasible x would satisfy
/// -b'y - h'z + lower'zl - upper'zu <= 0; the certificate makes that number, the margin, positive.
public struct FarkasCertificate: Sendable, Equatable {
    /// Multipliers y of the equality rows, of any sign.
    public var equality: [Double]
    /// Multipliers z of the inequality rows.
    public var inequality: [Double]
    /// Multipliers zl of the lower bounds.
    public var lower: [Double]
    /// Multipliers zu of the upper bounds.
    public var upper: [Double]

    /// The certificate that row multipliers imply: bound multipliers absorb A'y + G'z, which makes the proof exact for
    /// variables with finite bounds.
    public init(program: QuadraticProgram, equality: [Double], inequality: [Double]) {
        let z = inequality.map { max($0, 0) }
        var reduced = program.A.transposedMultiplied(by: equality)
        program.G.gemv(z, transposed: true, beta: 1, into: &reduced)
        self.equality = equality
        self.inequality = z
        lower = zip(reduced, program.lower).map { $1.isFinite ? max($0, 0) : 0 }
        upper = zip(reduced, program.upper).map { $1.isFinite ? max(-$0, 0) : 0 }
    }

    init(equality: [Double], inequality: [Double], lower: [Double], upper: [Double]) {
        self.equality = equality
        self.inequality = inequality
        self.lower = lower
        self.upper = upper
    }

    /// -b'y - h'z + lower'zl - upper'zu.
    public func margin(for program: QuadraticProgram) -> Double { terms(program).reduce(0, +) }

    /// Whether the multipliers prove `program` infeasible: nonnegative, summing to zero, positive margin, each beyond
    /// what rounding could produce.
    public func proves(_ program: QuadraticProgram, tolerance: Double = 1e-9) -> Bool {
        guard equality.count == program.b.count, inequality.count == program.h.count,
            lower.count == program.variables, upper.count == program.variables
        else { return false }
        for part in [inequality, lower, upper] where !part.allSatisfy({ $0 >= 0 && $0.isFinite }) { return false }
        let terms = terms(program)
        let margin = terms.reduce(0, +)
        if margin == .infinity { return true }
        let size = terms.reduce(0) { max($0, $1.magnitude) }
        guard margin > tolerance * size else { return false }
        // What the bounds could not absorb has to vanish against the sums it came from.
        var residual = program.A.transposedMultiplied(by: equality)
        program.G.gemv(inequality, transposed: true, beta: 1, into: &residual)
        var scale = [Double](repeating: 0, count: program.variables)
        for j in 0..<program.variables {
            for i in 0..<program.A.rows { scale[j] = max(scale[j], (program.A[i, j] * equality[i]).magnitude) }
            for i in 0..<program.G.rows { scale[j] = max(scale[j], (program.G[i, j] * inequality[i]).magnitude) }
            residual[j] += upper[j] - lower[j]
            guard residual[j].magnitude <= tolerance * max(scale[j], upper[j], lower[j]) else { return false }
        }
        // Right-hand sides computed as A x carry errors of the size of the terms of A x.
        return margin > 1e-13 * (scale.max() ?? 0) * ProblemScale(program).reach
    }

    private func terms(_ program: QuadraticProgram) -> [Double] {
        let parts = [
            (equality, program.b, -1.0), (inequality, program.h, -1), (lower, program.lower, 1),
            (upper, program.upper, -1),
        ]
        return parts.flatMap { multipliers, values, sign in
            zip(multipliers, values).map { $0 == 0 ? 0 : sign * $0 * $1 }
        }
    }
}

/// A direction along which a program stays feasible while its objective falls.
public struct UnboundedRay: Sendable, Equatable {
    /// The direction d: Pd = 0, Ad = 0, Gd <= 0, within the bounds' recession cone, q'd < 0.
    public var direction: [Double]

    /// A claim, to be checked with `proves`.
    public init(direction: [Double]) { self.direction = direction }

    /// Whether the direction proves `program` unbounded (given one feasible point).
    public func proves(_ program: QuadraticProgram, tolerance: Double = 1e-9) -> Bool {
        let d = direction
        guard d.count == program.variables, d.allSatisfy({ $0.isFinite }) else { return false }
        let size = Vector.normInfinity(d)
        guard size > 0 else { return false }
        let descent = -Vector.dot(program.q, d)
        guard descent > tolerance * Vector.normInfinity(program.q) * size else { return false }
        for j in d.indices {
            if program.lower[j].isFinite, d[j] < 0 { return false }
            if program.upper[j].isFinite, d[j] > 0 { return false }
        }
        if let P = program.P {
            let curvature = Vector.normInfinity(P.symmetricMultiplied(by: d))
            guard curvature <= tolerance * P.maximumMagnitude * size else { return false }
        }
        let equalities = program.A.multiplied(by: d)
        for i in equalities.indices {
            guard equalities[i].magnitude <= tolerance * Vector.normInfinity(program.A.row(i)) * size else {
                return false
            }
        }
        let inequalities = program.G.multiplied(by: d)
        for i in inequalities.indices where program.h[i] < .infinity {
            guard inequalities[i] <= tolerance * Vector.normInfinity(program.G.row(i)) * size else { return false }
        }
        return true
    }
}
