import LinearAlgebra

/// How many clusters a tree has, where nobody says.
public enum ClusterCountMethod: String, Sendable, CaseIterable {
    /// The two-difference gap statistic.
    case twoDifference = "twodiff"
    /// The standardised silhouette score.
    case standardisedSilhouette = "stdsil"
}

/// The two-difference gap statistic.
///
/// ```
/// W_k = sum over clusters of the standard deviation (divisor: pairs) of the distances within;   W_1 = -infinity
/// k   = argmax_k  W_k + W_{k+2} - 2 W_{k+1},   up to k + 2 = min(most, sqrt(n)) + 2
/// ```
/// The first of equals. With fewer than four assets there is nothing to compare: one cluster.
///
/// Source: S. Yue, X. Wang, M. Wei (2008), Application of Two-Order Difference to Gap Statistic, Trans. Tianjin University 14; the
/// limits are Riskfolio-Lib's.
enum TwoDifferenceGap {
    /// The number of clusters of a tree.
    static func count(_ tree: Dendrogram, _ distance: Matrix, most: Int) -> Int {
        let n = tree.leaves
        let last = min(Int(min(Double(most), Double(n).squareRoot()) + 2), n)
        var spread: [Double] = [-.infinity]
        for k in 2..<max(last + 1, 2) {
            spread.append(Dendrogram.groups(tree.clusters(k)).reduce(0) { $0 + deviation(of: $1, distance) })
        }
        var (best, greatest) = (1, -Double.infinity)
        for k in 2..<max(spread.count - 1, 2) {
            let gap = spread[k + 1] + spread[k - 1] - 2 * spread[k]
            if gap > greatest { (best, greatest) = (k, gap) }
        }
        return best
    }

    /// The standard deviation of the distances between members; zero for one or two of them.
    private static func deviation(of members: [Int], _ distance: Matrix) -> Double {
        guard members.count > 2 else { return 0 }
        var sum = 0.0
        let pairs = Double(members.count * (members.count - 1) / 2)
        let n = distance.rows
        for (position, i) in members.enumerated() {
            for j in members[(position + 1)...] { sum += distance.storage[i * n + j] }
        }
        let mean = sum / pairs
        var squares = 0.0
        for (position, i) in members.enumerated() {
            for j in members[(position + 1)...] {
                let difference = distance.storage[i * n + j] - mean
                squares += difference * difference
            }
        }
        return (squares / pairs).squareRoot()
    }
}

/// The standardised silhouette: mean over standard deviation of the silhouettes of all assets.
///
/// ```
/// s_i = (b_i - a_i) / max(a_i, b_i),  a_i mean distance within the own cluster, b_i least mean distance to another
/// k   = argmax mean(s) / std(s),  k from 2 to min(most, sqrt(n))
/// ```
/// Assets are points whose coordinates are their distances to all assets, as in the source and in Riskfolio-Lib.
///
/// Source: M. Lopez de Prado (2020), Machine Learning for Asset Managers, section 4.4.
enum StandardisedSilhouette {
    /// The number of clusters of a tree.
    static func count(_ tree: Dendrogram, _ distance: Matrix, most: Int) -> Int {
        let n = tree.leaves
        let last = Int(min(Double(most), Double(n).squareRoot()))
        guard last >= 2 else { return 1 }
        let apart = distances(between: distance)
        var (best, greatest) = (1, -Double.infinity)
        for k in 2...last {
            let scores = silhouettes(tree.clusters(k), apart)
            let mean = SeriesMath.mean(scores)
            let deviation = SeriesMath.rootMeanSquare(SeriesMath.centred(scores), divisor: Double(n))
            guard deviation > 0 else { continue }
            if mean / deviation > greatest { (best, greatest) = (k, mean / deviation) }
        }
        return best
    }

    /// Euclidean distances between the columns.
    private static func distances(between points: Matrix) -> Matrix {
        let n = points.columns
        var result = Matrix(rows: n, columns: n)
        for j in 0..<n {
            for i in (j + 1)..<max(n, j + 1) {
                var sum = 0.0
                for t in 0..<n {
                    let difference = points.storage[i * n + t] - points.storage[j * n + t]
                    sum += difference * difference
                }
                result.storage[j * n + i] = sum.squareRoot()
                result.storage[i * n + j] = sum.squareRoot()
            }
        }
        return result
    }

    /// The silhouette of each point; zero for one that is alone in its cluster.
    static func silhouettes(_ labels: [Int], _ distance: Matrix) -> [Double] {
        let groups = Dendrogram.groups(labels)
        let n = labels.count
        return labels.enumerated().map { point, own in
            guard groups[own].count > 1 else { return 0 }
            var (within, nearest) = (0.0, Double.infinity)
            for (label, members) in groups.enumerated() {
                var sum = 0.0
                for other in members { sum += distance.storage[point * n + other] }
                if label == own {
                    within = sum / Double(members.count - 1)
                } else {
                    nearest = min(nearest, sum / Double(members.count))
                }
            }
            let scale = max(within, nearest)
            return scale > 0 && scale < .infinity ? (nearest - within) / scale : 0
        }
    }
}
