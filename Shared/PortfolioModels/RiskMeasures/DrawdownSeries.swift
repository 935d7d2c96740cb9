/// Drawdowns of a series: the fall of the accumulated value from its highest point so far; the start counts as a peak.
///
/// ```
/// uncompounded   DD_t = max_{0<=s<=t} c_s - c_t,     c_0 = 0, c_t = x_1 + ... + x_t
/// compounded     DD_t = 1 - v_t / max_{0<=s<=t} v_s, v_0 = 1, v_t = (1+x_1) ... (1+x_t)
/// ```
struct DrawdownSeries {
    /// T drawdowns, each at least zero.
    let depth: [Double]
    /// For each period the 0-based first period after the peak that its drawdown is measured from.
    private let start: [Int]
    private let x: [Double]
    private let isCompounded: Bool

    init(_ x: [Double], compounded: Bool) {
        self.x = x
        isCompounded = compounded
        var depth = [Double](repeating: 0, count: x.count)
        var start = [Int](repeating: 0, count: x.count)
        var level = compounded ? 1.0 : 0.0
        var peak = level
        var first = 0
        for t in x.indices {
            level = compounded ? level * (1 + x[t]) : level + x[t]
            if level >= peak {
                peak = level
                first = t + 1
            }
            depth[t] = compounded ? (peak > 0 ? 1 - level / peak : 0) : peak - level
            start[t] = first
        }
        self.depth = depth
        self.start = start
    }

    /// The period at whose end a drawdown's peak was; nil where that is the start of all.
    func peak(of t: Int) -> Int? { start[t] > 0 ? start[t] - 1 : nil }

    /// -DD: the series to which the tail measures are applied.
    var asReturns: [Double] { depth.map { -$0 } }

    /// The derivative with respect to the returns of a function with derivative `slope` with respect to the drawdowns.
    func throughReturns(_ slope: [Double]) -> [Double] {
        var steps = [Double](repeating: 0, count: x.count + 1)
        for t in x.indices where start[t] <= t {
            let change = isCompounded ? slope[t] * (1 - depth[t]) : slope[t]
            steps[start[t]] -= change
            steps[t + 1] += change
        }
        var running = 0.0
        return x.indices.map { t in
            running += steps[t]
            return isCompounded && x[t] > -1 ? running / (1 + x[t]) : running
        }
    }
}
