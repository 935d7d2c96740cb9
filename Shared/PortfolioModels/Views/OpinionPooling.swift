import RealModule
import WireFormat

/// One distribution from several experts' ones.
///
/// ```
/// linear        p = sum_i w_i p_i
/// logarithmic   p ~ product of p_i^(w_i)
/// ```
/// What the weights leave of one belongs to the prior.
///
/// Source: M. Stone (1961), The Opinion Pool, Annals of Mathematical Statistics 32; C. Genest, J. Zidek (1986), Combining
/// Probability Distributions, Statistical Science 1.
enum OpinionPooling {
    /// - Parameters:
    ///   - opinions: probabilities of T periods and their weights, which add up to at most one.
    ///   - prior: T probabilities.
    static func pool(
        _ opinions: [(probabilities: [Double], weight: Double)], prior: [Double], _ pooling: ViewsRequest.Pooling
    ) -> [Double] {
        let rest = max(0, 1 - opinions.reduce(0) { $0 + $1.weight })
        let all = opinions + [(prior, rest)]
        switch pooling {
        case .linear:
            var pooled = [Double](repeating: 0, count: prior.count)
            for opinion in all where opinion.weight > 0 {
                for t in pooled.indices { pooled[t] += opinion.weight * opinion.probabilities[t] }
            }
            return normalised(pooled)
        case .logarithmic:
            var logarithms = [Double](repeating: 0, count: prior.count)
            for opinion in all where opinion.weight > 0 {
                for t in logarithms.indices { logarithms[t] += opinion.weight * Double.log(opinion.probabilities[t]) }
            }
            let largest = logarithms.max() ?? 0
            return normalised(logarithms.map { Double.exp($0 - largest) })
        }
    }

    private static func normalised(_ values: [Double]) -> [Double] {
        let total = values.reduce(0, +)
        return values.map { $0 / total }
    }
}
