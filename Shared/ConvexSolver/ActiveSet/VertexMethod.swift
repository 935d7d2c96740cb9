import LinearAlgebra

/// Solves composite programs whose functions are piecewise linear exactly: from a point near the solution down the edges, to the one vertex
/// that is best.
///
/// A vertex is where as many of the bounds, rows and corners of scenarios meet as there are core variables. From each the steepest edge is
/// followed over all corners that still lie in its way, as in regressions by least absolute deviations, so that the steps number about as
/// many as the variables and not as the scenarios. A coordinate of the start that is on no bound is held by a pin, which any slope draws.
///
/// The answer is exact to rounding, with the prices of the vertex. Where a second solution may exist (a price of zero, a scenario that counts
/// nothing or in full on its corner) there is none: which of several is best to give is not this method's question.
///
/// Source: I. Barrodale, F. Roberts (1973), An Improved Algorithm for Discrete L1 Linear Approximation, SIAM J. Numer. Anal. 10; G. Bassett,
/// R. Koenker, G. Kordas (2004), Pessimistic Portfolio Allocation and Choquet Expected Utility, Journal of Financial Econometrics 2.
public enum VertexMethod {
    /// More core variables than this are the interior point's.
    public static let most = 64

    /// The only solution; nil where the program is not of this kind, or where the way does not end at one.
    /// - Parameter point: core variables from which to start, one a variable; within the bounds, rows and hard corners up to rounding.
    public static func solve(
        _ program: CompositeProgram, from point: [Double], deadline: SolverDeadline = .none
    ) -> CompositeSolution? {
        guard program.variables <= most, point.count == program.variables, point.allSatisfy({ $0.isFinite }),
            let parts = CornerPart.all(of: program)
        else { return nil }
        var descent = VertexDescent(program, parts)
        guard descent.begin(at: point), descent.descend(deadline), descent.settle() else { return nil }
        let solution = descent.solution
        deadline.monitor?.iterated(descent.pivots, gap: solution.relativeGap)
        return solution
    }
}
