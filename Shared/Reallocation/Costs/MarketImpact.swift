/// The square-root law of market impact.
///
///     cost = Y sigma sqrt(Q / V) v
///
/// sigma daily volatility, Q shares, V daily volume, v value traded, Y about one: the average over the order, in currency. Source:
/// Toth et al. (2011), Anomalous price impact and the critical nature of liquidity; Sato and Kanazawa (2024) measured the
/// exponent as 0.489 +- 0.0015 over every liquid stock of Tokyo, so it is fixed at one half here.
public enum SquareRootImpact {
    /// The cost of an order; zero where there is nothing to trade or no volume is known.
    public static func cost(
        coefficient: Double, dailyVolatility: Double, shares: Double, volume: Double, value: Double
    ) -> Double {
        guard shares > 0, volume > 0 else { return 0 }
        return coefficient * dailyVolatility * (shares / volume).squareRoot() * value
    }

    /// Trading days a year, between an annual and a daily volatility.
    public static let daysPerYear = 252.0
}

/// An optimal schedule for liquidating a position in equal intervals.
///
///     tau = T/N,  eta' = eta - gamma tau/2,  (2/tau^2)(cosh(kappa tau) - 1) = lambda sigma^2/eta'
///     x_j = X sinh(kappa (T - j tau)) / sinh(kappa T)
///     E = gamma X^2/2 + epsilon sum |n| + (eta'/tau) sum n^2,  Var = sigma^2 tau sum x_j^2
///
/// Source: Almgren and Chriss (2001), Optimal execution of portfolio transactions, equations 8 to 20.
public struct AlmgrenChriss: Sendable, Equatable {
    /// Shares to trade, of either sign.
    public var shares: Double
    /// Days.
    public var horizon: Double
    public var intervals: Int
    /// Price units a square root of a day.
    public var sigma: Double
    /// Fixed cost a share.
    public var epsilon: Double
    /// Temporary impact, price a share a day.
    public var eta: Double
    /// Permanent impact, price a share.
    public var gamma: Double

    public init(
        shares: Double, horizon: Double, intervals: Int, sigma: Double, epsilon: Double, eta: Double, gamma: Double
    ) {
        self.shares = shares
        self.horizon = horizon
        self.intervals = intervals
        self.sigma = sigma
        self.epsilon = epsilon
        self.eta = eta
        self.gamma = gamma
    }

    /// One point of the frontier.
    public struct Schedule: Sendable, Equatable {
        public var riskAversion: Double
        public var kappa: Double
        /// Shares of each interval, adding up to all of them.
        public var slices: [Double]
        public var expectedCost: Double
        public var standardDeviation: Double

        /// Days in which the position falls by a factor e; nil for an even schedule.
        public var halfLife: Double? { kappa > 0 ? 1 / kappa : nil }

        /// Whole shares by largest remainder, ties to the earlier slice. The total has to be whole already.
        public var wholeShares: [Int] {
            let total = slices.reduce(0, +).rounded()
            guard total.magnitude < 9e15 else { return [] }
            let sign = total < 0 ? -1.0 : 1.0
            let sizes = slices.map { sign * $0 }
            var whole = sizes.map { Int($0.rounded(.down)) }
            let missing = Int(total.magnitude) - whole.reduce(0, +)
            // Remainders that rounding alone tells apart count as ties.
            let remainders = sizes.map { (($0 - $0.rounded(.down)) * 1e6).rounded() }
            let order = sizes.indices.sorted {
                remainders[$0] == remainders[$1] ? $0 < $1 : remainders[$0] > remainders[$1]
            }
            for index in order.prefix(max(0, missing)) { whole[index] += 1 }
            return whole.map { Int(sign) * $0 }
        }
    }

    /// The best schedule for a risk aversion (per unit of currency, zero or more); nil where the parameters make none: no interval,
    /// no time, or a permanent impact so large that eta' is not positive.
    public func schedule(riskAversion lambda: Double) -> Schedule? {
        guard intervals > 0, intervals <= 100_000, horizon > 0, lambda >= 0, sigma >= 0 else { return nil }
        let tau = horizon / Double(intervals)
        let adjusted = eta - gamma * tau / 2
        guard adjusted > 0 else { return nil }
        let kappa = inverseHyperbolicCosineOfOnePlus(lambda * sigma * sigma / adjusted * tau * tau / 2) / tau
        let held = (0...intervals).map { j in
            let left = horizon - Double(j) * tau
            guard kappa * horizon > 1e-9 else { return shares * left / horizon }
            // sinh a / sinh b without overflow.
            let (a, b) = (kappa * left, kappa * horizon)
            return shares * exponential(a - b) * (1 - exponential(-2 * a)) / (1 - exponential(-2 * b))
        }
        var slices = zip(held, held.dropFirst()).map { $0 - $1 }
        if let last = slices.indices.last { slices[last] = held[last] }
        let cost =
            gamma * shares * shares / 2 + epsilon * slices.reduce(0) { $0 + $1.magnitude }
            + adjusted / tau * slices.reduce(0) { $0 + $1 * $1 }
        let variance = sigma * sigma * tau * held.dropFirst().dropLast().reduce(0) { $0 + $1 * $1 }
        return Schedule(
            riskAversion: lambda, kappa: kappa, slices: slices, expectedCost: cost,
            standardDeviation: variance.squareRoot())
    }

    /// Schedules for several risk aversions, cheapest first: cost rises and risk falls along it.
    public func frontier(riskAversions: [Double]) -> [Schedule] {
        riskAversions.sorted().compactMap { schedule(riskAversion: $0) }
    }
}
