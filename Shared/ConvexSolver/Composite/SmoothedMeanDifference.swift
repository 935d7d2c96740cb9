import LinearAlgebra

/// `f = factor sum_{i<j} h(a_i - a_j)`: the mean difference with its corners rounded, h being Huber's function of a width that halves with
/// every step of the solver until it is a small part of the series' deviation.
///
/// ```
/// h(d) = d^2 / (2 eps) + eps / 2  for |d| <= eps,  |d| beyond
/// ```
/// T^2/2 corners lie so close together that Newton's method sees a smooth function; a solve finds the neighbourhood of the optimum to
/// seven digits in a dozen steps. In the order of the arguments all pairs within eps of one are neighbours: prefix sums make the
/// gradient in T steps, and the Hessian, the Laplacian of the graph of near pairs, in one product of T x N matrices.
///
/// Source: P. J. Huber (1964), Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 35.
final class SmoothedMeanDifference: Block {
    private let map: RowMap
    private let factor: Double
    /// eps in standard deviations of the arguments.
    private var width = 0.5
    private static let finest = 0.001
    private var epsilon = 1.0
    private var argument: [Double]
    /// df/da.
    private var slope: [Double]
    private var order: RankOrder
    /// By rank: the arguments less their mean, and the sums of all before and of their squares.
    private var ranked: [Double]
    private var sums: [Double]
    private var squares: [Double]
    /// By rank: the first and one past the last rank of the arguments within eps.
    private var low: [Int]
    private var high: [Int]
    private var multiplier = 1.0
    private var sorted = Matrix(rows: 0, columns: 0)
    private var differences = Matrix(rows: 0, columns: 0)
    private var product = Matrix(rows: 0, columns: 0)

    init(_ map: RowMap, factor: Double) {
        precondition(map.borders.isEmpty)
        self.map = map
        self.factor = factor
        argument = [Double](repeating: 0, count: map.rows)
        slope = argument
        order = RankOrder(count: map.rows)
        ranked = argument
        sums = [Double](repeating: 0, count: map.rows + 1)
        squares = sums
        low = [Int](repeating: 0, count: map.rows)
        high = low
    }

    var complementarity: (pairs: Int, sum: Double) { (0, 0) }
    var needsCommonStep: Bool { true }
    /// A wide function is not the one that is to be minimised.
    var ownResidual: Double { width > Self.finest ? 1 : 0 }

    func start(_ v: [Double], multiplier: Double, mu: Double) {}

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        self.multiplier = multiplier
        map.argument(v, into: &argument)
        // Nearly in order already, but for the first time.
        order.sort(by: argument)
        let places = order.places
        let count = argument.count
        let mean = argument.reduce(0, +) / Double(max(count, 1))
        for rank in 0..<count { ranked[rank] = argument[places[rank]] - mean }
        let deviation = (ranked.reduce(0) { $0 + $1 * $1 } / Double(max(count, 1))).squareRoot()
        epsilon = max(width * deviation, .leastNormalMagnitude)
        for rank in 0..<count {
            sums[rank + 1] = sums[rank] + ranked[rank]
            squares[rank + 1] = squares[rank] + ranked[rank] * ranked[rank]
        }
        var (from, to, value) = (0, 0, 0.0)
        for rank in 0..<count {
            let own = ranked[rank]
            while from < rank, ranked[from] < own - epsilon { from += 1 }
            while to < count, ranked[to] <= own + epsilon { to += 1 }
            (low[rank], high[rank]) = (from, to)
            let (near, sum) = (Double(to - from), sums[to] - sums[from])
            slope[places[rank]] = factor * (Double(from - (count - to)) + (near * own - sum) / epsilon)
            // Far pairs from their upper end; near ones from both, less the argument with itself.
            value += own * Double(from) - sums[from]
            value += 0.25 * (near * own * own - 2 * own * sum + squares[to] - squares[from]) / epsilon
            value += 0.25 * epsilon * (near - 1)
        }
        return factor * value
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) {
        map.addAdjoint(slope, times: multiplier, to: &gradient)
    }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        let (count, width) = (map.rows, map.columns.count)
        if product.rows != width {
            sorted = Matrix(rows: count, columns: width)
            differences = sorted
            product = Matrix(rows: width, columns: width)
        }
        Self.spread(
            map.matrix.storage, map.factor, order.places, low, high, &sums, &sorted.storage, &differences.storage)
        product.gemm(sorted, differences, transposeFirst: true, scale: multiplier * factor / epsilon)
        core.add(product, at: map.columns)
    }

    /// The rows in order, and by row the sum of its differences from those near it.
    private static func spread(
        _ panel: [Double], _ factor: Double, _ order: [Int], _ low: [Int], _ high: [Int], _ sums: inout [Double],
        _ sorted: inout [Double], _ differences: inout [Double]
    ) {
        let count = order.count
        let panel = panel.span
        let order = order.span
        let low = low.span
        let high = high.span
        var rows = sorted.mutableSpan
        var out = differences.mutableSpan
        var sum = sums.mutableSpan
        sum[0] = 0
        var column = 0
        while column < panel.count {
            for rank in 0..<count {
                let value = factor * panel[column + order[rank]]
                rows[column + rank] = value
                sum[rank + 1] = sum[rank] + value
            }
            for rank in 0..<count {
                let near = Double(high[rank] - low[rank])
                out[column + rank] = near * rows[column + rank] - (sum[high[rank]] - sum[low[rank]])
            }
            column += count
        }
    }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double {
        map.addAdjoint(slope, to: &column)
        return 0
    }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double { 0 }
    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {}
    func stepLimits() -> (primal: Double, dual: Double) { (.infinity, .infinity) }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double { 0 }

    func advance(primal: Double, dual: Double) { width = max(Self.finest, width / 2) }

    func rescale(_ factor: Double) {}
    func writeDualSeries(into series: inout [Double]) { write(slope, times: multiplier, into: &series) }
}
