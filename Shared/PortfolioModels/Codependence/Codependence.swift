public import LinearAlgebra
import RealModule
public import WireFormat

/// How alike N assets move, and how far apart that puts them: what hierarchical clustering starts from.
///
/// | measure | similarity | distance |
/// |---|---|---|
/// | pearson, spearman, kendall, gerber1, gerber2, custom_cov | rho | sqrt((1 - rho) / 2) |
/// | abs_pearson, abs_spearman, abs_kendall | abs(rho) | sqrt(1 - abs(rho)) |
/// | distance | distance correlation | sqrt(1 - dCor) |
/// | mutual_info | normalised mutual information | normalised variation of information |
/// | tail | lower tail dependence lambda | -ln lambda |
///
/// Source: M. Lopez de Prado (2016), Building Diversified Portfolios that Outperform Out of Sample, JPM 42(4); the table is
/// Riskfolio-Lib's.
public struct Codependence: Sendable, Equatable {
    /// N x N, symmetric.
    public let similarity: Matrix
    /// N x N, symmetric, not negative, zero on the diagonal.
    public let distance: Matrix
    /// What the similarity measures.
    public let measure: Measure

    /// The measures, by Riskfolio-Lib's names.
    public enum Measure: String, Sendable, CaseIterable {
        case pearson, spearman, kendall, gerber1, gerber2, distance, tail
        case absolutePearson = "abs_pearson"
        case absoluteSpearman = "abs_spearman"
        case absoluteKendall = "abs_kendall"
        case mutualInformation = "mutual_info"
        /// The correlation of a covariance matrix that the caller gives.
        case custom = "custom_cov"

        /// Whether the distance is sqrt((1 - rho) / 2).
        var isSigned: Bool {
            switch self {
            case .pearson, .spearman, .kendall, .gerber1, .gerber2, .custom: true
            default: false
            }
        }
    }

    /// Parameters of the measures; the defaults are Riskfolio-Lib's.
    public struct Options: Sendable, Equatable {
        public var measure: Measure
        /// Bins of mutual information.
        public var binning: HistogramBinning
        /// Share of the worst returns that `tail` looks at, in (0, 1).
        public var tailProbability: Double
        /// Returns below this many standard deviations are neutral to the Gerber statistics, in (0, 1).
        public var gerberThreshold: Double
        /// N x N covariance or correlation of `custom_cov`.
        public var covariance: Matrix?

        public init(
            measure: Measure = .pearson, binning: HistogramBinning = .knuth, tailProbability: Double = 0.05,
            gerberThreshold: Double = 0.5, covariance: Matrix? = nil
        ) {
            self.measure = measure
            self.binning = binning
            self.tailProbability = tailProbability
            self.gerberThreshold = gerberThreshold
            self.covariance = covariance
        }
    }

    /// Measures the codependence of a panel's assets.
    /// - Throws: `DAT-004` where an asset's returns are constant, so that no codependence is defined; `REQ-104` for a
    ///   parameter outside its range or a covariance matrix that is none.
    public init(_ panel: ReturnPanel, _ options: Options = Options()) throws(Problem) {
        measure = options.measure
        try Self.check(panel, options)
        let returns = panel.returns
        switch options.measure {
        case .pearson, .absolutePearson: similarity = PearsonCorrelation.matrix(returns)
        case .spearman, .absoluteSpearman: similarity = SpearmanCorrelation.matrix(returns)
        case .kendall, .absoluteKendall: similarity = KendallRankCorrelation.matrix(returns)
        case .gerber1: similarity = GerberCorrelation.matrix(returns, threshold: options.gerberThreshold, isFirst: true)
        case .gerber2:
            similarity = GerberCorrelation.matrix(returns, threshold: options.gerberThreshold, isFirst: false)
        case .distance: similarity = DistanceCorrelation.matrix(returns)
        case .mutualInformation:
            (similarity, distance) = MutualInformation.matrices(returns, options.binning)
            return
        case .tail: similarity = LowerTailDependence.matrix(returns, probability: options.tailProbability)
        case .custom: similarity = try Self.correlation(of: options.covariance, assets: panel.assets.count)
        }
        distance = Self.distance(of: similarity, options.measure)
    }

    /// The distances that belong to similarities; see the table.
    static func distance(of similarity: Matrix, _ measure: Measure) -> Matrix {
        let n = similarity.rows
        var distance = similarity
        for index in distance.storage.indices {
            let rho = similarity.storage[index]
            let value =
                switch measure {
                case .tail: -Double.log(rho)
                case .distance: (1 - rho).squareRoot()
                case .absolutePearson, .absoluteSpearman, .absoluteKendall: (1 - abs(rho)).squareRoot()
                default: ((1 - rho) / 2).squareRoot()
                }
            // Zero, not minus zero.
            distance.storage[index] = value == 0 ? 0 : value
        }
        for i in 0..<n { distance[i, i] = 0 }
        return distance
    }

    private static func check(_ panel: ReturnPanel, _ options: Options) throws(Problem) {
        let place = JSONPointer(["clustering"])
        if case .count(let bins) = options.binning, bins < 2 || bins > HistogramBinning.most {
            throw Problem(
                JSONPointer(["clustering", "bins"]), .outOfRange,
                "Mutual information takes from 2 to \(HistogramBinning.most) bins.")
        }
        guard options.tailProbability > 0, options.tailProbability < 1 else {
            throw Problem(place, .outOfRange, "The tail probability is between 0 and 1.")
        }
        guard options.gerberThreshold > 0, options.gerberThreshold < 1 else {
            throw Problem(place, .outOfRange, "The Gerber threshold is between 0 and 1 standard deviations.")
        }
        guard options.measure != .custom else { return }
        for (asset, name) in panel.assets.enumerated() {
            let column = panel.column(asset)
            if column.allSatisfy({ $0 == column[0] }) {
                throw Problem(
                    .invalidPrice,
                    "The returns of \(Problem.echo(name)) are constant (\(column[0])): no codependence with them is defined. Leave it out.",
                    errors: [
                        Violation(
                            JSONPointer(["assets", String(asset)]), .other("constant_returns"),
                            "The returns of \(Problem.echo(name)) are constant.", value: column[0])
                    ])
            }
        }
    }

    private static func correlation(of covariance: Matrix?, assets: Int) throws(Problem) -> Matrix {
        let place = JSONPointer(["clustering", "custom_cov"])
        guard let covariance else {
            throw Problem(place, .missing, "The codependence custom_cov needs a covariance matrix.")
        }
        guard covariance.rows == assets, covariance.columns == assets, covariance.isFinite else {
            throw Problem(place, .badFormat, "The covariance matrix is \(assets) x \(assets) and finite.")
        }
        let deviation = covariance.diagonal.map { $0.squareRoot() }
        guard covariance.diagonal.allSatisfy({ $0 > 0 }), deviation.allSatisfy({ $0 > 0 }) else {
            throw Problem(place, .outOfRange, "A covariance matrix has a positive diagonal.")
        }
        var correlation = covariance
        for j in 0..<assets {
            for i in 0..<assets {
                let (one, other) = (covariance[i, j], covariance[j, i])
                guard abs(one - other) <= 1e-10 * deviation[i] * deviation[j] else {
                    throw Problem(place, .contradiction, "The covariance matrix is not symmetric at (\(i), \(j)).")
                }
                let rho = covariance[max(i, j), min(i, j)] / deviation[i] / deviation[j]
                guard abs(rho) <= 1 + 1e-8 else {
                    throw Problem(place, .outOfRange, "The correlation at (\(i), \(j)) is \(rho), outside [-1, 1].")
                }
                correlation[i, j] = i == j ? 1 : min(max(rho, -1), 1)
            }
        }
        return correlation
    }
}
