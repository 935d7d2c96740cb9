/// How a solve ended.
public enum SolverStatus: String, Sendable, Equatable, CaseIterable {
    /// Residuals and gap, measured on the program as given, are within the tolerances.
    case optimal
    /// No point satisfies the constraints; the certificate proves it.
    case primalInfeasible
    /// The objective falls without limit along the certificate's ray.
    case dualInfeasible
    /// The iterations ran out.
    case iterationLimit
    /// The deadline passed.
    case deadline
    /// The flag was raised.
    case cancelled
    /// Rounding or overflow stopped progress before the tolerances, and neither certificate exists.
    case numericalFailure
}

/// The answer to a `QuadraticProgram`: the point, the prices, and how good they are.
///
/// The Lagrangian is 1/2 x'Px + q'x + y'(Ax - b) + z'(Gx - h) - zl'(x - lower) + zu'(x - upper), so all inequality and
/// bound prices are nonnegative, and an equality price is minus the derivative of the optimal value by the row's
/// right-hand side. Residuals are relative and free of units; they and the gap are measured on the program as it was given.
public struct QuadraticSolution: Sendable {
    /// How the solve ended.
    public var status: SolverStatus
    /// The point; the best one found where the status is not optimal.
    public var x: [Double]
    /// Prices y of the equality rows.
    public var equalityDuals: [Double]
    /// Prices z >= 0 of the inequality rows.
    public var inequalityDuals: [Double]
    /// Prices >= 0 of the lower bounds.
    public var lowerDuals: [Double]
    /// Prices >= 0 of the upper bounds.
    public var upperDuals: [Double]
    /// 1/2 x'Px + q'x.
    public var primalObjective: Double
    /// The lower bound on the optimal value that the prices prove.
    public var dualObjective: Double
    /// Largest violation of a row or bound, relative to the row's magnitude.
    public var primalResidual: Double
    /// Largest element of Px + q + A'y + G'z - zl + zu, relative to the largest of its terms.
    public var dualResidual: Double
    /// |primalObjective - dualObjective| relative to the terms of the objective.
    public var relativeGap: Double
    /// Interior-point iterations taken.
    public var iterations: Int
    /// Whether the answer is the exact solution on its active set.
    public var isPolished: Bool
    /// Whether it was found by guesses at its active set alone, which `iterations` then counts.
    public var isPivoted = false
    /// The proof of infeasibility or unboundedness, where the status says so.
    public var certificate: Certificate?
}
