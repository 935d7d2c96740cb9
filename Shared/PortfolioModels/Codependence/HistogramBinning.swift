import RealModule

/// How many bins a series is cut into before its entropy is taken.
///
/// The first three are rules for the width of a bin; the number of bins of a pair is the larger one of the two series'.
/// Numbers are those of Riskfolio-Lib, whose rules are astropy's.
public enum HistogramBinning: Sendable, Equatable {
    /// The number of bins that is most likely a posteriori. Source: K. H. Knuth (2006), arXiv physics/0605197.
    case knuth
    /// Width 2 IQR / T^(1/3). Source: D. Freedman, P. Diaconis (1981), Prob. Theory and Related Fields 57.
    case freedmanDiaconis
    /// Width 3.5 sigma / T^(1/3). Source: D. W. Scott (1979), Biometrika 66.
    case scott
    /// A number of bins from T and the correlation of the pair. Source: A. Hacine-Gharbi, P. Ravier (2018), A Binning
    /// Formula of Bi-histogram for Joint Entropy Estimation Using Mean Square Error Minimization, Pattern Recognition Lett. 101.
    case hacineGharbiRavier
    /// This many.
    case count(Int)

    /// A rule by Riskfolio-Lib's code: KN, FD, SC, HGR.
    public init?(code: String) {
        switch code {
        case "KN": self = .knuth
        case "FD": self = .freedmanDiaconis
        case "SC": self = .scott
        case "HGR": self = .hacineGharbiRavier
        default: return nil
        }
    }

    /// Most bins of a series: a rule that asks for more meets a series it was not made for.
    static let most = 1024

    /// The number of bins of one series, not rounded; zero where the rule is one of pairs.
    func bins(of x: [Double]) -> Double {
        let sorted = x.sorted()
        guard let least = sorted.first, let greatest = sorted.last, greatest > least else { return 1 }
        switch self {
        case .knuth: return Double(KnuthRule(sorted).bins())
        case .freedmanDiaconis:
            return Self.limited((greatest - least) / Self.freedmanDiaconisWidth(sorted))
        case .scott:
            let deviation = SeriesMath.rootMeanSquare(SeriesMath.centred(x), divisor: Double(x.count))
            return Self.limited((greatest - least) / (3.5 * deviation / Double.pow(Double(x.count), 1 / 3.0)))
        case .hacineGharbiRavier: return 0
        case .count(let bins): return Double(bins)
        }
    }

    /// The number of bins of a pair.
    func bins(_ first: Double, _ second: Double, correlation: Double, count: Int) -> Int {
        let bins: Double
        switch self {
        case .hacineGharbiRavier: bins = Self.hacineGharbiRavier(count, correlation)
        default: bins = max(first, second)
        }
        return max(Int(Self.limited(bins).rounded(.toNearestOrEven)), 1)
    }

    /// Width 2 (q75 - q25) / T^(1/3), quantiles by linear interpolation.
    static func freedmanDiaconisWidth(_ sorted: [Double]) -> Double {
        func quantile(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
        }
        return 2 * (quantile(0.75) - quantile(0.25)) / Double.pow(Double(sorted.count), 1 / 3.0)
    }

    private static func hacineGharbiRavier(_ count: Int, _ correlation: Double) -> Double {
        let T = Double(count)
        if correlation >= 1 {
            let z = Double.pow(8 + 324 * T + 12 * (36 * T + 729 * T * T).squareRoot(), 1 / 3.0)
            return (z / 6 + 2 / (3 * z) + 1 / 3.0).rounded(.toNearestOrEven)
        }
        let ratio = 24 * T / (1 - correlation * correlation)
        return (0.5.squareRoot() * (1 + (1 + ratio).squareRoot()).squareRoot()).rounded(.toNearestOrEven)
    }

    private static func limited(_ bins: Double) -> Double { bins < Double(most) ? bins : Double(most) }
}

/// The a-posteriori most likely number of bins of equal width.
///
/// ```
/// F(M) = T ln M + lnG(M/2) - M lnG(1/2) - lnG(T + M/2) + sum_k lnG(n_k + 1/2)
/// ```
/// F is jagged, so what "the maximum" means is the search's business: Nelder and Mead's method from the Freedman-Diaconis
/// number, as astropy and with it Riskfolio-Lib do, finds the same local one as they.
struct KnuthRule {
    private let sorted: [Double]
    private static let tolerance = 1e-4
    private static let mostSteps = 200

    /// - Parameter sorted: ascending, not constant.
    init(_ sorted: [Double]) { self.sorted = sorted }

    /// The number of bins.
    func bins() -> Int {
        let range = sorted[sorted.count - 1] - sorted[0]
        let width = HistogramBinning.freedmanDiaconisWidth(sorted)
        let start = width > 0 ? min((range / width).rounded(.up), Double(HistogramBinning.most)) : 1
        // astropy starts at the number of edges.
        let found = search(from: max(start, 1) + 1)
        return max(Int(found), 1)
    }

    /// Nelder and Mead's method in one variable: a simplex is two points.
    private func search(from start: Double) -> Double {
        var best = (at: start, value: misfit(start))
        var worst = (at: start * 1.05, value: misfit(start * 1.05))
        if worst.value < best.value { swap(&best, &worst) }
        var evaluations = 2
        for _ in 0..<Self.mostSteps where evaluations < Self.mostSteps {
            if abs(worst.at - best.at) <= Self.tolerance, abs(worst.value - best.value) <= Self.tolerance { break }
            func point(_ factor: Double) -> (at: Double, value: Double) {
                let at = (1 + factor) * best.at - factor * worst.at
                evaluations += 1
                return (at, misfit(at))
            }
            let reflected = point(1)
            if reflected.value < best.value {
                let expanded = point(2)
                worst = expanded.value < reflected.value ? expanded : reflected
            } else {
                let contracted: (at: Double, value: Double)
                let isBetter: Bool
                if reflected.value < worst.value {
                    contracted = point(0.5)
                    isBetter = contracted.value <= reflected.value
                } else {
                    contracted = point(-0.5)
                    isBetter = contracted.value < worst.value
                }
                // In one variable shrinking is the inner contraction.
                worst = isBetter ? contracted : point(-0.5)
            }
            if worst.value < best.value { swap(&best, &worst) }
        }
        return best.at
    }

    /// -F at the whole number below `count`.
    private func misfit(_ count: Double) -> Double {
        guard count >= 1, count <= Double(HistogramBinning.most) else { return .infinity }
        let bins = Int(count)
        let T = Double(sorted.count)
        let M = Double(bins)
        var sum = T * Double.log(M) + Double.logGamma(0.5 * M) - M * Double.logGamma(0.5) - Double.logGamma(T + 0.5 * M)
        for n in counts(bins) { sum += Double.logGamma(Double(n) + 0.5) }
        return -sum
    }

    private func counts(_ bins: Int) -> [Int] {
        let (least, greatest) = (sorted[0], sorted[sorted.count - 1])
        let step = (greatest - least) / Double(bins)
        var counts = [Int](repeating: 0, count: bins)
        var bin = 0
        for value in sorted {
            while bin < bins - 1, value >= Double(bin + 1) * step + least { bin += 1 }
            counts[bin] += 1
        }
        return counts
    }
}
