import ConvexSolver
import Testing
import WireFormat

@testable import PortfolioModels

/// The answers to a problem on what decides it and on all of it; nil where nothing decides.
func reducedAndWhole(
    _ problem: MeanRisk, _ objective: ObjectiveName
) throws -> (reduced: MeanRisk.Solution, whole: MeanRisk.Solution)? {
    func solve(_ part: MeanRisk) throws(Problem) -> MeanRisk.Solution? {
        try part.solveCapped(objective, riskFreeRate: 0, riskAversion: 2)
    }
    let reduction = ScenarioReduction(
        whole: problem, objective: objective, riskFreeRate: 0, riskAversion: 2, solvePart: solve)
    guard let reduced = try reduction.solve() else { return nil }
    return (reduced, try #require(try solve(problem)))
}
