/// What trading at a venue really costs, as multiples of the half spread and of the impact that a plan's settings name; learned from orders.
///
/// An order's realised cost (price against decision, in currency) over what the settings alone predicted is t, and z the shares of spread and
/// impact in that prediction. The factors are the ridge estimate
///
///     minimise   sum_i g^(n-i) w_i (t_i - theta'z_i)^2 + (s / tau)^2 |theta - 1|^2
///
/// g forgets, w is Huber's weight, so that one order in a storm pulls no further than an ordinary one, and s is the spread of the
/// residuals: the noisier the orders are (prices move between decision and trade), the more of them it takes to leave one. Factors
/// stay within `range`, and nothing is used before `leastOrders`. Source: Huber (1964), Robust estimation of a location parameter;
/// Hoerl and Kennard (1970), Ridge regression.
public struct CostCalibration: Sendable, Equatable {
    /// Of one order.
    public struct Observation: Sendable, Equatable {
        /// Half spread and impact that the settings alone predict for what was filled, in currency.
        public var spread: Double
        public var impact: Double
        /// Paid beyond the prices of the decision, commissions and fees left out, in currency.
        public var realised: Double

        public init(spread: Double, impact: Double, realised: Double) {
            self.spread = spread
            self.impact = impact
            self.realised = realised
        }
    }

    /// What a plan multiplies with.
    public struct Factors: Sendable, Equatable {
        public var spread = 1.0
        public var impact = 1.0
        public init() {}
    }

    /// Least and greatest factor.
    public static let range = 0.2...5.0
    /// Orders before which the settings hold alone.
    public static let leastOrders = 5
    /// An order counts half as much after so many others.
    static let halfLife = 400.0
    /// How far a factor is from one before any order is known: a standard deviation.
    static let spreadOfFactors = 0.5
    /// Residuals beyond so many mean absolute residuals count as that many.
    static let clip = 3.0

    /// Sums over orders, the newest with weight one: of z z' and of t z.
    public var spreadSquare = 0.0
    public var product = 0.0
    public var impactSquare = 0.0
    public var spreadMoment = 0.0
    public var impactMoment = 0.0
    /// Mean absolute residual.
    public var scale = 0.5
    public var orders = 0

    public init() {}

    /// Learns from one order; one of which the settings predict no cost teaches nothing.
    public mutating func learn(_ order: Observation) {
        let predicted = order.spread + order.impact
        guard order.spread >= 0, order.impact >= 0, predicted > 0, predicted.isFinite, order.realised.isFinite else {
            return
        }
        let (zs, zi) = (order.spread / predicted, order.impact / predicted)
        let t = order.realised / predicted
        let now = raw
        let residual = (t - now.spread * zs - now.impact * zi).magnitude
        let bound = Self.clip * scale
        let weight = residual > bound ? bound / residual : 1
        let keep = exponential(-naturalLogarithm(2) / Self.halfLife)
        spreadSquare = keep * spreadSquare + weight * zs * zs
        product = keep * product + weight * zs * zi
        impactSquare = keep * impactSquare + weight * zi * zi
        spreadMoment = keep * spreadMoment + weight * zs * t
        impactMoment = keep * impactMoment + weight * zi * t
        // Faster in the beginning, and never so small that the next order is taken for a storm.
        let share = max(0.03, 1 / Double(orders + 4))
        scale = max(0.02, scale + share * (min(residual, bound) - scale))
        orders += 1
    }

    /// The estimate, whatever the number of orders.
    private var raw: Factors {
        // Of normal residuals the standard deviation is 1.2533 times the mean absolute one.
        let noise = 1.2533 * scale / Self.spreadOfFactors
        let ridge = noise * noise
        let (a, b, c) = (spreadSquare + ridge, product, impactSquare + ridge)
        let (p, q) = (spreadMoment + ridge, impactMoment + ridge)
        let determinant = a * c - b * b
        var factors = Factors()
        guard determinant > 0, determinant.isFinite else { return factors }
        func bounded(_ value: Double) -> Double { min(max(value, Self.range.lowerBound), Self.range.upperBound) }
        factors.spread = bounded((c * p - b * q) / determinant)
        factors.impact = bounded((a * q - b * p) / determinant)
        return factors
    }

    /// What a plan uses; ones before there are enough orders.
    public var factors: Factors { orders >= Self.leastOrders ? raw : Factors() }
}
