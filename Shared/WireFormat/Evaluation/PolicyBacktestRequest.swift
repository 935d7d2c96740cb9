/// The body of `POST /api/portfolio/backtest` with `policies`: rules of when and how to go back to a target, compared on one path of
/// prices after costs and tax.
public struct PolicyBacktestRequest: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Whatever is bought stays.
        case never
        /// To the target each so many days.
        case calendar
        /// To the target where half the sum of deviations is above a threshold.
        case band
        /// The trade problem with costs and tax: as far as it pays.
        case optimised
    }

    public struct Policy: Sendable, Equatable {
        public var name: String
        public var kind: Kind
        /// Between two looks.
        public var days: Int
        public var halfL1: FixedDecimal

        public init(name: String, kind: Kind, days: Int = 30, halfL1: FixedDecimal = 0) {
            self.name = name
            self.kind = kind
            self.days = days
            self.halfL1 = halfL1
        }
    }

    /// Most assets, days and policies.
    public static let mostAssets = 100
    public static let mostDays = 10_000
    public static let mostPolicies = 20

    /// Weights; what they leave is cash.
    public var target: [(asset: String, weight: FixedDecimal)]
    public var cash: FixedDecimal
    /// Of stored prices; nil where the path is inline.
    public var start: CalendarDate?
    public var end: CalendarDate?
    /// A day after the other, prices in the order of `target`; nil for stored ones.
    public var days: [(date: CalendarDate, prices: [FixedDecimal])]?
    /// Annual, in the order of `target`; nil for the path's own.
    public var covariance: [[Double]]?
    /// A fraction of the price.
    public var halfSpread: FixedDecimal
    public var policies: [Policy]
    /// `risk_aversion`, `costs`, `tax` and `constraints.lot_size`.
    public var settings: RebalanceSettings

    public var assets: [String] { target.map { $0.asset } }

    /// Decodes the body of a request.
    /// - Throws: a 422 of class `request` that names every fault by pointer.
    public init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        target = []
        let amounts: ClosedRange<FixedDecimal> = 0...1_000_000_000_000
        if let inner = reader.object("target", required: true) {
            for member in inner.object.members where member.key != RebalanceRequest.cashName {
                let place = inner.pointer.appending(member.key)
                if let weight = inner.fixed(member.value, at: place, in: 0...1) { target.append((member.key, weight)) }
            }
        }
        let sum = target.map { $0.weight }.reduce(.zero, +)
        if sum > 1 { reader.fault("target", .contradiction, "The weights add up to \(sum), more than 1.") }
        if target.isEmpty || target.count > Self.mostAssets {
            reader.fault("target", .outOfRange, "1 to \(Self.mostAssets) assets beside cash.")
        }
        cash = reader.fixed("cash", in: amounts, isAbove: 0) ?? 1_000_000
        start = reader.date("start_date")
        end = reader.date("end_date")
        halfSpread = reader.fixed("half_spread", in: 0...1) ?? 0
        policies = []
        for (place, value) in reader.elements("policies", required: true, count: 1...Self.mostPolicies) ?? [] {
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            let kind = inner.choice("kind", of: Kind.self, required: true)
            let days = inner.int("days", in: 1...3660) ?? 30
            let halfL1 = inner.fixed("half_l1", in: 0...1)
            if kind == .band, halfL1 == nil, !inner.has("half_l1") {
                inner.fault("half_l1", .missing, "A band needs its threshold.")
            }
            if kind != .band, inner.has("half_l1") {
                inner.fault("half_l1", .contradiction, "Only a band reads it.")
            }
            if kind == .never, inner.has("days") { inner.fault("days", .contradiction, "It never looks.") }
            let name = inner.string("name", maximumLength: 64)
            inner.finish()
            guard let kind else { continue }
            policies.append(
                Policy(name: name ?? "\(kind.rawValue) \(days)", kind: kind, days: days, halfL1: halfL1 ?? 0))
        }
        settings = RebalanceSettings()
        if let inner = reader.object("settings") {
            settings = RebalanceSettings(inner)
            let read = ["risk_aversion", "costs", "tax", "constraints"]
            if !settings.costs.pools.isEmpty {
                inner.fault(
                    "costs", .contradiction,
                    "Pools are of one moment: a path of prices takes half_spread in their place.")
            }
            for member in inner.object.members where !read.contains(member.key) {
                inner.fault(
                    member.key, .contradiction, "A comparison of policies reads \(read.joined(separator: ", ")).")
            }
        }
        days = nil
        covariance = nil
        readPath(reader)
        readCovariance(reader)
        try reader.finishAndThrow()
    }

    private mutating func readPath(_ reader: MemberReader) {
        guard let inner = reader.object("prices") else { return }
        for name in ["start_date", "end_date"] where reader.has(name) {
            reader.fault(name, .contradiction, "The path is inline: its dates are its own.")
        }
        var dates: [CalendarDate] = []
        for (place, value) in inner.elements("dates", required: true, count: 2...Self.mostDays) ?? [] {
            guard let date = inner.date(value, at: place) else { continue }
            if let last = dates.last, date <= last {
                inner.faults.record(Violation(place, .contradiction, "\(date) is not after \(last)."))
            }
            dates.append(date)
        }
        var columns: [[FixedDecimal]] = []
        if let values = inner.object("values", required: true) {
            for asset in assets {
                var column: [FixedDecimal] = []
                for (place, value) in values.elements(asset, required: true, count: dates.count...max(dates.count, 1))
                    ?? []
                {
                    column.append(values.fixed(value, at: place, in: 0...1_000_000_000, isAbove: 0) ?? 1)
                }
                columns.append(column)
            }
            values.finish()
        }
        inner.finish()
        guard columns.count == assets.count, columns.allSatisfy({ $0.count == dates.count }) else { return }
        days = dates.indices.map { t in (date: dates[t], prices: columns.map { $0[t] }) }
    }

    private mutating func readCovariance(_ reader: MemberReader) {
        guard let inner = reader.object("covariance") else { return }
        let names = inner.strings("assets", required: true, count: 1...Self.mostAssets) ?? []
        let places = Dictionary(names.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { a, _ in a })
        for asset in assets where places[asset] == nil {
            inner.fault("assets", .missing, "\(Problem.echo(asset)) has no covariance.")
        }
        var rows: [[Double]] = []
        for (place, row) in inner.elements("values", required: true, count: names.count...max(names.count, 1)) ?? [] {
            guard let row = row.arrayValue, row.count == names.count else {
                inner.faults.record(Violation(place, .wrongType, "Expected \(names.count) numbers in a row."))
                continue
            }
            rows.append(row.enumerated().map { inner.double($0.element, at: place.appending($0.offset)) ?? 0 })
        }
        inner.finish()
        guard rows.count == names.count else { return }
        let order = assets.compactMap { places[$0] }
        guard order.count == assets.count else { return }
        covariance = order.map { i in order.map { (rows[i][$0] + rows[$0][i]) / 2 } }
    }
}
