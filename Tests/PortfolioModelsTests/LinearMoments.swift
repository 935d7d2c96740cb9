import Foundation

/// Coefficients of L-moments on order statistics, from Hosking's definition: what the product's are compared with.
enum LinearMoments {
    /// The k-th L-moment's coefficients for T observations, the smallest first: (1/k) sum_j (-1)^j C(k-1, j)
    /// C(i-1, k-1-j) C(T-i, j) / C(T, k).
    ///
    /// Source: J. Hosking (1990), L-moments, Journal of the Royal Statistical Society B 52, equation 2.1.
    static func moment(_ k: Int, count: Int) -> [Double] {
        (1...count).map { i in
            var sum = 0.0
            for j in 0..<k {
                let sign = j % 2 == 0 ? 1.0 : -1
                sum += sign * choose(k - 1, j) * choose(i - 1, k - 1 - j) * choose(count - i, j)
            }
            return sum / (Double(k) * choose(count, k))
        }
    }

    /// The convex risk measure of L-moments 2 ... order with weights of constant relative risk aversion.
    ///
    /// phi_k is proportional to the derivatives of the utility, prod_(j<k) (gamma + j) / (k+1)!; an odd moment enters with its
    /// sign turned. The coefficients are raised to the largest so far: only rising ones make the measure convex.
    static func crra(count: Int, order: Int, gamma: Double) -> [Double] {
        let raw = (1..<order).map { k -> Double in
            var numerator = 1.0
            for j in 0..<k { numerator *= gamma + Double(j) }
            return numerator / (1...(k + 1)).reduce(1.0) { $0 * Double($1) }
        }
        let total = raw.reduce(0, +)
        var sum = [Double](repeating: 0, count: count)
        for (index, weight) in raw.enumerated() {
            let k = index + 2
            let sign = k % 2 == 0 ? 1.0 : -1
            for (i, c) in moment(k, count: count).enumerated() { sum[i] += sign * weight / total * c }
        }
        for i in sum.indices.dropFirst() { sum[i] = max(sum[i], sum[i - 1]) }
        return sum
    }

    private static func choose(_ n: Int, _ k: Int) -> Double {
        guard k >= 0, n >= k else { return 0 }
        return (0..<k).reduce(1.0) { $0 * Double(n - $1) / Double($1 + 1) }
    }
}
