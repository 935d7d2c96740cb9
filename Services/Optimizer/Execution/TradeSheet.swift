import Reallocation
import ServiceKit
import WireFormat

/// What a stored plan says about its trades.
struct TradeSheet: Sendable {
    var legs: [ExecutionLeg]
    /// By leg: the price of the decision, the cost that was expected, and of it spread and impact.
    var decisions: [(price: FixedDecimal, cost: FixedDecimal, spread: FixedDecimal, impact: FixedDecimal)]
    /// As the plan's settings say, without what orders have taught.
    var quotes: [String: MarketQuote]
    /// Assets whose impact is that of their pools: no law that orders teach about.
    private let pooled: Set<String>
    /// What the plan multiplied half spreads and impact with.
    private let factors: (spread: FixedDecimal, impact: FixedDecimal)
    var commission: CommissionSchedule
    var saleFees: SaleFees
    var cashFloor: FixedDecimal
    var minimumTrade: FixedDecimal
    var lotSize: FixedDecimal
    var before: Holdings
    /// How the fills are booked.
    let rules: TaxBooking.Rules
    private let planID: String
    private let planHash: [UInt8]

    init(_ plan: StoredPlan, request: JSONValue, holdings: Holdings) throws(Problem) {
        let unreadable = Problem(.internalError, "The stored plan cannot be read.")
        guard let body = try? StrictJSON.parse(plan.body, limits: .stored) else { throw unreadable }
        let settings = try RebalanceSettings(json: request["settings"] ?? .object(JSONObject()))
        let (costs, limits) = (settings.costs, settings.constraints)
        commission = CommissionSchedule(costs)
        saleFees = SaleFees(costs)
        pooled = Set(costs.pools.keys)
        func decimal(_ value: JSONValue?) throws(Problem) -> FixedDecimal {
            guard let read = value?.stringValue.flatMap({ FixedDecimal($0) }) else { throw unreadable }
            return read
        }
        cashFloor = max(limits.cashFloor, limits.cashFloorWeight * (try decimal(body["drift"]?["portfolio_value"])))
        minimumTrade = limits.minTrade
        lotSize = limits.lotSize
        guard let day = body["as_of"]?.stringValue.flatMap({ CalendarDate(iso: $0) }) else { throw unreadable }
        rules = try TaxBooking.Rules(settings, on: day)
        // Plans of older versions learned nothing.
        func factor(_ name: String) -> FixedDecimal {
            body["cost_coefficients"]?[name]?.stringValue.flatMap { FixedDecimal($0) } ?? 1
        }
        factors = (factor("spread_factor"), factor("impact_factor"))
        legs = []
        decisions = []
        quotes = [:]
        for leg in body["legs"]?.arrayValue ?? [] {
            let asset = leg["asset"]?.stringValue ?? ""
            let quantity = try decimal(leg["quantity"])
            let price = try decimal(leg["price"])
            let spread = try decimal(leg["costs"]?["spread"])
            let impact = try decimal(leg["costs"]?["impact"])
            // Paid by the wallet in its own coin, not out of the cash that is compared here. Plans of older versions have none.
            let network = try leg["costs"]?["network"].map(decimal) ?? 0
            var lots: [(id: String, quantity: FixedDecimal)] = []
            for lot in leg["lots"]?.arrayValue ?? [] {
                lots.append((lot["id"]?.stringValue ?? "", try decimal(lot["quantity"])))
            }
            legs.append(
                ExecutionLeg(
                    asset: asset, isSale: leg["side"]?.stringValue == "sell", quantity: quantity,
                    limitPrice: try decimal(leg["limit_price"]), lots: lots, reference: price))
            decisions.append(
                (
                    price, try decimal(leg["costs"]?["total"]) - (try decimal(leg["costs"]?["ticket"])) - network,
                    spread, impact
                ))
            // The square-root law through what the settings alone expect of this order: a volume of its own size, and the volatility that fits.
            let factor = pooled.contains(asset) ? 1 : factors.impact
            let own = factor > 0 ? impact / factor : 0
            quotes[asset] = MarketQuote(
                price: price, halfSpread: factors.spread > 0 ? spread / factors.spread / quantity : 0,
                dailyVolume: own > 0 ? quantity : nil,
                dailyVolatility: own > 0 ? (own / (price * quantity)).double : nil)
        }
        before = holdings
        planID = plan.id
        planHash = plan.hash
    }

    /// The books before anything has happened.
    func book(_ limits: ExecutionLimits) -> ExecutionBook {
        let cash = FixedDecimal(before.cash) ?? 0
        return ExecutionBook(
            legs: legs, cash: cash, positions: positions, commission: commission, saleFees: saleFees,
            cashFloor: min(cash, cashFloor),
            minimumTrade: minimumTrade, lotSize: lotSize, limits: limits, identify: { clientID($0, $1) })
    }

    /// Deterministic, at most 48 characters: of the plan's hash, the leg and the attempt.
    func clientID(_ leg: Int, _ attempt: Int) -> String {
        "p"
            + String(
                Hex.text(SealedPlan.hash(of: [.string(Hex.text(planHash)), JSONValue(leg), JSONValue(attempt)])).prefix(
                    40))
    }

    /// Shares held by asset.
    var positions: [String: FixedDecimal] {
        Dictionary(
            before.positions.map { position in
                let lots = position.lots.compactMap { FixedDecimal($0.quantity) }.reduce(.zero, +)
                return (position.asset, position.quantity.flatMap { FixedDecimal($0) } ?? lots)
            }, uniquingKeysWith: +)
    }

    /// What the fills so far do to lots and to the year's results.
    ///
    /// - Parameter days: of each fill, by its id.
    func booking(
        _ events: [ExecutionEvent], days: [String: CalendarDate], earlier: GainStore.Earlier
    ) -> TaxBooking {
        var lots: [String: [TaxLot]] = [:]
        for position in before.positions where !position.lots.isEmpty {
            lots[position.asset] = position.lots.compactMap { lot in
                guard let quantity = FixedDecimal(lot.quantity), let basis = FixedDecimal(lot.basisPerShare) else {
                    return nil
                }
                return TaxLot(id: lot.id, acquired: lot.acquired, quantity: quantity, basisPerShare: basis)
            }
        }
        // What is not held yet begins with a lot; positions that have none stay without.
        for leg in legs where positions[leg.asset] == nil { lots[leg.asset] = [] }
        var orders: [String: (leg: Int, attempt: Int, shares: FixedDecimal, value: FixedDecimal, paid: FixedDecimal)] =
            [:]
        var seen: Set<String> = []
        var fills: [TaxBooking.Fill] = []
        for event in events {
            switch event {
            case .intent(let leg, let attempt, let clientID, _):
                if orders[clientID] == nil { orders[clientID] = (leg, attempt, 0, 0, 0) }
            case .fill(let clientID, let fillID, let quantity, let price):
                guard var order = orders[clientID], seen.insert(fillID).inserted else { continue }
                order.shares += quantity
                order.value += price * quantity
                let due =
                    commission.commission(shares: order.shares, value: order.value)
                    + (legs[order.leg].isSale ? saleFees.fee(shares: order.shares, value: order.value) : 0)
                let day = days[fillID] ?? .earliest
                fills.append(
                    TaxBooking.Fill(
                        id: fillID, leg: order.leg, date: day, quantity: quantity, price: price,
                        commission: due - order.paid,
                        lot: legs[order.leg].isSale ? "" : lot(of: order.leg, attempt: order.attempt, on: day)))
                order.paid = due
                orders[clientID] = order
            default: continue
            }
        }
        return TaxBooking(
            fills, legs: legs, lots: lots, earlier: earlier.losses, replaced: earlier.replaced, rules: rules)
    }

    /// The lot of an order's purchases of a day.
    private func lot(of leg: Int, attempt: Int, on day: CalendarDate) -> String {
        "\(planID).\(leg + 1)" + (attempt > 1 ? ".\(attempt)" : "") + "." + day.description.filter { $0 != "-" }
    }

    /// The holdings with what was filled.
    func holdings(after book: ExecutionBook, _ booking: TaxBooking) -> Holdings {
        var after = before
        after.cash = book.cash.description
        for leg in legs where !after.positions.contains(where: { $0.asset == leg.asset }) {
            after.positions.append(Holdings.Position(asset: leg.asset, quantity: "0", lots: []))
        }
        for at in after.positions.indices {
            let asset = after.positions[at].asset
            if let held = book.positions[asset] { after.positions[at].quantity = held.description }
            guard let lots = booking.lots[asset] else { continue }
            after.positions[at].lots = lots.map {
                Holdings.Lot(
                    id: $0.id, acquired: $0.acquired, quantity: $0.quantity.description,
                    basisPerShare: $0.basisPerShare.description)
            }
        }
        after.positions.removeAll { $0.quantity == "0" }
        return after
    }

    /// By leg that traded: what the settings alone predicted for what was filled, and what it came to.
    func observations(of book: ExecutionBook) -> [CostCalibration.Observation] {
        legs.indices.compactMap { leg in
            let filled = book.filled(leg)
            guard filled > 0, let quote = quotes[legs[leg].asset], !pooled.contains(legs[leg].asset) else { return nil }
            let value = book.orders.filter { $0.leg == leg }.map { $0.filledValue }.reduce(.zero, +)
            let decided = decisions[leg].price * filled
            return CostCalibration.Observation(
                spread: (quote.halfSpread * filled).double,
                impact: SquareRootImpact.cost(
                    coefficient: 1, dailyVolatility: quote.dailyVolatility ?? 0, shares: filled.double,
                    volume: quote.dailyVolume?.double ?? 0, value: decided.double),
                realised: (legs[leg].isSale ? decided - value : value - decided).double)
        }
    }

    /// Orders, books and the implementation shortfall: what was paid beyond the prices of the decision, and what was missed by what was
    /// not filled, against what was expected. Source: Perold (1988), The implementation shortfall: paper versus reality.
    func report(
        of book: ExecutionBook, booking: TaxBooking, plan: String, venue: String, state: String, differences: [String],
        endPrices: [String: FixedDecimal]
    ) -> JSONValue {
        var slippage = FixedDecimal.zero
        var commissions = FixedDecimal.zero
        var expected = FixedDecimal.zero
        var expectedEdge = FixedDecimal.zero
        var opportunity = FixedDecimal.zero
        var orders: [JSONValue] = []
        for order in book.orders {
            let leg = legs[order.leg]
            let decided = decisions[order.leg].price * order.filled
            slippage += leg.isSale ? decided - order.filledValue : order.filledValue - decided
            commissions += order.commission
            orders.append([
                "client_order_id": .string(order.clientID), "asset": .string(leg.asset),
                "side": .string(leg.isSale ? "sell" : "buy"), "attempt": JSONValue(order.attempt),
                "quantity": JSONValue(order.quantity), "filled": JSONValue(order.filled),
                "average_price": order.filled > 0
                    ? JSONValue((order.filledValue / order.filled).rounded(places: 8)) : .null,
                "commission": JSONValue(order.commission.rounded(places: 8)), "state": .string(order.state.rawValue),
            ])
        }
        var skipped: [JSONValue] = []
        for leg in legs.indices {
            let filled = book.filled(leg)
            let missing = legs[leg].quantity - filled
            if filled > 0 {
                expected += decisions[leg].cost * (filled / legs[leg].quantity)
                let share = filled / legs[leg].quantity
                expectedEdge +=
                    decisions[leg].spread * share
                    + decisions[leg].impact * FixedDecimal(share.double * share.double.squareRoot(), places: 12)
            }
            if missing > 0 {
                let end = endPrices[legs[leg].asset] ?? decisions[leg].price
                let moved = end - decisions[leg].price
                opportunity += (legs[leg].isSale ? -moved : moved) * missing
                skipped.append([
                    "asset": .string(legs[leg].asset), "quantity": JSONValue(missing),
                    "reason": .string(book.skips[leg] ?? book.stop ?? book.halt ?? "the venue did not fill it"),
                ])
            }
        }
        return [
            "plan_id": .string(plan), "state": .string(state), "venue": .string(venue), "orders": .array(orders),
            "unfilled": .array(skipped), "cash": JSONValue(book.cash),
            "positions": .object(
                JSONObject(book.positions.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) })),
            "shortfall": [
                "execution": JSONValue(slippage.rounded(places: 8)), "fees": JSONValue(commissions.rounded(places: 8)),
                "opportunity": JSONValue(opportunity.rounded(places: 8)),
                "total": JSONValue((slippage + commissions + opportunity).rounded(places: 8)),
                "expected": JSONValue(expected.rounded(places: 8)),
                // What spread and impact came to, as a multiple of what was expected: the next coefficient times this fits.
                "realised_to_expected": expectedEdge > 0
                    ? JSONValue((slippage / expectedEdge).rounded(places: 6)) : .null,
            ],
            // Of this plan's own sales, and what wash sales took from them and from losses of earlier plans.
            "realised": [
                "short": JSONValue(booking.gain(.short).rounded(places: 8)),
                "long": JSONValue(booking.gain(.long).rounded(places: 8)),
                "disallowed_short": JSONValue(booking.disallowed(.short).rounded(places: 8)),
                "disallowed_long": JSONValue(booking.disallowed(.long).rounded(places: 8)),
            ],
            "differences": JSONValue(differences),
        ]
    }
}
