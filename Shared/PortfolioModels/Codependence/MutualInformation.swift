import LinearAlgebra
import RealModule

/// Mutual information of two binned series, and their variation of information.
///
/// ```
/// I(X, Y)  = sum_ab p_ab ln( p_ab / (p_a p_b) );   similarity = I / min(H(X), H(Y))
/// VI(X, Y) = H(X) + H(Y) - 2 I;                    distance   = VI / (H(X) + H(Y) - I)
/// ```
/// Bins are of equal width between a series' least and greatest return. Both are kept to 8 decimals, as in Riskfolio-Lib.
///
/// Source: M. Meila (2007), Comparing Clusterings, J. Multivariate Analysis 98; M. Lopez de Prado (2020), Machine Learning for
/// Asset Managers, section 3.
enum MutualInformation {
    /// The N x N normalised mutual information and the variation of information of the columns of a T x N matrix.
    static func matrices(_ columns: Matrix, _ binning: HistogramBinning) -> (similarity: Matrix, distance: Matrix) {
        let (count, n) = (columns.rows, columns.columns)
        let rho = binning == .hacineGharbiRavier ? PearsonCorrelation.matrix(columns) : Matrix.identity(n)
        let series = (0..<n).map { columns.column($0) }
        let own = series.map { binning.bins(of: $0) }
        var binned: [Binned.Key: Binned] = [:]
        var similarity = Matrix.identity(n)
        var distance = Matrix(rows: n, columns: n)
        for i in 0..<n {
            for j in (i + 1)..<max(n, i + 1) {
                let bins = binning.bins(own[i], own[j], correlation: rho[i, j], count: count)
                let x = Binned.make(i, series[i], bins, &binned)
                let y = Binned.make(j, series[j], bins, &binned)
                let information = information(x, y)
                let joint = x.entropy + y.entropy - information
                let least = min(x.entropy, y.entropy)
                similarity[i, j] = rounded(least > 0 ? information / least : 0)
                distance[i, j] = rounded(joint > 0 ? (x.entropy + y.entropy - 2 * information) / joint : 0)
                similarity[j, i] = similarity[i, j]
                distance[j, i] = distance[i, j]
            }
        }
        return (similarity, distance)
    }

    private static func rounded(_ value: Double) -> Double { max((value * 1e8).rounded(.toNearestOrEven) / 1e8, 0) }

    private static func information(_ x: Binned, _ y: Binned) -> Double {
        let bins = x.counts.count
        var joint = [Int32](repeating: 0, count: bins * bins)
        for t in x.bin.indices { joint[x.bin[t] * bins + y.bin[t]] += 1 }
        let total = Double(x.bin.count)
        let logTotal = Double.log(total)
        var sum = 0.0
        for a in 0..<bins where x.counts[a] > 0 {
            for b in 0..<bins {
                let n = Double(joint[a * bins + b])
                guard n > 0 else { continue }
                let outer = Double.log(Double(x.counts[a]) * Double(y.counts[b]))
                sum += n / total * (Double.log(n) - logTotal) + n / total * (2 * logTotal - outer)
            }
        }
        return max(sum, 0)
    }

    /// A series cut into bins of equal width.
    private struct Binned {
        struct Key: Hashable {
            var asset: Int
            var bins: Int
        }

        /// By period.
        let bin: [Int]
        let counts: [Int]
        let entropy: Double

        init(_ x: [Double], _ bins: Int) {
            let (least, greatest) = x.reduce((Double.infinity, -Double.infinity)) { (min($0.0, $1), max($0.1, $1)) }
            let step = (greatest - least) / Double(bins)
            var bin = [Int](repeating: 0, count: x.count)
            var counts = [Int](repeating: 0, count: bins)
            func edge(_ k: Int) -> Double { k == bins ? greatest : Double(k) * step + least }
            for (t, value) in x.enumerated() where greatest > least {
                var k = min(max(Int((value - least) / (greatest - least) * Double(bins)), 0), bins - 1)
                while k > 0, value < edge(k) { k -= 1 }
                while k < bins - 1, value >= edge(k + 1) { k += 1 }
                bin[t] = k
            }
            for k in bin { counts[k] += 1 }
            var entropy = 0.0
            for n in counts where n > 0 {
                let share = Double(n) / Double(x.count)
                entropy -= share * Double.log(share)
            }
            self.bin = bin
            self.counts = counts
            self.entropy = entropy
        }

        static func make(_ asset: Int, _ x: [Double], _ bins: Int, _ cache: inout [Key: Binned]) -> Binned {
            let key = Key(asset: asset, bins: bins)
            if let known = cache[key] { return known }
            let made = Binned(x, bins)
            cache[key] = made
            return made
        }
    }
}
