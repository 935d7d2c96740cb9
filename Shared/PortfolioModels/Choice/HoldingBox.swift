/// What a node of the search has decided about the assets: each one's bounds, and whether it counts as held.
struct HoldingBox: Sendable {
    enum State: Sendable {
        case free, out, held
    }

    var state: [State]
    var lower: [Double]
    var upper: [Double]

    init(lower: [Double], upper: [Double]) {
        state = lower.map { _ in .free }
        self.lower = lower
        self.upper = upper
    }

    /// False where the asset has to be held.
    @discardableResult
    mutating func leaveOut(_ asset: Int) -> Bool {
        guard lower[asset] <= 0, upper[asset] >= 0, state[asset] != .held else { return false }
        (state[asset], lower[asset], upper[asset]) = (.out, 0, 0)
        return true
    }

    /// Holds an asset at a weight of at least `least` in absolute terms. False where its bounds do not allow that.
    @discardableResult
    mutating func hold(_ asset: Int, least: Double, isShort: Bool = false) -> Bool {
        guard state[asset] != .out else { return false }
        state[asset] = .held
        if isShort {
            upper[asset] = min(upper[asset], -least)
        } else if least > 0 {
            lower[asset] = max(lower[asset], least)
        }
        return lower[asset] <= upper[asset]
    }

    /// Draws the conclusions of the rules from what is decided. False where the decisions contradict them.
    mutating func propagate(_ rules: HoldingRules) -> Bool {
        var isChanging = true
        func isHeld(_ members: [Int]) -> Bool { members.contains { state[$0] == .held } }
        while isChanging {
            isChanging = false
            for i in state.indices where state[i] == .free {
                if let least = rules.leastPosition, max(upper[i], -lower[i]) < least {
                    guard leaveOut(i) else { return false }
                    isChanging = true
                } else if lower[i] > 0 || upper[i] < 0 {
                    guard hold(i, least: rules.leastPosition ?? 0, isShort: upper[i] < 0) else { return false }
                    isChanging = true
                }
            }
            for count in rules.counts {
                let held = count.members.filter { state[$0] == .held }.count
                guard held <= count.most else { return false }
                guard held == count.most else { continue }
                for i in count.members where state[i] == .free {
                    leaveOut(i)
                    isChanging = true
                }
            }
            for pair in rules.exclusions {
                for (one, other) in [(pair.first, pair.second), (pair.second, pair.first)] where isHeld(one) {
                    if isHeld(other) { return false }
                    for i in other where state[i] == .free {
                        leaveOut(i)
                        isChanging = true
                    }
                }
            }
            for pair in rules.joins {
                let possible = pair.second.filter { state[$0] != .out }
                if possible.isEmpty {
                    if isHeld(pair.first) { return false }
                    for i in pair.first where state[i] == .free {
                        leaveOut(i)
                        isChanging = true
                    }
                } else if isHeld(pair.first), possible.count == 1, let only = possible.first, state[only] == .free,
                    lower[only] >= 0
                {
                    guard hold(only, least: rules.leastHeld) else { return false }
                    isChanging = true
                }
            }
        }
        return true
    }

    /// The node in which exactly the given assets are held, on the side of their weights; nil where the rules do not allow that.
    static func exactly(_ held: [Int], weights: [Double], in box: HoldingBox, _ rules: HoldingRules) -> HoldingBox? {
        var leaf = box
        var joined = Set<Int>()
        for pair in rules.joins where pair.first.contains(where: { held.contains($0) }) {
            let present = pair.second.filter { held.contains($0) }
            if let largest = present.max(by: { abs(weights[$0]) < abs(weights[$1]) }) { joined.insert(largest) }
        }
        for i in leaf.state.indices where leaf.state[i] != .out {
            if held.contains(i) {
                let least = rules.leastPosition ?? (joined.contains(i) ? rules.leastHeld : 0)
                guard leaf.state[i] == .held || leaf.hold(i, least: least, isShort: weights[i] < 0) else { return nil }
            } else if !leaf.leaveOut(i) {
                return nil
            }
        }
        return leaf.propagate(rules) ? leaf : nil
    }

    /// A rule that weights break, as the ways to mend it: one of the boxes holds every portfolio of this one that keeps the rule.
    /// Nil where the weights keep all rules.
    func branches(_ weights: [Double], _ rules: HoldingRules) -> [HoldingBox]? {
        // The weights may be those of a box around this one, where this one's were not found: what is decided goes before them.
        func isHeld(_ i: Int) -> Bool { state[i] == .held || (state[i] == .free && abs(weights[i]) > 1e-9) }
        func isJoined(_ i: Int) -> Bool {
            guard state[i] != .out else { return false }
            let least = rules.leastHeld
            return lower[i] >= least || upper[i] <= -least || abs(weights[i]) >= least * (1 - 1e-9)
        }
        func out(_ members: [Int]) -> HoldingBox? {
            var child = self
            for i in members where child.state[i] != .out { if !child.leaveOut(i) { return nil } }
            return child
        }
        func sides(_ i: Int, least: Double) -> [HoldingBox] {
            (least > 0 && lower[i] < 0 ? [false, true] : [false]).compactMap { isShort in
                var child = self
                return child.hold(i, least: least, isShort: isShort) ? child : nil
            }
        }
        // The largest undecided one of a count that is exceeded: it is held, or it is not.
        for count in rules.counts where count.members.filter({ isHeld($0) }).count > count.most {
            let free = count.members.filter { state[$0] == .free && isHeld($0) }
            guard let largest = free.max(by: { abs(weights[$0]) < abs(weights[$1]) }) else { return [] }
            return sides(largest, least: rules.leastPosition ?? 0) + [out([largest])].compactMap { $0 }
        }
        if let least = rules.leastPosition {
            let small = weights.indices.filter {
                state[$0] == .free && abs(weights[$0]) > 1e-9 && abs(weights[$0]) < least * (1 - 1e-9)
            }
            // The one whose decision costs most either way: nearest to half of the least position.
            if let undecided = small.min(by: { abs(abs(weights[$0]) - least / 2) < abs(abs(weights[$1]) - least / 2) })
            {
                return sides(undecided, least: least) + [out([undecided])].compactMap { $0 }
            }
        }
        for pair in rules.exclusions
        where pair.first.contains(where: { isHeld($0) }) && pair.second.contains(where: { isHeld($0) }) {
            return [out(pair.first), out(pair.second)].compactMap { $0 }
        }
        for pair in rules.joins
        where pair.first.contains(where: { isHeld($0) })
            && !pair.second.contains(where: { isJoined($0) })
        {
            return pair.second.filter { state[$0] != .out }.flatMap { sides($0, least: rules.leastHeld) }
                + [out(pair.first)].compactMap { $0 }
        }
        return nil
    }
}
