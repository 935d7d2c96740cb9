import RealModule

/// The Marchenko-Pastur law that fits the eigenvalues of a correlation matrix, and with it the largest eigenvalue of noise.
///
/// ```
/// density(l) = q sqrt((l_max - l)(l - l_min)) / (2 pi v l),   l_max,min = v (1 +- sqrt(1/q))^2,   q = T / N
/// ```
/// The variance v in [1e-5, 1 - 1e-5] minimises the sum of squared differences to a Gaussian kernel density of the
/// eigenvalues on 1,000 points of the law's own support. That function of v has several minima; the fit takes the one which the
/// reference reaches from 0.5, so that the same eigenvalues count as noise.
///
/// Source: M. Lopez de Prado (2020), Machine Learning for Asset Managers, snippets 2.1 to 2.4; V. A. Marchenko, L. A. Pastur
/// (1967), Distribution of Eigenvalues for Some Sets of Random Matrices.
struct MarchenkoPasturFit {
    /// v.
    let variance: Double
    /// v (1 + sqrt(1/q))^2.
    let largestNoiseEigenvalue: Double

    /// Number of points of the support.
    static let points = 1000

    /// - Parameter ratio: q.
    init(eigenvalues: [Double], ratio: Double, bandwidth: Double) {
        let found = BoundedSecantSearch.minimise(from: 0.5, lower: 1e-5, upper: 1 - 1e-5) { variance in
            Self.error(variance, eigenvalues, ratio, bandwidth)
        }
        // Where the search breaks down the reference takes all variance for noise.
        let variance = found ?? 1
        self.variance = variance
        let edge = 1 + (1 / ratio).squareRoot()
        largestNoiseEigenvalue = variance * edge * edge
    }

    /// The sum of squared differences between the two densities.
    static func error(_ variance: Double, _ eigenvalues: [Double], _ ratio: Double, _ bandwidth: Double) -> Double {
        let root = (1 / ratio).squareRoot()
        let (low, high) = (variance * (1 - root) * (1 - root), variance * (1 + root) * (1 + root))
        let step = (high - low) / Double(points - 1)
        let scale = 1 / (bandwidth * (2 * Double.pi).squareRoot() * Double(eigenvalues.count))
        var sum = 0.0
        for index in 0..<points {
            let l = index == points - 1 ? high : low + Double(index) * step
            // With T = N the law has a pole at zero, where no difference to it is finite.
            guard l > 0 else { continue }
            let under = max((high - l) * (l - low), 0).squareRoot()
            let law = ratio / (2 * Double.pi * variance * l) * under
            var kernel = 0.0
            for eigenvalue in eigenvalues {
                let z = (l - eigenvalue) / bandwidth
                // exp(-z^2/2) is below the smallest double beyond 39.
                if abs(z) < 39 { kernel += Double.exp(-z * z / 2) }
            }
            let difference = scale * kernel - law
            sum += difference * difference
        }
        return sum
    }
}
