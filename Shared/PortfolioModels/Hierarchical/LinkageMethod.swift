/// How far apart two clusters are: what a hierarchical clustering merges first.
///
/// Every method but DBHT is an update of distances after a merge of x and y into a cluster of the sizes n_x + n_y
/// (Lance-Williams), d_xy being the distance of the merge:
///
/// | method | distance of z to the merged cluster |
/// |---|---|
/// | single | min(d_zx, d_zy) |
/// | complete | max(d_zx, d_zy) |
/// | average | (n_x d_zx + n_y d_zy) / (n_x + n_y) |
/// | weighted | (d_zx + d_zy) / 2 |
/// | centroid | sqrt((n_x d_zx^2 + n_y d_zy^2 - n_x n_y d_xy^2 / (n_x + n_y)) / (n_x + n_y)) |
/// | median | sqrt((d_zx^2 + d_zy^2) / 2 - d_xy^2 / 4) |
/// | ward | sqrt(((n_z + n_x) d_zx^2 + (n_z + n_y) d_zy^2 - n_z d_xy^2) / (n_x + n_y + n_z)) |
///
/// Source: G. N. Lance, W. T. Williams (1967), A General Theory of Classificatory Sorting Strategies, Computer J. 9; D.
/// Muellner (2011), Modern Hierarchical, Agglomerative Clustering Algorithms, arXiv 1109.2378.
public enum LinkageMethod: String, Sendable, CaseIterable {
    case single, complete, average, weighted, centroid, median, ward
    /// Directed bubble hierarchical tree.
    case dbht = "DBHT"

    /// Sizes of the merged clusters and of the third, and the distance of the merge.
    struct Merging {
        var x: Double
        var y: Double
        var z: Double
        var distance: Double
    }

    /// The distance of a third cluster to the merged one. Terms in the order in which SciPy adds them, so that ties fall alike.
    @inline(__always)
    func updated(_ zx: Double, _ zy: Double, _ merging: Merging) -> Double {
        let (x, y, z, d) = (merging.x, merging.y, merging.z, merging.distance)
        switch self {
        case .single, .dbht: return min(zx, zy)
        case .complete: return max(zx, zy)
        case .average: return (x * zx + y * zy) / (x + y)
        case .weighted: return 0.5 * (zx + zy)
        case .centroid:
            return max((((x * zx * zx) + (y * zy * zy)) - (x * y * d * d) / (x + y)) / (x + y), 0).squareRoot()
        case .median: return max(0.5 * (zx * zx + zy * zy) - 0.25 * d * d, 0).squareRoot()
        case .ward:
            let t = 1 / (x + y + z)
            return max((z + x) * t * zx * zx + (z + y) * t * zy * zy - z * t * d * d, 0).squareRoot()
        }
    }
}
