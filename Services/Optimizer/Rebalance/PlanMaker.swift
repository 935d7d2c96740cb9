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
        return try await watchingClient(of: context.channel, flag: flag) {
            try await withTimeLimit(timeout) {
                var response = try await body(deadline)
                response.headers[.cacheControl] = "no-store"
                return response
            }
        }
    }

    /// The plan, on the solver's threads.
    func plan(_ request: RebalanceRequest, deadline: SolverDeadline) async throws(Problem) -> ReallocationPlan {
        try await solver.solve(lane: .request, deadline: deadline) { () throws(Problem) in
            try ReallocationPlanner.plan(request, deadline: deadline)
        }
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
        let prices = request.prices.filter { price in plan.legs.contains { $0.asset == price.key } }
        return try await pool.transaction(.app(principal.tenant)) { connection in
            let expires = try await PlanStore.expiry(after: request.settings.expiresSeconds, on: connection)
            let sealed = SealedPlan(plan, id: id, source: source, request: request, expires: expires)
            if let source {
                guard try await PortfolioStore.lock(source.portfolioID, on: connection) != nil else {
                    throw Problem.noPortfolio(source.portfolioID)
                }
                try await PlanStore.supersede(
                    plansOf: source.portfolioID, by: id, actor: principal.subject, requestID: requestID, on: connection)
            }
            try await PlanStore.insert(
                sealed, id: id, state: plan.state.rawValue, source: source, request: body,
                prices: .object(
                    JSONObject(prices.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value.price)) })),
                tolerance: request.settings.priceTolerance, actor: principal.subject, requestID: requestID,
                on: connection)
            return sealed.answer
        }
    }

    /// Holdings, target, prices and covariance of a stored portfolio, in one snapshot.
    func source(of id: String, _ body: JSONValue, for principal: Principal) async throws -> PlanSource {
        var options = TransactionOptions.app(principal.tenant)
        options.isolation = .repeatableRead
        options.readOnly = true
        let prices = prices
        return try await pool.transaction(options) { connection in
            guard let portfolio = try await PortfolioStore.find(id, on: connection) else {
                throw Problem.noPortfolio(id)
            }
            let holdings = try await HoldingStore.load(of: id, on: connection)
            guard !holdings.positions.isEmpty || holdings.cash != "0" else {
                throw Problem(.wrongState, "The portfolio has no holdings: PUT /api/portfolio/\(id)/holdings first.")
            }
            guard let result = try await PortfolioStore.currentResult(of: id, on: connection),
                let answer = try? StrictJSON.parse(result.response, limits: .stored),
                let weights = answer["weights"]?.objectValue
            else { throw Problem(.wrongState, "The portfolio has no result yet, so there is no target.") }
            let target = Self.target(weights)
            let held = try holdings.positions.map { try Self.holding($0) }
            let names = Array(Set(held.map { $0.asset }).union(target.map { $0.asset })).sorted()
            let quotes = try await PlanStore.quotes(of: names, on: connection)
            var covariance: RebalanceRequest.Covariance?
            if let original = try? OptimizeRequest(json: StrictJSON.parse(portfolio.request, limits: .stored)) {
                var wanted = original
                wanted.assets = names
                if let loaded = try? await PanelLoader.stored(wanted, prices: prices, on: connection) {
                    covariance = Self.covariance(loaded.panel)
                }
            }
            let request = try RebalanceRequest(
                stored: body, asOf: UTCTimestamp.now.date, currency: holdings.currency,
                cash: try Self.decimal(holdings.cash, "cash"), holdings: held, target: target, prices: quotes,
                covariance: covariance)
            return PlanSource(
                portfolioID: id, version: portfolio.version, holdingsHash: SealedPlan.hash(of: holdings.json),
                request: request)
        }
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
