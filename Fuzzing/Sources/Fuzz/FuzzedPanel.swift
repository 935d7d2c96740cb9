import WireFormat

/// Returns of a few assets over a few periods: plain, fat-tailed, equal, constant, of scales far apart, missing, as returns or as prices.
struct FuzzedPanel {
    let assets: [String]
    let observations: Int
    /// The member of the request, by its name.
    let name: String
    let json: JSONValue

    init(_ choices: inout Choices) {
        let count = 1 + choices.pick(9)
        observations = 2 + choices.pick(choices.chance(3) ? 80 : 24)
        let scale = [0.01, 0.01, 0.01, 1e-6, 10, 1e-200, 0.5, 0][choices.pick(8)]
        var columns: [[Double?]] = []
        for i in 0..<count {
            switch choices.pick(10) {
            case 1 where i > 0: columns.append(columns[i - 1])
            case 2: columns.append([Double?](repeating: scale * choices.number(), count: observations))
            case 3: columns.append(Self.series(&choices, observations, scale * 1e3))
            case 4: columns.append(Self.series(&choices, observations, scale * 1e-5))
            case 5 where i > 0: columns.append(columns[i - 1].map { $0.map { 2 * $0 + 1e-9 } })
            case 6 where i > 0: columns.append(columns[i - 1].map { $0.map { -$0 } })
            case 7:
                columns.append(Self.series(&choices, observations, scale).map { $0.map { ($0 * 50).rounded() / 50 } })
            default: columns.append(Self.series(&choices, observations, scale))
            }
        }
        for _ in 0..<choices.pick(4) {
            columns[choices.pick(count)][choices.pick(observations)] =
                choices.chance(4) ? nil : [-0.999999, -1, 3, 0, 1e6][choices.pick(5)]
        }
        assets = (0..<count).map { "A\($0)" }
        let isPriced = choices.chance(8)
        name = isPriced ? "prices" : "returns"
        var dates: [JSONValue] = []
        var day = 19_000
        while dates.count < observations {
            if let date = CalendarDate(daysSinceEpoch: day), date.weekday < 6 { dates.append(.string("\(date)")) }
            day += 1
        }
        var values = Members()
        for (asset, column) in zip(assets, columns) {
            let figures = column.map { $0.map { isPriced ? 100 + 10 * min(max($0, -9), 9) : $0 } }
            values.add(asset, .array(figures.map { $0.map { JSONValue($0) } ?? .null }))
        }
        var panel = Members()
        panel.add("dates", .array(dates))
        panel.add("values", values.json)
        json = panel.json
    }

    /// Numbers whose tails are fatter than their seed's.
    private static func series(_ choices: inout Choices, _ count: Int, _ scale: Double) -> [Double?] {
        (0..<count).map { _ in
            let x = choices.drawn()
            return scale * x * (1 + x * x)
        }
    }
}
