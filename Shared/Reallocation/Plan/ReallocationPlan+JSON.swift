public import WireFormat

extension ReallocationPlan {
    /// The plan as the interface shows it, without what belongs to its keeping (id, hash, expiry).
    public var json: JSONValue {
        var object = JSONObject([
            ("state", .string(state.rawValue)), ("as_of", .string(asOf.description)), ("currency", .string(currency)),
            ("drift", driftJSON), ("needed", .bool(isNeeded)),
            ("legs", .array(legs.map { Self.json($0) })),
            ("cash_before", JSONValue(money: cashBefore)), ("cash_after", JSONValue(cashAfter.rounded(places: 8))),
            ("weights_before", Self.weights(weightsBefore)), ("weights_after", Self.weights(weightsAfter)),
            ("target", Self.weights(target)),
            (
                "tracking_error",
                [
                    "before": JSONValue(trackingErrorBefore), "after": JSONValue(trackingErrorAfter),
                    "path": JSONValue(legs.map { $0.trackingErrorAfter }),
                ]
            ),
            ("costs", Self.json(costs)), ("cost_coefficients", coefficientsJSON), ("tax", taxJSON),
            ("benefit", JSONValue(FixedDecimal(benefit, places: 8))),
            ("cost", JSONValue(FixedDecimal(cost, places: 8))),
            ("objective", JSONValue(objective)), ("idle_objective", JSONValue(idleObjective)),
            ("lower_bound", JSONValue(lowerBound)), ("gap", JSONValue(gap)), ("cost_weight", JSONValue(costWeight)),
            (
                "relaxed",
                .array(
                    relaxed.map {
                        ["constraint": .string($0.constraint), "from": JSONValue($0.from), "to": JSONValue($0.to)]
                    })
            ),
            (
                "alternatives",
                .array(
                    alternatives.map {
                        [
                            "trades": JSONValue($0.trades), "objective": JSONValue($0.objective),
                            "cost": JSONValue(money: $0.cost), "tracking_error": JSONValue($0.trackingError),
                        ]
                    })
            ),
            (
                "buy_blocks",
                .array(washBlocks.map { ["asset": .string($0.asset), "until": .string($0.until.description)] })
            ),
            ("warnings", .array(warnings.map { $0.json })),
        ])
        if let harvest { object["harvest"] = .array(harvest.map { $0.json }) }
        if let lookAhead {
            object["look_ahead"] = .array(
                lookAhead.map { period in .object(JSONObject(period.map { ($0.asset, JSONValue($0.weight)) })) })
        }
        object["summary"] = .string(summary)
        return .object(object)
    }

    private static func weights(_ weights: [(asset: String, weight: FixedDecimal)]) -> JSONValue {
        .object(JSONObject(weights.map { ($0.asset, JSONValue($0.weight.rounded(places: 10))) }))
    }

    private static func json(_ cost: OrderCost) -> JSONValue {
        [
            "commission": JSONValue(cost.commission.rounded(places: 8)),
            "fees": JSONValue(cost.fees.rounded(places: 8)),
            "spread": JSONValue(cost.spread.rounded(places: 8)), "impact": JSONValue(cost.impact),
            "network": JSONValue(cost.network.rounded(places: 8)), "ticket": JSONValue(cost.ticket),
            "total": JSONValue(cost.total.rounded(places: 8)),
        ]
    }

    private static func json(_ leg: Leg) -> JSONValue {
        let value: JSONValue = [
            "asset": .string(leg.asset), "side": .string(leg.isSale ? "sell" : "buy"),
            "quantity": JSONValue(leg.quantity),
            "price": JSONValue(leg.price), "limit_price": JSONValue(leg.limitPrice),
            "value": JSONValue(money: leg.cost.value),
            "lots": .array(
                leg.lots.map {
                    [
                        "id": .string($0.lot.id), "quantity": JSONValue($0.quantity), "gain": JSONValue(money: $0.gain),
                        "disallowed": JSONValue(money: $0.disallowed), "term": .string($0.term.rawValue),
                    ]
                }),
            "costs": json(leg.cost), "tax": JSONValue(money: leg.tax), "order": JSONValue(leg.order),
            "cash_after": JSONValue(money: leg.cashAfter), "tracking_error_after": JSONValue(leg.trackingErrorAfter),
        ]
        guard var object = value.objectValue else { return value }
        if let schedule = leg.schedule { object["schedule"] = schedule.json }
        if let route = leg.route { object["route"] = .array(route.map { JSONValue($0) }) }
        return .object(object)
    }

    private var driftJSON: JSONValue {
        var deviations = JSONObject()
        for gap in drift.gaps {
            deviations[gap.asset] = JSONValue(drift.weight(of: gap.asset).deviation.rounded(places: 10))
        }
        func extreme(_ value: WeightDrift.Extreme?) -> JSONValue {
            value.map { ["asset": .string($0.asset), "value": JSONValue($0.value.rounded(places: 10))] } ?? .null
        }
        return [
            "portfolio_value": JSONValue(drift.total), "half_l1": JSONValue(drift.halfL1.rounded(places: 10)),
            "max_absolute": extreme(drift.largest), "max_relative": extreme(drift.largestRelative),
            "tracking_error": JSONValue(trackingErrorBefore), "deviation": .object(deviations),
            "triggered": .object(JSONObject(rules.map { ($0.rule.rawValue, .bool($0.fired)) })),
        ]
    }

    /// What half spread and impact were multiplied with, and who taught it.
    private var coefficientsJSON: JSONValue {
        let factor = calibration?.impactFactor ?? 1
        return [
            "impact": JSONValue(impactCoefficient * factor.double),
            "spread_factor": JSONValue(calibration?.spreadFactor ?? 1), "impact_factor": JSONValue(factor),
            "venue": JSONValue(calibration?.venue), "orders": JSONValue(calibration?.orders ?? 0),
        ]
    }

    private var taxJSON: JSONValue {
        var object = JSONObject([
            ("gain_short", JSONValue(money: gainShort)), ("gain_long", JSONValue(money: gainLong)),
            ("tax", JSONValue(money: tax)), ("carry_value", JSONValue(money: carryValue)),
        ])
        if let year {
            func json(_ year: TaxYear) -> JSONValue {
                [
                    "net_short": JSONValue(money: year.netShort), "net_long": JSONValue(money: year.netLong),
                    "taxed_short": JSONValue(money: year.taxedShort), "taxed_long": JSONValue(money: year.taxedLong),
                    "ordinary_deduction": JSONValue(money: year.ordinaryDeduction),
                    "carry_out_short": JSONValue(money: year.carryOutShort),
                    "carry_out_long": JSONValue(money: year.carryOutLong),
                    "tax": JSONValue(money: year.tax),
                ]
            }
            object["year_before"] = json(year.before)
            object["year_after"] = json(year.after)
        }
        return .object(object)
    }

    // MARK: Text

    /// The plan as a page of text.
    public var summary: String {
        var lines: [String] = []
        let value = drift.total
        lines.append("Reallocation of \(value.text(places: 2)) \(currency) as of \(asOf)")
        lines.append(
            "Drift: half the sum of deviations \(percent(drift.halfL1)), tracking error \(percent(trackingErrorBefore)) a year"
        )
        switch state {
        case .notNeeded:
            lines.append(isNeeded ? "Doing nothing is best." : "No threshold is passed: no reallocation is needed.")
        case .rejectedByCost: lines.append("No trades are worth their cost: doing nothing is the plan.")
        case .awaitingConfirm:
            lines.append("")
            for leg in legs {
                let lots = leg.lots.map {
                    "\($0.lot.id) x \($0.quantity) \($0.term.rawValue) \($0.gain.text(places: 2))"
                        + ($0.disallowed > 0 ? ", of which \($0.disallowed.text(places: 2)) is taken away" : "")
                }.joined(separator: ", ")
                lines.append(
                    "\(leg.order). \(leg.isSale ? "sell" : "buy") \(leg.quantity) \(leg.asset) at \(leg.price), limit \(leg.limitPrice): "
                        + "\(leg.cost.value.text(places: 2)), cost \(leg.cost.total.text(places: 2)), tax \(leg.tax.text(places: 2))"
                        + (lots.isEmpty ? "" : " (lots \(lots))"))
            }
            lines.append("")
            let after = Dictionary(weightsAfter.map { ($0.asset, $0.weight) }, uniquingKeysWith: { a, _ in a })
            let wanted = Dictionary(target.map { ($0.asset, $0.weight) }, uniquingKeysWith: { a, _ in a })
            for item in weightsBefore {
                lines.append(
                    "\(item.asset): \(percent(item.weight)) -> \(percent(after[item.asset] ?? 0)), target \(percent(wanted[item.asset] ?? 0))"
                )
            }
            lines.append("")
            lines.append(
                "Costs \(costs.spent.text(places: 2)) (commission \(costs.commission.text(places: 2)), fees \(costs.fees.text(places: 2)), "
                    + "spread \(costs.spread.text(places: 2)), impact \(costs.impact.text(places: 2))"
                    + (costs.network > 0 ? ", network \(costs.network.text(places: 4))" : "") + "), "
                    + "tax \(tax.text(places: 2)) on short \(gainShort.text(places: 2)) and long \(gainLong.text(places: 2))"
            )
            lines.append(
                "Benefit \(FixedDecimal(benefit, places: 2).text(places: 2)) against cost \(FixedDecimal(cost, places: 2).text(places: 2)); "
                    + "tracking error after \(percent(trackingErrorAfter)), cash after \(cashAfter.text(places: 2))")
            lines.append(
                "Objective \(FixedDecimal(objective, places: 4)), no plan is below \(FixedDecimal(lowerBound, places: 4)); "
                    + "doing nothing \(FixedDecimal(idleObjective, places: 4))")
        }
        if let calibration {
            lines.append(
                "Spread x \(calibration.spreadFactor) and impact x \(calibration.impactFactor), as \(calibration.orders) orders"
                    + "\(calibration.venue.map { " at \($0)" } ?? "") have cost")
        }
        for item in relaxed { lines.append("Relaxed: \(item.constraint) from \(item.from) to \(item.to)") }
        for block in washBlocks {
            lines.append("Do not buy \(block.asset) before \(block.until): a loss would be disallowed")
        }
        for warning in warnings { lines.append("Warning: \(warning.detail)") }
        if year != nil { lines.append("Tax is a model with the settings given, not advice.") }
        return lines.joined(separator: "\n")
    }

    private func percent(_ value: FixedDecimal) -> String { (value * 100).text(places: 2) + " %" }
    private func percent(_ value: Double) -> String { FixedDecimal(value * 100, places: 2).text(places: 2) + " %" }
}
