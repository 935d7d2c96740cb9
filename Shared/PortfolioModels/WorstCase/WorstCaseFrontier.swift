import LinearAlgebra
import WireFormat

/// The efficient frontier of a worst case: the least worst risk at each worst return.
///
/// ```
/// min worst risk(w)   s.t.   worst return(w) >= level
/// ```
/// A point's price p of the level makes it the best portfolio of `worst return - worst risk / p` (of the worst variance where the sets are
/// of mean and covariance), and that is what its proof is about.
struct WorstCaseFrontier: FrontierModel {
    let dispatch: ModelDispatch
    let problem: WorstCase

    var frontierUnit: Double { problem.model.unit }

    func point(_ weights: [Double]) -> EfficientFrontier.Point {
        let found = WorstCasePoint(
            problem, objective: .maximumReturn, weights: weights, rate: 0, aversion: 0, evidence: WorstCaseEvidence())
        return .init(weights: weights, expectedReturn: found.worstReturn, risk: found.worstRisk)
    }

    func leastRisk() throws(Problem) -> [Double] { try best(.minimumRisk) }

    func mostReturn() throws(Problem) -> (weights: [Double], isOnly: Bool) { (try best(.maximumReturn), false) }

    /// The variance where the sets are of mean and covariance.
    func curve(_ risk: Double) -> Double { problem.radius == nil ? risk * risk : risk }

    func leastRisk(atLeast level: Double, near: [Double]?) throws(Problem) -> (weights: [Double], price: Double) {
        var price = 0.0
        var attempt = problem
        let found = try dispatch.firstProven(ModelDispatch.regularisations) { (regularisation) throws(Problem) in
            attempt.regularisation = regularisation
            let solved = try dispatch.solve(&attempt, .minimumRisk, atLeast: level)
            price = solved.returnPrice
            var request = dispatch.request
            // A level that holds nothing back leaves the portfolio of least risk.
            request.objective = price > 0 ? .utility : .minimumRisk
            request.riskAversion = price > 0 ? 1 / price : 0
            return try dispatch.replacing(request).answer(solved, attempt)
        }
        return (found.weights, price)
    }

    private func best(_ objective: ObjectiveName) throws(Problem) -> [Double] {
        var request = dispatch.request
        request.objective = objective
        let one = dispatch.replacing(request)
        var attempt = problem
        return try dispatch.firstProven(ModelDispatch.regularisations) { (regularisation) throws(Problem) in
            attempt.regularisation = regularisation
            return try one.answer(one.solve(&attempt, objective), attempt)
        }.weights
    }
}
