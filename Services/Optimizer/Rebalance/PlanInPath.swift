import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

extension BallastRequestContext {
    /// The path's plan id. A text that cannot be an id is one that nobody has.
    func planID() throws(Problem) -> String {
        let id = parameters.get("plan") ?? ""
        guard OptimizeRequest.isPortfolioID(id) else { throw .noPlan(id) }
        return id
    }
}

extension Problem {
    /// The tenant has no plan of this id; whether another has is not told.
    static func noPlan(_ id: String) -> Problem {
        Problem(.noSuchResource, "There is no plan \"\(Problem.echo(id))\".")
    }
}
