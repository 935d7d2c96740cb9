import LinearAlgebra

/// Assets that an optimal long-only portfolio probably holds: those of mean-variance portfolios, and as many that come next.
///
/// A support is that of the solution of `Sigma y >= b, y >= 0, y'(Sigma y - b) = 0`, with b of ones for the least variance and of
/// excess returns for the largest ratio, by block principal pivoting. A guess needs no proof: whoever uses it prices what it leaves out.
///
/// Source: J. Judice, F. Pires (1994), A block principal pivoting algorithm for large-scale strictly monotone linear
/// complementarity problems, Computers & Operations Research 21.
struct LikelySupport {
    /// Ascending.
    let assets: [Int]

    /// - Parameter targets: one b a portfolio.
    init(covariance: Matrix, targets: [[Double]]) {
        let n = covariance.rows
        var chosen = Set<Int>()
        var order: [(asset: Int, gradient: Double)] = []
        let deviation = covariance.diagonal.map { max($0, .leastNormalMagnitude).squareRoot() }
        for target in targets {
            let found = Self.complementary(covariance, target, deviation)
            chosen.formUnion(found.support)
            order += found.gradient.indices.map { ($0, found.gradient[$0]) }
        }
        // Those whose gradients are least: the next to enter.
        let most = min(n, chosen.count + max(8, chosen.count))
        for item in order.sorted(by: { $0.gradient < $1.gradient }) {
            if chosen.count >= most { break }
            chosen.insert(item.asset)
        }
        assets = chosen.sorted()
    }

    /// Weights in proportion to the last y, adding up to one; nil where it came to none.
    static func portfolio(covariance: Matrix, target: [Double]) -> [Double]? {
        let deviation = covariance.diagonal.map { max($0, .leastNormalMagnitude).squareRoot() }
        let y = complementary(covariance, target, deviation).y.map { max($0, 0) }
        let total = y.reduce(0, +)
        return total > 0 && total.isFinite ? y.map { $0 / total } : nil
    }

    /// The support, the relative gradients `(Sigma y - b) / (deviation x size)`, and y, which may be below zero where the search ended early.
    private static func complementary(
        _ sigma: Matrix, _ target: [Double], _ deviation: [Double]
    ) -> (support: [Int], gradient: [Double], y: [Double]) {
        let n = sigma.rows
        let promise = target.indices.map { target[$0] / deviation[$0] }
        var support = Array(target.indices.filter { target[$0] > 0 }.sorted { promise[$0] > promise[$1] }.prefix(40))
            .sorted()
        var gradient = target.map { -$0 }
        var weights = target.map { _ in 0.0 }
        for _ in 0..<20 where !support.isEmpty {
            let part = sigma.submatrix(rows: support, columns: support)
            guard let factor = try? Cholesky(factorising: part) else { break }
            let y = factor.solve(support.map { target[$0] })
            gradient = target.map { -$0 }
            for i in weights.indices { weights[i] = 0 }
            for (place, asset) in support.enumerated() {
                let value = y[place]
                weights[asset] = value
                for i in 0..<n { gradient[i] += value * sigma.storage[i + asset * n] }
            }
            let kept = support.indices.filter { y[$0] > 0 }.map { support[$0] }
            let scale = target.reduce(0) { max($0, abs($1)) }
            var isHeld = [Bool](repeating: false, count: n)
            for asset in support { isHeld[asset] = true }
            let rising = (0..<n).filter { !isHeld[$0] && gradient[$0] < -1e-10 * scale }
            let room = max(10, support.count / 2)
            let entering =
                rising.count <= room
                ? rising
                : Array(
                    rising.sorted { gradient[$0] / deviation[$0] < gradient[$1] / deviation[$1] }.prefix(room))
            if kept.count == support.count, entering.isEmpty { break }
            support = (kept + entering).sorted()
        }
        let scale = max(promise.reduce(0) { max($0, abs($1)) }, .leastNormalMagnitude)
        return (support, gradient.indices.map { gradient[$0] / deviation[$0] / scale }, weights)
    }
}
