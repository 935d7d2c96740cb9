import LinearAlgebra

/// The sums of a long panel from which its covariance follows, and which grow with it.
///
/// ```
/// d = r - r_1,   G = sum d d',   s = sum d,   Sigma = (G - s s'/T) / (T - 1)
/// ```
/// Periods are summed in blocks of 256 from the first one on, always in the same order, so that a panel that begins with another one's
/// periods takes over the other's whole blocks and gets the same bits as if it had begun afresh. Deviations are from the first period: a constant
/// column becomes exact zeros, and the mean's share is too small to lose digits to.
public struct RunningCovariance: Sendable {
    /// The panel whose whole blocks have been summed.
    private let panel: ReturnPanel
    private var gram: Matrix
    private var sums: [Double]
    /// Whether an earlier panel's sums were gone on with.
    let isContinued: Bool

    /// Periods of a block.
    static let block = 256
    /// Panels of fewer multiplications than this are not worth it.
    static let fewestProducts = 20_000_000

    /// Whether the sample covariance of a panel is made this way.
    static func applies(to panel: ReturnPanel) -> Bool {
        panel.observations >= 2 * block
            && panel.observations * panel.assets.count * panel.assets.count >= fewestProducts
    }

    /// Sums a panel's whole blocks.
    /// - Parameter before: sums of an earlier panel, taken over where this one begins with its periods.
    init(_ panel: ReturnPanel, after before: RunningCovariance? = nil) {
        self.panel = panel
        let n = panel.assets.count
        let from: Int
        if let before, before.isBeginning(of: panel) {
            (gram, sums, from) = (before.gram, before.sums, before.panel.observations / Self.block)
            isContinued = true
        } else {
            (gram, sums, from) = (Matrix(rows: n, columns: n), [Double](repeating: 0, count: n), 0)
            isContinued = false
        }
        for index in from..<(panel.observations / Self.block) {
            add(index * Self.block..<(index + 1) * Self.block)
        }
    }

    /// N x N, both triangles: the whole blocks, and the periods after them.
    var covariance: Matrix {
        var whole = self
        let count = panel.observations
        let rest = count / Self.block * Self.block..<count
        if !rest.isEmpty { whole.add(rest) }
        var result = whole.gram
        let n = sums.count
        let divisor = Double(max(count - 1, 1))
        for j in 0..<n {
            for i in 0..<n {
                result[i, j] = (whole.gram[i, j] - whole.sums[i] * whole.sums[j] / Double(count)) / divisor
            }
        }
        return result
    }

    /// About how much memory the sums take.
    public var bytes: Int { 8 * (gram.storage.count + sums.count + panel.returns.storage.count) }

    private mutating func add(_ periods: Range<Int>) {
        let count = panel.observations
        var deviations = Matrix(rows: periods.count, columns: sums.count)
        for asset in sums.indices {
            let first = panel.returns.storage[asset * count]
            var sum = 0.0
            for (row, t) in periods.enumerated() {
                let value = panel.returns.storage[asset * count + t] - first
                deviations.storage[asset * periods.count + row] = value
                sum += value
            }
            sums[asset] += sum
        }
        let part = deviations.gram()
        for index in gram.storage.indices { gram.storage[index] += part.storage[index] }
    }

    /// Whether the panel's first periods are all of this one's whole blocks, bit by bit.
    private func isBeginning(of other: ReturnPanel) -> Bool {
        let (own, theirs) = (panel.observations, other.observations)
        let rows = own / Self.block * Self.block
        guard rows > 0, rows <= theirs, panel.assets == other.assets else { return false }
        return panel.assets.indices.allSatisfy { asset in
            let mine = panel.returns.storage[asset * own..<asset * own + rows]
            return mine.elementsEqual(other.returns.storage[asset * theirs..<asset * theirs + rows])
        }
    }
}
