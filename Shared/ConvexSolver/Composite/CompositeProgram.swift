public import LinearAlgebra

/// A convex program in few core variables and functions of many scenarios.
///
///     minimise    cost'v + sum_objective weight_k F_k(v)
///     subject to  A v = b,  lower <= v <= upper,  F_j(v) <= level_j
///
/// Each F is linear terms plus parts; a part is a function of rows of v (`ArgumentMap`), of the drawdowns of such rows, or a
/// quadratic form. Variables that the definition of a part needs (a quantile, the price of a divergence ball, a root's scale) are
/// core variables too. Units are the caller's: the solver expects risks and weights of order one.
public struct CompositeProgram: Sendable {
    /// What is done to the arguments of a part.
    public enum Shape: Sendable {
        /// `a <= 0`
        case hard
        /// `sum_t cost_t a_t`
        case sum(cost: [Double])
        /// `sum_t cost_t max(a_t, reflection a_t)`: hinge with reflection 0, magnitude with -1.
        case linear(cost: [Double], reflection: Double)
        /// `sum_t cost_t max(a_t, reflection a_t)^2 / (2 v_scale)`
        case square(cost: [Double], reflection: Double, scale: Int)
        /// `sum_t cost_t |a_t|^(3/2) / sqrt(v_scale)`
        case threeHalves(cost: [Double], scale: Int?)
        /// `sum_t cost_t a_t^2 / (2 v_scale)`
        case rootOfSquares(cost: [Double], scale: Int)
        /// `max q'a` over the ball of a divergence whose price is `v_scale`.
        case ball(Divergence, multiplicity: [Double], scale: Int)
        /// `(sum_t cost_t |a_t|^power)^(2/power) / v_scale`
        case powerMean(cost: [Double], power: Double, isOneSided: Bool, scale: Int?)
        /// `-sum_t cost_t v_scale log(1 + unit a_t / v_scale)`
        case logarithm(cost: [Double], unit: Double, scale: Int?)
        /// `sum_t cost_t (second u^2 - third u^3 + fourth u^4) v_scale`, `u = a / v_scale`.
        case quartic(cost: [Double], second: Double, third: Double, fourth: Double, scale: Int?)
    }

    /// A part of a term.
    public enum Part: Sendable {
        case scenarios(Shape, ArgumentMap)
        /// The shape of `drawdown + sum coefficient v`; the map gives the returns.
        case drawdowns(Shape, RowMap, shifts: [Entry])
        /// `sum_k weight_k (sum of the count_k largest arguments)`; the order is that of falling arguments as far as it is known.
        case ordered([OrderedLevel], order: [Int], RowMap)
        /// `factor sum_{i<j} |argument_i - argument_j|` with its corners rounded: near enough to find the neighbourhood of an optimum.
        case meanDifference(factor: Double, RowMap)
        /// `x'P x / v_scale` of `x = v - reference v_scale`.
        case quadratic(Matrix, CoordinateMap, scale: Int?)
        /// `-sum_i weight_i log v_columns_i`, weights above zero.
        case logarithms(weights: [Double], columns: [Int])
        /// `v_level <= sqrt(u_i z_i) / roots_i` with `u = v_columns`, `z = matrix u`.
        case geometricMeans(level: Int, roots: [Double], columns: [Int], matrix: Matrix)
        /// `sqrt(vec(xx')' V vec(xx')) / v_scale` of `x = v_columns`.
        case ellipsoidVariance(EntryUncertainty, columns: [Int], scale: Int?)
    }

    /// `coefficient v_index`
    public struct Entry: Sendable, Equatable {
        public var index: Int
        public var coefficient: Double

        public init(_ index: Int, _ coefficient: Double) {
            self.index = index
            self.coefficient = coefficient
        }
    }

    /// A function of the program and its place.
    public struct Term: Sendable {
        public enum Place: Sendable, Equatable {
            /// In the objective, with this weight.
            case objective(Double)
            /// At most this level.
            case atMost(Double)
        }

        public var place: Place
        public var linear: [Entry]
        public var parts: [Part]
        /// Of a ceiling, the price with which the solve starts, where it is known about.
        public var startPrice: Double?

        public init(_ place: Place, linear: [Entry] = [], parts: [Part]) {
            self.place = place
            self.linear = linear
            self.parts = parts
        }
    }

    public var cost: [Double]
    public var equalities: Matrix
    public var equalityLevels: [Double]
    public var lower: [Double]
    public var upper: [Double]
    /// A point strictly inside the bounds, near which the solve starts.
    public var start: [Double]
    /// About how much each variable can change: what a slope left along it is counted by.
    public var sizes: [Double]
    public var terms: [Term]
    /// The equality row that fixes the scale of a program that is homogeneous in all else: a ratio's. Rounding moves such a
    /// program along its rays, which changes nothing, so the point is put back to scale at every iteration.
    public var normalisingRow: Int?

    /// A program without rows or terms.
    public init(cost: [Double], lower: [Double], upper: [Double], start: [Double]) {
        self.cost = cost
        self.lower = lower
        self.upper = upper
        self.start = start
        sizes = start.map { _ in 1 }
        equalities = Matrix(rows: 0, columns: cost.count)
        equalityLevels = []
        terms = []
    }

    public var variables: Int { cost.count }

    /// Adds a core variable; returns its index.
    public mutating func addVariable(
        cost price: Double = 0, lower least: Double = -.infinity, upper most: Double = .infinity, start value: Double
    ) -> Int {
        cost.append(price)
        lower.append(least)
        upper.append(most)
        start.append(value)
        sizes.append(1)
        var wider = Matrix(rows: equalities.rows, columns: cost.count)
        for i in equalities.storage.indices { wider.storage[i] = equalities.storage[i] }
        equalities = wider
        return cost.count - 1
    }

    /// Adds `row v = level`.
    public mutating func addEquality(_ row: [Entry], level: Double) {
        var dense = [Double](repeating: 0, count: variables)
        for entry in row { dense[entry.index] += entry.coefficient }
        equalities = equalities.appending(row: dense)
        equalityLevels.append(level)
    }
}

/// How a solve of a composite program ended, and with what.
public struct CompositeSolution: Sendable {
    public var status: SolverStatus
    public var v: [Double]
    public var equalityDuals: [Double]
    public var lowerDuals: [Double]
    public var upperDuals: [Double]
    /// By term: the weight of an objective term, the price of a ceiling.
    public var multipliers: [Double]
    /// By term and part: d(multiplier f)/d argument (of drawdown parts: d/d return).
    public var dualSeries: [[[Double]]]
    /// By term, without linear terms: the value of its parts.
    public var values: [Double]
    public var iterations: Int
    public var relativeGap: Double
    public var primalResidual: Double
    public var dualResidual: Double
}
