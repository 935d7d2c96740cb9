import COpenBLAS

/// The Laplacian `L = sum over edges of a_ij (e_i - e_j)(e_i - e_j)'` of a weighted graph whose edges join indices less than `width` apart.
///
/// Only the weights are kept, all of them nonnegative: the diagonal is their sum, so nothing cancels.
public struct BandedLaplacian: Sendable {
    /// Number of indices.
    public let order: Int
    /// Edges join indices less than this apart.
    public let width: Int
    /// a_(i, i + d) at d + i width.
    private var weights: [Double]
    /// Of `form`: the sums of the weights, and a block of rows with zeros filled in.
    private var diagonal: [Double]
    private var dense: [Double]

    public init(order: Int, width: Int) {
        precondition(width >= 1 && order >= 0)
        self.order = order
        self.width = width
        weights = [Double](repeating: 0, count: order * width)
        diagonal = [Double](repeating: 0, count: order)
        dense = [Double](repeating: 0, count: Self.blockRows * min(Self.blockRows + 2 * (width - 1), order))
    }

    /// Takes all edges away.
    public mutating func reset() {
        for i in weights.indices { weights[i] = 0 }
    }

    /// Adds `diag(m) - m m' / sum(m)` on the indices from `start`: the complete graph with weights `m_i m_j / sum(m)`, which is what is
    /// left of a weighted square sum when its weighted mean is taken away.
    /// - Parameter masses: nonnegative, one an index, no more than `width`.
    public mutating func addCentred(_ masses: ArraySlice<Double>, from start: Int) {
        precondition(masses.count <= width && start >= 0 && start + masses.count <= order)
        let sum = masses.reduce(0, +)
        guard sum > 0 else { return }
        let width = width
        masses.withUnsafeBufferPointer { mass in
            weights.withUnsafeMutableBufferPointer { band in
                for i in mass.indices where mass[i] > 0 {
                    let share = mass[i] / sum
                    let row = (start + i) * width
                    for d in 1..<max(mass.count - i, 1) { band[row + d] += share * mass[i + d] }
                }
            }
        }
    }

    /// Rows of the Laplacian that are multiplied at a time.
    private static let blockRows = 64

    /// `result = x' L x + beta result`; both triangles are written.
    /// - Parameters:
    ///   - x: order x N.
    ///   - product: room for order x N.
    public mutating func form(_ x: Matrix, into result: inout Matrix, product: inout Matrix, beta: Double = 0) {
        precondition(x.rows == order && product.rows == order && product.columns == x.columns)
        guard order > 0, x.columns > 0 else { return }
        OpenBLASKernel.prepare()
        for i in 0..<order { diagonal[i] = 0 }
        for i in 0..<order {
            for d in 1..<max(min(width, order - i), 1) {
                let weight = weights[d + i * width]
                diagonal[i] += weight
                diagonal[i + d] += weight
            }
        }
        var first = 0
        while first < order {
            let count = min(Self.blockRows, order - first)
            let low = max(first - width + 1, 0)
            let high = min(first + count + width - 1, order)
            for i in 0..<(count * (high - low)) { dense[i] = 0 }
            for i in first..<(first + count) {
                dense[(i - first) + (i - low) * count] = diagonal[i]
                for d in 1..<max(min(width, order - i), 1) {
                    dense[(i - first) + (i + d - low) * count] = -weights[d + i * width]
                }
                for d in 1..<max(min(width, i + 1), 1) {
                    dense[(i - first) + (i - d - low) * count] = -weights[d + (i - d) * width]
                }
            }
            x.storage.withUnsafeBufferPointer { source in
                product.storage.withUnsafeMutableBufferPointer { target in
                    guard let from = source.baseAddress, let to = target.baseAddress else { return }
                    cblas_dgemm(
                        CblasColMajor, CblasNoTrans, CblasNoTrans, Int32(count), Int32(x.columns), Int32(high - low), 1,
                        dense, Int32(count), from + low, Int32(order), 0, to + first, Int32(order))
                }
            }
            first += count
        }
        result.gemm(x, product, transposeFirst: true, beta: beta)
    }
}
