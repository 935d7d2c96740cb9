import ArgumentParser
import ServiceKit

/// Scopes separated by commas.
struct ScopeList: ExpressibleByArgument, Equatable {
    let scopes: Set<Scope>

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false)
        let known = names.compactMap { Scope(rawValue: String($0)) }
        guard known.count == names.count else { return nil }
        scopes = Set(known)
    }
}

/// A span of time: `90d`, `12h`, `30m`, `45s` or a number of seconds; above zero, at most 100 years.
struct Lifetime: ExpressibleByArgument, Equatable {
    let seconds: Int
    var duration: Duration { .seconds(seconds) }

    init?(argument: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 31_557_600]
        var digits = argument[...]
        var unit = 1
        if let last = argument.last, let known = units[last] {
            unit = known
            digits = digits.dropLast()
        }
        guard let count = Int(digits), count > 0 else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        guard !overflow, product <= 3_155_760_000 else { return nil }
        seconds = product
    }
}
