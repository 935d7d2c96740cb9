import WireFormat

/// The member `constraints`: any of its members, at levels that hold, bind or contradict each other.
enum FuzzedConstraints {
    static func make(_ choices: inout Choices, _ assets: [String]) -> JSONValue {
        var members = Members()
        weights(&choices, assets, &members)
        rows(&choices, assets, &members)
        limits(&choices, assets, &members)
        choice(&choices, assets, &members)
        let softenable = [
            "group_constraints", "linear", "short", "gross", "turnover", "tracking_error", "min_return", "max_risk",
            "effective_assets",
        ].filter { members.has($0) }
        if choices.chance(3), let softened = softenable.isEmpty ? nil : softenable[choices.pick(softenable.count)] {
            var soft = Members()
            soft.add(softened, choices.number())
            members.add("soft", soft.json)
        }
        if choices.chance(2) { members.add("units", "period") }
        return members.json
    }

    private static func weights(_ choices: inout Choices, _ assets: [String], _ members: inout Members) {
        if choices.chance(3) { members.add("upper_bound", choices.number()) }
        if choices.chance(5) { members.add("lower_bound", choices.number()) }
        if choices.chance(6) {
            members.add("lower_bound", -1.0)
            members.add("upper_bound", 2.0)
            members.add("short", choices.number())
        }
        if choices.chance(6) {
            members.add("budget", choices.chance(2) ? JSONValue(choices.number()) : range(&choices))
        }
        if choices.chance(6) { members.add("gross", 1 + choices.number()) }
    }

    private static func rows(_ choices: inout Choices, _ assets: [String], _ members: inout Members) {
        if choices.chance(4) {
            var groups = Members()
            groups.add("G", JSONValue(some(&choices, assets)))
            groups.add("H", JSONValue(some(&choices, assets)))
            members.add("groups", groups.json)
            var wanted = Members()
            wanted.add("G", range(&choices))
            if choices.chance(2) { wanted.add("H", range(&choices)) }
            members.add("group_constraints", wanted.json)
        }
        if choices.chance(5) {
            var row = Members()
            row.add("coefficients", figures(&choices, assets))
            row.add(choices.chance(2) ? "min" : "max", choices.number())
            let text = "\(assets[0]) + 2 * \(assets[assets.count - 1]) <= 0.7"
            members.add("linear", .array(choices.chance(3) ? [row.json, .string(text)] : [row.json]))
        }
        if choices.chance(5) {
            var turnover = Members()
            turnover.add("from", figures(&choices, assets))
            turnover.add(choices.chance(2) ? "total" : "per_asset", choices.number())
            members.add("turnover", turnover.json)
        }
        if choices.chance(5) {
            var costs = Members()
            costs.add("from", figures(&choices, assets))
            if choices.chance(2) { costs.add("impact", choices.number()) }
            costs.add("linear", choices.number())
            members.add("costs", costs.json)
        }
    }

    private static func limits(_ choices: inout Choices, _ assets: [String], _ members: inout Members) {
        if choices.chance(6) {
            members.add("benchmark", figures(&choices, assets))
            members.add("tracking_error", choices.number())
        }
        if choices.chance(6) { members.add("min_return", choices.number()) }
        if choices.chance(4) {
            var ceilings = Members()
            for _ in 0...choices.pick(3) {
                ceilings.add(choices.one(of: RiskMeasureCode.allCases, otherwise: .mv).rawValue, choices.number() * 0.1)
            }
            members.add("max_risk", ceilings.json)
        }
        if choices.chance(7) { members.add("effective_assets", 1 + Double(choices.pick(assets.count))) }
        if choices.chance(9) {
            var shares = Members()
            shares.add(assets[0], range(&choices))
            members.add("risk_contribution", shares.json)
        }
    }

    private static func choice(_ choices: inout Choices, _ assets: [String], _ members: inout Members) {
        if choices.chance(6) { members.add("cardinality", whole: 1 + choices.pick(assets.count)) }
        if choices.chance(8) { members.add("min_position", choices.number()) }
        guard let first = assets.first, let last = assets.last, first != last else { return }
        if choices.chance(8) { members.add("mutually_exclusive", .array([JSONValue([first, last])])) }
        if choices.chance(8) { members.add("join", .array([JSONValue([last, first])])) }
        if choices.chance(12) {
            var network = Members()
            network.add("graph", choices.one(of: ["MST", "TMFG"], otherwise: "MST"))
            network.add("max", whole: 1 + choices.pick(4))
            members.add("network", network.json)
        }
    }

    // MARK: Parts

    static func some(_ choices: inout Choices, _ assets: [String]) -> [String] {
        let found = assets.filter { _ in choices.chance(2) }
        return found.isEmpty ? Array(assets.prefix(1)) : found
    }

    static func figures(_ choices: inout Choices, _ assets: [String]) -> JSONValue {
        var members = Members()
        if choices.chance(2) {
            for asset in assets { members.add(asset, 1 / Double(assets.count)) }
        } else {
            for asset in some(&choices, assets) { members.add(asset, choices.number()) }
        }
        return members.json
    }

    private static func range(_ choices: inout Choices) -> JSONValue {
        var members = Members()
        let (a, b) = (choices.number(), choices.number())
        if choices.chance(2) { members.add("min", min(a, b)) }
        members.add("max", max(a, b))
        return members.json
    }
}
