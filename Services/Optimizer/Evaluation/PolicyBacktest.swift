import ConvexSolver
import Hummingbird
import LinearAlgebra
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/portfolio/backtest` with `policies`: what each rule of going back to a target leaves after costs and tax, on one path of prices.
struct PolicyBacktest {
    let optimizer: Optimizer
    let wanted: PolicyBacktestRequest

    func answer(for principal: Principal, deadline: SolverDeadline) async throws -> JSONValue {
        let path: Carried<[(date: CalendarDate, prices: [FixedDecimal])]>
        if let days = wanted.days {
            path = Carried(days)
        } else {
            let wanted = wanted
            path = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
                Carried(try await Self.stored(wanted, on: connection))
            }
        }
        let simulation = Carried(try simulation(path.value))
        let policies = wanted.policies
        var lines: [(policy: PolicyBacktestRequest.Policy, outcome: PolicySimulation.Outcome)] = []
        for policy in policies {
            // One after the other: others' calls take their turns between them.
            let outcome = try await optimizer.solver.solve(lane: .request, deadline: deadline) {
                () throws(Problem) in
                var own = simulation.value
                own.deadline = deadline
                do throws(TradeProblemError) {
                    guard let outcome = try own.run(policy.rule) else {
                        throw TradeProblemError.outOfRange("the path of prices")
                    }
                    return Carried(outcome)
                } catch {
                    throw error == .interrupted
                        ? Problem(.deadline, "The deadline passed while the policy \(Problem.echo(policy.name)) ran.")
                        : Problem(.invalidValue, "The path cannot be computed: \(error).")
                }
            }
            lines.append((policy, outcome.value))
        }
        return json(lines, path.value)
    }

    private func simulation(
        _ days: [(date: CalendarDate, prices: [FixedDecimal])]
    ) throws(Problem) -> PolicySimulation {
        guard let first = days.first else { throw Problem(.invalidValue, "There is no day.") }
        let settings = wanted.settings
        var simulation = PolicySimulation(
            symbols: wanted.assets, days: days, target: wanted.target.map { $0.weight }, cash: wanted.cash,
            covariance: covariance(days), riskAversion: settings.riskAversion,
            costs: try Reallocation.CostModel(settings.costs, solPrice: nil),
            tax: try TaxSettings(settings.tax, on: first.date), halfSpread: wanted.halfSpread)
        simulation.lotSize = settings.constraints.lotSize
        return simulation
    }

    /// As given, or of the path's simple returns, annual by the days between its points.
    private func covariance(_ days: [(date: CalendarDate, prices: [FixedDecimal])]) -> Matrix {
        let n = wanted.assets.count
        var sigma = Matrix(rows: n, columns: n)
        if let given = wanted.covariance {
            for i in 0..<n { for j in 0..<n { sigma[i, j] = given[i][j] } }
            return sigma
        }
        let prices = days.map { $0.prices.map { $0.double } }
        let returns = zip(prices, prices.dropFirst()).map { before, after in zip(before, after).map { $1 / $0 - 1 } }
        guard returns.count > 1, let first = days.first, let last = days.last else { return sigma }
        let span = Double(last.date.daysSinceEpoch - first.date.daysSinceEpoch) / 365.25
        let perYear = span > 0 ? Double(returns.count) / span : SquareRootImpact.daysPerYear
        let means = (0..<n).map { i in returns.reduce(0) { $0 + $1[i] } / Double(returns.count) }
        for i in 0..<n {
            for j in 0...i {
                let sum = returns.reduce(0) { $0 + ($1[i] - means[i]) * ($1[j] - means[j]) }
                sigma[i, j] = sum / Double(returns.count - 1) * perYear
                sigma[j, i] = sigma[i, j]
            }
        }
        return sigma
    }

    /// Stored daily prices on the days that all assets have one.
    private static func stored(
        _ wanted: PolicyBacktestRequest, on connection: PostgresConnection
    ) async throws -> [(date: CalendarDate, prices: [FixedDecimal])] {
        let assets = wanted.assets
        let start = wanted.start.map { PostgresDate(daysSinceEpoch: $0.daysSinceEpoch) } ?? .negativeInfinity
        let end = wanted.end.map { PostgresDate(daysSinceEpoch: $0.daysSinceEpoch) } ?? .infinity
        let rows = try await connection.query(
            """
            SELECT day, array_agg(price::text ORDER BY place)
            FROM (
                SELECT DISTINCT ON (w.place, (m."timestamp" AT TIME ZONE 'UTC')::date)
                    w.place, (m."timestamp" AT TIME ZONE 'UTC')::date AS day, m.price
                FROM unnest(\(assets)) WITH ORDINALITY AS w (symbol, place)
                JOIN public.market_data m ON m.asset_symbol = w.symbol AND m."interval" = '1d' AND m.price > 0
                ORDER BY w.place, (m."timestamp" AT TIME ZONE 'UTC')::date, m."timestamp" DESC
            ) p
            WHERE day BETWEEN \(start) AND \(end)
            GROUP BY day HAVING count(*) = \(Int64(assets.count)) ORDER BY day LIMIT \(Int64(PolicyBacktestRequest.mostDays + 1))
            """)
        guard rows.count <= PolicyBacktestRequest.mostDays else {
            throw Problem(.tooLargeProblem, "More than \(PolicyBacktestRequest.mostDays) days; name a shorter window.")
        }
        let days = try rows.map { row -> (date: CalendarDate, prices: [FixedDecimal]) in
            let day = CalendarDate(daysSinceEpoch: try row.decode(PostgresDate.self, at: 0).daysSinceEpoch)
            let prices = try row.decode([String].self, at: 1).compactMap { FixedDecimal($0) }
            guard let day, prices.count == assets.count else {
                throw Problem(.invalidPrice, "A stored price is beyond the range of numbers that can be computed with.")
            }
            return (day, prices)
        }
        guard days.count > 1 else {
            throw Problem(
                JSONPointer(["target"]), .unknownValue,
                "The assets share \(days.count) days of stored prices in the window; a path needs two.")
        }
        return days
    }

    private func json(
        _ lines: [(policy: PolicyBacktestRequest.Policy, outcome: PolicySimulation.Outcome)],
        _ days: [(date: CalendarDate, prices: [FixedDecimal])]
    ) -> JSONValue {
        let (first, last) = (days.first?.date ?? .earliest, days.last?.date ?? .earliest)
        let years = Double(last.daysSinceEpoch - first.daysSinceEpoch) / 365.25
        func annual(_ value: FixedDecimal) -> JSONValue {
            let growth = value.double / wanted.cash.double
            return growth > 0 && years > 0 ? JSONValue(annualised(growth, years: years)) : .null
        }
        let best = lines.max { $0.outcome.valueAfterTax < $1.outcome.valueAfterTax }
        return [
            "method": "policies", "cash": JSONValue(money: wanted.cash), "start": .string(first.description),
            "end": .string(last.description), "days": JSONValue(days.count), "best": JSONValue(best?.policy.name),
            "policies": .array(
                lines.map { policy, outcome in
                    [
                        "name": .string(policy.name), "kind": .string(policy.kind.rawValue),
                        "value": JSONValue(money: outcome.value),
                        "value_after_tax": JSONValue(money: outcome.valueAfterTax),
                        "return": annual(outcome.value), "return_after_tax": annual(outcome.valueAfterTax),
                        "costs": JSONValue(money: outcome.costs),
                        "taxes": .array(
                            outcome.taxes.map { ["year": JSONValue($0.year), "tax": JSONValue(money: $0.tax)] }),
                        "trades": JSONValue(outcome.trades), "turnover": JSONValue(outcome.turnover),
                        "tracking_error": JSONValue(outcome.trackingError),
                    ]
                }),
        ]
    }
}

extension PolicyBacktestRequest.Policy {
    fileprivate var rule: RebalancePolicy {
        switch kind {
        case .never: .never
        case .calendar: .calendar(days: days)
        case .band: .band(halfL1: halfL1, days: days)
        case .optimised: .optimised(days: days)
        }
    }
}
