import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

@Suite("Risk budgeting against the oracle", .enabled(if: Oracle.isPresent, "shared/oracle is not here"))
struct RiskBudgetingOracleTests {
    /// The request of a record, through the decoder that HTTP uses.
    private func request(_ record: JSONValue, _ panel: ReturnPanel, model: String) throws -> OptimizeRequest {
        var object = JSONObject([("assets", JSONValue(panel.assets)), ("model", .string(model))])
        object["periods_per_year"] = 252
        if let measure = record["rm"] { object["risk_measure"] = measure }
        for (own, theirs) in [("alpha", "alpha"), ("a_sim", "a_sim"), ("kappa", "kappa"), ("power", "p")] {
            if let value = record["params"]?[theirs] { object[own] = value }
        }
        if let shares = try? record.numbers("b") {
            let total = shares.reduce(0, +)
            object["risk_budget"] = .object(
                JSONObject(zip(panel.assets, shares).map { ($0, JSONValue($1 / total)) }))
        }
        if let version = record["version"] {
            object["relaxation"] = ["version": version, "lambda": record["params"]?["lambda_"] ?? 1]
        }
        return try OptimizeRequest(json: .object(object))
    }

    @Test("every measure and budget", arguments: Oracle.windows)
    func measures(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("risk_parity", window)
        #expect(records.count == 33)
        for record in records {
            let label = "\(try record.text("rm")) \(try record.text("budget"))"
            let request = try request(record, panel, model: "RP")
            let found: OptimizationResult
            do {
                found = try PortfolioOptimization.run(request, panel: panel)
            } catch {
                Issue.record("\(label): \(error)")
                continue
            }
            let theirs = try record.numbers("weights")
            // An objective proven to g leaves the weights open by about its root.
            let open = (abs(record["accuracy"]?["objective_gap"]?.doubleValue ?? 0)).squareRoot()
            let miss = zip(found.weights, theirs).reduce(0) { max($0, abs($1.0 - $1.1)) }
            #expect(miss <= 1e-8 + open, "\(label): weights off by \(miss)")
            let risk = try record.number("risk")
            #expect(
                abs(found.solution.risk - risk) <= (1e-8 + open) * risk, "\(label): \(found.solution.risk), \(risk)")
            let shares = try record.numbers("b")
            let total = shares.reduce(0, +)
            for (own, share) in zip(found.riskContributions, shares) {
                let off = abs(own / found.solution.risk - share / total)
                #expect(off <= 1e-9, "\(label): a contribution is off by \(off)")
            }
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(label)")
            // Relative to the share: a twentieth of what the line above asks for at equal budgets of twenty.
            #expect(found.solution.dualityGap <= Verification.largestGap, "\(label): \(found.solution.dualityGap)")
        }
    }

    @Test("relaxed risk parity", arguments: ["sp500_n10_T500", "sp500_n20_T1008"])
    func relaxed(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("relaxed_risk_parity", window)
        #expect(records.count == 4)
        for record in records {
            let label = "\(try record.text("version")) \(record["params"]?["lambda_"]?.doubleValue ?? 0)"
            let request = try request(record, panel, model: "RelaxedRiskParity")
            let found = try PortfolioOptimization.run(request, panel: panel)
            let value = try record.number("value")
            let own = found.solution.objectiveValue
            // The value of A is zero: what counts is the risk that it is the difference of.
            #expect(own <= value + 1e-9 * value + 1e-12 * found.solution.risk, "\(label): \(own), \(value)")
            #expect(own >= value - 1e-6 * value - 1e-10 * found.solution.risk, "\(label): \(own), \(value)")
            let theirs = try record.numbers("weights")
            let miss = zip(found.weights, theirs).reduce(0) { max($0, abs($1.0 - $1.1)) }
            #expect(miss <= 1e-6, "\(label): weights off by \(miss)")
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(label)")
        }
    }
}
