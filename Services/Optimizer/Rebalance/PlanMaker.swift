import ConvexSolver
import Crypto
import Foundation
import Hummingbird
import LinearAlgebra
import PortfolioModels
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// What a stored portfolio gives a plan, and what tells later whether it is still so.
struct PlanSource: Sendable {
    /// The caller's request with what the books know of the tax year.
    var body: JSONValue
    var portfolioID: String
    var version: Int64
    var holdingsHash: [UInt8]
    var request: RebalanceRequest
}

extension Optimizer {
    /// Runs the making of a plan within the caller's time, watching whether the caller is still there.
    func planning(
        _ context: BallastRequestContext, timeout: Duration,
        _ body: @escaping @Sendable (SolverDeadline) async throws -> Response
    ) async throws -> Response {
        let flag = CancellationFlag()
        let deadline = SolverDeadline(instant: ContinuousClock.now + timeout, flag: flag)
        var endings = [CallEnding.after(timeout)]
        if let client = context.client { endings.append(client.ending) }
        var response = try await withEndings(endings) { try await body(deadline) }
        response.headers[.cacheControl] = "no-store"
        return response
    }

    /// The plan, on the solver's threads.
    func plan(_ request: RebalanceRequest, deadline: SolverDeadline) async throws -> ReallocationPlan {
        let made = try await solver.solve(lane: .request, deadline: deadline) { () throws(Problem) in
            MadePlan(try ReallocationPlanner.plan(request, deadline: deadline))
        }
        return made.plan
    }

    /// Seals a plan with id, expiry and hash, and stores it unless the request says otherwise.
    func keep(
        _ plan: ReallocationPlan, of request: RebalanceRequest, source: PlanSource?, request body: JSONValue,
        for principal: Principal, requestID: String
    ) async throws -> JSONValue {
        guard request.stores else {
            let expires = UTCTimestamp(
                microsecondsSinceEpoch: UTCTimestamp.now.microsecondsSinceEpoch + Int64(request.settings.expiresSeconds)
                    * 1_000_000)
            return SealedPlan(plan, id: nil, source: source, request: request, expires: expires).answer
        }
        let id = PortfolioID.make()
        let seconds = request.settings.expiresSeconds
        let expires = try await pool.transaction(.app(principal.tenant)) { connection in
            try await PlanStore.expiry(after: seconds, on: connection)
        }
        let sealed = SealedPlan(plan, id: id, source: source, request: request, expires: expires)
        let prices = request.prices.filter { price in plan.legs.contains { $0.asset == price.key } }
            .sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value.price)) }
        let row = NewPlan(
            id: id, portfolioID: source?.portfolioID, portfolioVersion: source?.version,
            holdingsHash: source?.holdingsHash,
            state: plan.state.rawValue, hash: sealed.hash, body: sealed.body.serialized(), request: body.serialized(),
            prices: JSONValue.object(JSONObject(prices)).serialized(),
            tolerance: request.settings.priceTolerance.description, expires: expires.isoString,
            relaxed: plan.relaxed.count)
        let actor = principal.subject
        try await pool.transaction(.app(principal.tenant)) { connection in
            try await PlanStore.keep(row, actor: actor, requestID: requestID, on: connection)
        }
        return sealed.answer
    }

    /// Holdings, target, prices and covariance of a stored portfolio, in one snapshot.
    func source(of id: String, _ body: JSONValue, for principal: Principal) async throws -> PlanSource {
        var options = TransactionOptions.app(principal.tenant)
        options.isolation = .repeatableRead
        options.readOnly = true
        let prices = prices
        let stored = try await pool.transaction(options) { connection in
            try await StoredFigures.load(id, prices: prices, on: connection)
        }
        let holdings = stored.holdings
        let body = TradingCostStore.completed(stored.results.completed(body), with: stored.costs)
        var held: [RebalanceRequest.Holding] = []
        for position in holdings.positions { held.append(try Self.holding(position)) }
        let request = try RebalanceRequest(
            stored: body, asOf: UTCTimestamp.now.date, currency: holdings.currency,
            cash: try Self.decimal(holdings.cash, "cash"), holdings: held, target: Self.target(stored.weights),
            prices: stored.quotes, covariance: stored.panel.map { Self.covariance($0) })
        return PlanSource(
            body: body, portfolioID: id, version: stored.version, holdingsHash: SealedPlan.hash(of: holdings.json),
            request: request
        )
    }

    private static func decimal(_ text: String, _ what: String) throws(Problem) -> FixedDecimal {
        guard let value = FixedDecimal(text) else {
            throw Problem(
                .invalidValue, "The stored \(what) \(Problem.echo(text)) has more digits than can be computed with.")
        }
        return value
    }

    private static func holding(_ position: Holdings.Position) throws(Problem) -> RebalanceRequest.Holding {
        var lots: [RebalanceRequest.Lot] = []
        for lot in position.lots {
            lots.append(
                RebalanceRequest.Lot(
                    id: lot.id, acquired: lot.acquired,
                    quantity: try decimal(lot.quantity, "quantity of lot \(lot.id)"),
                    basisPerShare: try decimal(lot.basisPerShare, "basis of lot \(lot.id)")))
        }
        let quantity: FixedDecimal? =
            if let text = position.quantity { try decimal(text, "quantity of \(position.asset)") } else { nil }
        return RebalanceRequest.Holding(asset: position.asset, quantity: quantity, lots: lots)
    }

    /// Weights as decimals of twelve places that add up to at most one; what they leave is cash.
    private static func target(_ weights: JSONObject) -> [(asset: String, weight: FixedDecimal)] {
        var target = weights.members.map {
            (asset: $0.key, weight: max(0, FixedDecimal($0.value.doubleValue ?? 0, places: 12)))
        }
        let excess = target.map { $0.weight }.reduce(.zero, +) - 1
        if excess > 0, let largest = target.indices.max(by: { target[$0].weight < target[$1].weight }) {
            target[largest].weight -= excess
        }
        return target
    }

    /// The sample covariance, annual.
    private static func covariance(_ panel: ReturnPanel) -> RebalanceRequest.Covariance {
        let (count, n) = (panel.observations, panel.assets.count)
        var centred = panel.returns
        for j in 0..<n {
            let mean = panel.column(j).reduce(0, +) / Double(max(count, 1))
            for t in 0..<count { centred[t, j] -= mean }
        }
        let gram = centred.gram()
        let scale = panel.periodsPerYear / Double(max(count - 1, 1))
        return RebalanceRequest.Covariance(
            assets: panel.assets, values: (0..<n).map { i in (0..<n).map { gram[i, $0] * scale } })
    }
}

/// What a plan is made from, read in one snapshot.
///
/// A reference, like `MadePlan` and `NewPlan`: values of this size that crossed generic async calls crashed optimised builds of Swift 6.3.1.
private final class StoredFigures: Sendable {
    let version: Int64
    let holdings: Holdings
    let weights: JSONObject
    let quotes: [String: RebalanceRequest.Quote]
    let panel: ReturnPanel?
    let results: BookedResults
    let costs: [TradingCostStore.Row]

    private init(
        version: Int64, holdings: Holdings, weights: JSONObject, quotes: [String: RebalanceRequest.Quote],
        panel: ReturnPanel?, results: BookedResults, costs: [TradingCostStore.Row]
    ) {
        self.version = version
        self.holdings = holdings
        self.weights = weights
        self.quotes = quotes
        self.panel = panel
        self.results = results
        self.costs = costs
    }

    static func load(_ id: String, prices: PriceCache, on connection: PostgresConnection) async throws -> StoredFigures
    {
        guard let portfolio = try await PortfolioStore.find(id, on: connection) else { throw Problem.noPortfolio(id) }
        let holdings = try await HoldingStore.load(of: id, on: connection)
        guard !holdings.positions.isEmpty || holdings.cash != "0" else {
            throw Problem(.wrongState, "The portfolio has no holdings: PUT /api/portfolio/\(id)/holdings first.")
        }
        guard let result = try await PortfolioStore.currentResult(of: id, on: connection),
            let answer = try? StrictJSON.parse(result.response, limits: .stored),
            let weights = answer["weights"]?.objectValue
        else { throw Problem(.wrongState, "The portfolio has no result yet, so there is no target.") }
        let names = Array(Set(holdings.positions.map { $0.asset }).union(weights.keys)).sorted()
        let quotes = try await PlanStore.quotes(of: names, on: connection)
        var panel: ReturnPanel?
        if let json = try? StrictJSON.parse(portfolio.request, limits: .stored),
            var wanted = try? OptimizeRequest(json: json)
        {
            wanted.assets = names
            wanted.factors = nil
            // Without a common history there is no covariance, and the plan's warning says so.
            panel = try? await PanelLoader.stored(wanted, prices: prices, on: connection).panel
        }
        return StoredFigures(
            version: portfolio.version, holdings: holdings, weights: weights, quotes: quotes, panel: panel,
            results: try await BookedResults.load(id, on: connection),
            costs: try await TradingCostStore.all(on: connection))
    }
}

/// A plan on its way from the solver's thread.
private final class MadePlan: Sendable {
    let plan: ReallocationPlan
    init(_ plan: ReallocationPlan) { self.plan = plan }
}

/// A plan with everything that makes it one that can be confirmed.
struct SealedPlan: Sendable {
    /// Canonical, without the state, which changes.
    let body: JSONValue
    let hash: [UInt8]
    private let state: String

    init(_ plan: ReallocationPlan, id: String?, source: PlanSource?, request: RebalanceRequest, expires: UTCTimestamp) {
        var object = JSONObject([
            ("plan_id", JSONValue(id)), ("portfolio_id", JSONValue(source?.portfolioID)),
            ("portfolio_version", source.map { JSONValue(Int($0.version)) } ?? .null),
            ("holdings_hash", source.map { .string(Hex.text($0.holdingsHash)) } ?? .null),
            ("expires_at", .string(expires.isoString)), ("price_tolerance", JSONValue(request.settings.priceTolerance)),
        ])
        for member in plan.json.objectValue?.members ?? [] where member.key != "state" {
            object[member.key] = member.value
        }
        body = .object(object)
        hash = Self.hash(of: body)
        state = plan.state.rawValue
    }

    /// SHA-256 of the canonical JSON.
    static func hash(of value: JSONValue) -> [UInt8] { Array(SHA256.hash(data: value.canonical.bytes())) }

    var answer: JSONValue { Self.answer(body: body, hash: hash, state: state) }

    /// A plan as it is sent: id, hash and state first.
    static func answer(body: JSONValue, hash: [UInt8], state: String) -> JSONValue {
        var object = JSONObject([
            ("plan_id", body["plan_id"] ?? .null), ("plan_hash", .string(Hex.text(hash))), ("state", .string(state)),
        ])
        for member in body.objectValue?.members ?? [] where object[member.key] == nil {
            object[member.key] = member.value
        }
        return .object(object)
    }
}
