import LinearAlgebra
import WireFormat

/// The trade problem in binary figures, for the search. What leaves the search is counted again in decimals.
struct TradeModel {
    /// One limit over all assets: sum of the parts <= limit.
    struct Row {
        var name: String
        /// By asset, times signed value; empty for none.
        var value: [Double] = []
        var cost = 0.0
        var absolute = 0.0
        var short = 0.0
        var long = 0.0
        var count = 0.0
        var limit: Double
    }

    var assets: [OneAsset]
    /// lambda H V: currency for a unit of variance, twice.
    var kappa: Double
    var covariance: Matrix
    /// Share of each variance that the one-asset problems keep: Sigma - share diag(Sigma) is semidefinite.
    var diagonalShare: Double
    /// Of the covariance with a ridge of 1e-10 of its largest entry: proof that it is semidefinite. Nil where there is no risk at all.
    let factor: Cholesky?
    var rows: [Row]
    var tax: TaxFunction
    /// Most tax the trades may add.
    var taxBudget: Double?
    var idleObjective: Double

    var count: Int { assets.count }

    init(_ problem: TradeProblem) throws(TradeProblemError) {
        let n = problem.assets.count
        guard n > 0 else { throw .noAssets }
        guard problem.covariance.rows == n, problem.covariance.columns == n else {
            throw .covarianceShape(rows: problem.covariance.rows, columns: problem.covariance.columns, assets: n)
        }
        guard problem.covariance.isFinite else { throw .outOfRange("the covariance") }
        let total = problem.value
        guard !total.isOverflow else { throw .outOfRange("the value of the portfolio") }
        guard total > 0 else { throw .worthless }
        let value = total.double
        kappa = problem.riskAversion * problem.horizonYears * value
        covariance = problem.covariance
        factor = try Self.factor(covariance)
        diagonalShare = Self.diagonalShare(covariance)
        tax = TaxFunction(problem.tax)
        taxBudget = problem.limits.taxBudget?.double
        var proceeds = FixedDecimal.zero
        for asset in problem.assets {
            proceeds += asset.quote.price * problem.sellableLots(asset).map { $0.quantity }.reduce(.zero, +)
        }
        let purse = max(0, problem.cash - problem.limits.cashFloor + proceeds)
        assets = []
        for asset in problem.assets {
            let one = Self.one(asset, problem, total: total, purse: purse)
            // Beyond that a step more is the same number, and a walk along the steps has no end.
            guard one.stepValue > 0, one.stepWeight > 0, one.highest <= Self.mostSteps, one.lowest >= -Self.mostSteps,
                one.leastTrade.isFinite
            else {
                throw .outOfRange(
                    "the number of lots of \(problem.limits.lotSize) that \(asset.symbol) may be traded in")
            }
            assets.append(one)
        }
        rows = Self.rows(problem, value: value)
        idleObjective = 0
        let deviations = assets.map { $0.deviation }
        idleObjective = 0.5 * kappa * Vector.dot(deviations, covariance.symmetricMultiplied(by: deviations))
        for (asset, one) in zip(problem.assets, assets) {
            idleObjective += one.drift / one.stepWeight * (one.deviation + asset.target.double)
        }
        guard idleObjective.isFinite else { throw .outOfRange("the objective") }
    }

    /// Whole numbers are exact up to here, with two bits to spare.
    private static let mostSteps = 2e15

    private static func one(
        _ asset: TradeAsset, _ problem: TradeProblem, total: FixedDecimal, purse: FixedDecimal
    ) -> OneAsset {
        let limits = problem.limits
        let step = limits.lotSize
        let quote = asset.quote
        let stepValue = quote.price * step
        let heldValue = quote.price * asset.held
        let sellable = problem.sellableLots(asset)
        let sellableShares = sellable.map { $0.quantity }.reduce(.zero, +)
        let shares = step.double
        func steps(_ value: FixedDecimal) -> Double { ((value / step).rounded(places: 9)).double.rounded(.down) }
        var most = asset.canBuy ? steps(purse / quote.price) : 0
        var least = -steps(sellableShares)
        if let rate = limits.participation, let volume = quote.dailyVolume {
            let cap = steps(rate * volume * limits.participationDays)
            most = min(most, cap)
            least = max(least, -cap)
        }
        if let pools = quote.pools {
            // Of an endless pool no more than money buys.
            most = min(most, (pools.buying.shares(for: purse.double) / shares * (1 + 1e-12)).rounded(.down))
            least = max(least, -(pools.selling.capacity / shares * (1 + 1e-12)).rounded(.down))
        }
        if let highest = asset.highestWeight {
            most = min(most, ((highest * total - heldValue) / stepValue).rounded(places: 9).double.rounded(.down))
        }
        if let lowest = asset.lowestWeight {
            least = max(least, ((lowest * total - heldValue) / stepValue).rounded(places: 9).double.rounded(.up))
        }
        let schedule = Commission(
            problem.costs, stepShares: shares, stepValue: stepValue.double, halfSpread: quote.halfSpread.double)
        let volume = quote.dailyVolume?.double ?? 0
        let impact =
            volume > 0
            ? problem.costs.impactCoefficient * (quote.dailyVolatility ?? 0) * stepValue.double
                * (shares / volume).squareRoot()
            : 0
        let weight = stepValue.double / total.double
        let lots = problem.tax.mode == .none ? [] : lots(sellable, problem, netPrice: problem.netPrice(quote))
        func side(isShort: Bool) -> [OneAsset.Lot] {
            lots.filter { $0.isShort == isShort }.map { OneAsset.Lot(gain: $0.gain, size: $0.size) }
                .sorted { $0.gain < $1.gain }
        }
        let washed = washed(lots, asset, problem)
        var prescribed: LotOrder?
        if problem.tax.mode != .none, problem.tax.method.isPrescribed {
            prescribed =
                washed.map { washed in
                    let places = Dictionary(uniqueKeysWithValues: washed.lots.enumerated().map { ($1.id, $0) })
                    return washed.order(lots.compactMap { lot in places[lot.id].map { ($0, lot.size) } })
                } ?? LotOrder(lots.map { ($0.gain, $0.size, $0.isShort) })
        }
        return OneAsset(
            stepValue: stepValue.double, stepWeight: weight,
            deviation: (heldValue / total - asset.target).double, lowest: least, highest: most,
            leastTrade: max(1, (limits.minimumTrade / stepValue).rounded(places: 12).double.rounded(.up)),
            buying: schedule.segments(isSale: false), selling: schedule.segments(isSale: true), impact: impact,
            pools: quote.pools.map { ($0.buying.inSteps(of: shares), $0.selling.inSteps(of: shares)) },
            ticket: (problem.costs.ticket + problem.costs.network).double, shortLots: side(isShort: true),
            longLots: side(isShort: false),
            drift: -problem.horizonYears * stepValue.double * asset.expectedReturn, prescribed: prescribed,
            washed: prescribed == nil ? washed : nil)
    }

    /// The lots of an asset with what a step of each brings, in the order of the disposal method where it fixes one.
    private static func lots(
        _ sellable: [TaxLot], _ problem: TradeProblem, netPrice: FixedDecimal
    ) -> [WashedLots.Lot] {
        let step = problem.limits.lotSize
        let sale = Disposal(date: problem.date, netPrice: netPrice, tax: problem.tax, step: step)
        let method = problem.tax.method.isPrescribed ? problem.tax.method : .fifo
        let all = sellable.map { $0.quantity }.reduce(.zero, +)
        // Of all there is: neither too few shares, nor a lot that is not named.
        let sales = (try? sale.select(all, from: sellable, by: method, named: sellable.map { $0.id })) ?? []
        return sales.filter { $0.quantity > 0 }.map {
            WashedLots.Lot(
                id: $0.lot.id, gain: ($0.gain / $0.quantity * step).double, size: ($0.quantity / step).double,
                isShort: $0.term == .short, isRecent: problem.isRecent($0.lot))
        }
    }

    /// The same lots as what recent purchases take away of them; nil where no loss has another lot's purchase beside it.
    private static func washed(
        _ lots: [WashedLots.Lot], _ asset: TradeAsset, _ problem: TradeProblem
    ) -> WashedLots? {
        let (own, foreign) = problem.purchases(asset)
        guard lots.contains(where: { lot in lot.gain < 0 && (!foreign.isEmpty || own.contains { $0.id != lot.id }) })
        else { return nil }
        let age = Dictionary(uniqueKeysWithValues: asset.lots.map { ($0.id, ($0.acquired, $0.id)) })
        let byAge = lots.sorted { a, b in
            guard let first = age[a.id], let second = age[b.id] else { return false }
            return first < second
        }
        let places = Dictionary(uniqueKeysWithValues: byAge.enumerated().map { ($1.id, $0) })
        let purchases = (own.map { (lot: $0, place: places[$0.id]) } + foreign.map { (lot: $0, place: nil) })
            .sorted { ($0.lot.acquired, $0.lot.id) < ($1.lot.acquired, $1.lot.id) }
        return WashedLots(
            lots: byAge,
            purchases: purchases.map { ($0.place, ($0.lot.quantity / problem.limits.lotSize).double) })
    }

    private static func rows(_ problem: TradeProblem, value: Double) -> [Row] {
        let n = problem.assets.count
        let limits = problem.limits
        var rows = [
            Row(
                name: "cash_floor", value: [Double](repeating: 1, count: n), cost: 1,
                limit: (problem.cash - limits.cashFloor).double)
        ]
        if let most = limits.maximumTrades { rows.append(Row(name: "max_trades", count: 1, limit: Double(most))) }
        if let most = limits.turnover {
            rows.append(Row(name: "turnover", absolute: 0.5, limit: most.double * value))
        }
        for group in limits.groups {
            let held = group.members.map { problem.assets[$0].quote.price * problem.assets[$0].held }.reduce(.zero, +)
                .double
            var members = [Double](repeating: 0, count: n)
            for index in group.members { members[index] = 1 }
            if let highest = group.highest {
                rows.append(Row(name: "groups.\(group.name).max", value: members, limit: highest.double * value - held))
            }
            if let lowest = group.lowest {
                rows.append(
                    Row(
                        name: "groups.\(group.name).min", value: members.map { -$0 },
                        limit: held - lowest.double * value))
            }
        }
        return rows
    }

    private static func factor(_ sigma: Matrix) throws(TradeProblemError) -> Cholesky? {
        let scale = sigma.maximumMagnitude
        guard scale > 0 else { return nil }
        var ridged = sigma
        for i in 0..<sigma.rows { ridged[i, i] += 1e-10 * scale }
        do { return try Cholesky(factorising: ridged) } catch { throw .covarianceNotSemidefinite }
    }

    /// The largest share t, nearly, for which Sigma - t diag(Sigma) has a Cholesky factorisation.
    private static func diagonalShare(_ sigma: Matrix) -> Double {
        let n = sigma.rows
        let scale = sigma.maximumMagnitude
        // For many assets the split has own variances instead.
        guard scale > 0, n <= TradeSolver.mostExact else { return 0 }
        func isDefinite(_ share: Double) -> Bool {
            var shifted = sigma
            for i in 0..<n { shifted[i, i] = shifted[i, i] * (1 - share) + 1e-10 * scale }
            return (try? Cholesky(factorising: shifted)) != nil
        }
        if isDefinite(0.999_999) { return 0.999_999 }
        var (low, high) = (0.0, 1.0)
        for _ in 0..<14 {
            let middle = (low + high) / 2
            if isDefinite(middle) { low = middle } else { high = middle }
        }
        // A little less than what rounding may have let through.
        return max(0, low - 1e-6)
    }
}

/// Commission, fees and spread as straight stretches in steps.
private struct Commission {
    let perOrder, perStep, minimum: Double
    let cap: Double?
    let spread, feePerStep, feeOfShares, feeCap: Double

    init(_ costs: CostModel, stepShares: Double, stepValue: Double, halfSpread: Double) {
        perOrder = costs.commission.perOrder.double
        perStep = costs.commission.perShare.double * stepShares + costs.commission.rate.double * stepValue
        minimum = costs.commission.minimum.double
        cap = costs.commission.maximumRate.map { $0.double * stepValue }
        spread = halfSpread * stepShares
        feePerStep = costs.saleFees.rate.double * stepValue
        feeOfShares = costs.saleFees.perShare.double * stepShares
        feeCap = costs.saleFees.perShareCap.double
    }

    func segments(isSale: Bool) -> [OneAsset.CostSegment] {
        var ends: [Double] = [.infinity]
        if perStep > 0, perOrder < minimum { ends.append((minimum - perOrder) / perStep) }
        if let cap {
            if cap > 0 { ends.append(minimum / cap) }
            if cap > perStep { ends.append(perOrder / (cap - perStep)) }
        }
        if isSale, feeCap > 0, feeOfShares > 0 { ends.append(feeCap / feeOfShares) }
        var start = 0.0
        var result: [OneAsset.CostSegment] = []
        for end in ends.filter({ $0 > 0 }).sorted() where end > start {
            let middle = end.isFinite ? (start + end) / 2 : start + 1
            var (a, b) = (perOrder, perStep)
            if a + b * middle < minimum { (a, b) = (minimum, 0) }
            if let cap, cap * middle < a + b * middle { (a, b) = (0, cap) }
            if isSale {
                b += feePerStep
                if feeCap > 0, feeOfShares * middle > feeCap { a += feeCap } else { b += feeOfShares }
            }
            result.append(OneAsset.CostSegment(to: end, a: a, b: b + spread))
            start = end
        }
        return result
    }
}
