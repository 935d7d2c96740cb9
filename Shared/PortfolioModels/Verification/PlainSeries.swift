/// A portfolio's return series by plain loops.
struct PlainSeries {
    let mean: Double
    /// Divisor T - 1.
    let deviation: Double
    let x: [Double]
    /// x less its mean.
    let centred: [Double]
    /// The largest absolute return of any held asset or of the portfolio.
    let largest: Double

    init(_ panel: ReturnPanel, _ weights: [Double]) {
        let count = panel.observations
        var x = [Double](repeating: 0, count: count)
        var largest = 0.0
        for (asset, weight) in weights.enumerated() where weight != 0 {
            Self.add(weight, panel.column(asset), to: &x, &largest)
        }
        var sum = 0.0
        for value in x { sum += value }
        let rough = sum / Double(count)
        var correction = 0.0
        for value in x { correction += value - rough }
        let mean = rough + correction / Double(count)
        centred = x.map { $0 - mean }
        var squares = 0.0
        for value in centred { squares += value * value }
        self.mean = mean
        self.x = x
        deviation = (squares / Double(max(count - 1, 1))).squareRoot()
        self.largest = largest
    }

    private static func add(_ weight: Double, _ column: [Double], to x: inout [Double], _ largest: inout Double) {
        let returns = column.span
        var series = x.mutableSpan
        var most = largest
        for t in 0..<series.count {
            let value = returns[t]
            series[t] += weight * value
            most = max(most, abs(value))
        }
        largest = most
    }
}

/// Sample covariances one at a time, by plain loops.
struct PlainCovariance {
    private let centred: [[Double]]

    init(_ panel: ReturnPanel) {
        centred = panel.assets.indices.map { asset in
            let column = panel.column(asset)
            let mean = column.reduce(0, +) / Double(column.count)
            return column.map { $0 - mean }
        }
    }

    func value(_ i: Int, _ j: Int) -> Double {
        var sum = 0.0
        for t in centred[i].indices { sum += centred[i][t] * centred[j][t] }
        return sum / Double(max(centred[i].count - 1, 1))
    }
}
