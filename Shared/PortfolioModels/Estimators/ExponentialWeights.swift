/// Exponential weights of T observations, oldest first, adding up to one.
enum ExponentialWeights {
    /// - Parameters:
    ///   - isAdjusted: true for d^age, normalised; false for the recursion m = d m + (1 - d) x from the first observation.
    static func weights(count: Int, decay: Double, isAdjusted: Bool) -> [Double] {
        var weights = [Double](repeating: 0, count: count)
        var power = 1.0
        for index in stride(from: count - 1, through: 0, by: -1) {
            weights[index] = index == 0 || isAdjusted ? power : (1 - decay) * power
            power *= decay
        }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }
}
