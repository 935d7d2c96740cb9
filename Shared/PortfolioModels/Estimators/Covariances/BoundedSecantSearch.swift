/// A minimum of a function of one variable between two bounds, by the limited-memory BFGS method with bounds, which in one
/// dimension is a secant search with the line search of More and Thuente.
///
/// Which of several minima it finds depends on every rule below; they are those of L-BFGS-B 3.0 with forward differences of
/// 1e-8, as SciPy runs it by default.
///
/// Source: R. H. Byrd, P. Lu, J. Nocedal, C. Zhu (1995), A Limited Memory Algorithm for Bound Constrained Optimization, SIAM
/// Journal on Scientific Computing 16; J. J. More, D. J. Thuente (1994), Line Search Algorithms with Guaranteed Sufficient
/// Decrease, ACM Transactions on Mathematical Software 20.
enum BoundedSecantSearch {
    private static let differenceStep = 1e-8
    private static let gradientTolerance = 1e-5
    private static let decreaseTolerance = 2.220446049250313e-09
    private static let mostIterations = 15_000
    private static let mostTrials = 20

    /// The point reached, or nil where the line search breaks down.
    static func minimise(
        from start: Double, lower: Double, upper: Double, _ function: (Double) -> Double
    ) -> Double? {
        func gradient(_ x: Double, _ value: Double) -> Double {
            let step = x + differenceStep <= upper ? differenceStep : -differenceStep
            let moved = x + step
            return (function(moved) - value) / (moved - x)
        }
        func projected(_ x: Double, _ g: Double) -> Double {
            g < 0 ? abs(max(x - upper, g)) : abs(min(x - lower, g))
        }
        var x = min(max(start, lower), upper)
        var value = function(x)
        var slope = gradient(x, value)
        var curvature: Double?
        if projected(x, slope) <= gradientTolerance { return x }
        for iteration in 0..<mostIterations {
            let goal = min(max(x - slope / (curvature ?? 1), lower), upper)
            let direction = goal - x
            let origin = (x: x, value: value, slope: slope)
            let initial = slope * direction
            var search: MoreThuenteSearch?
            if initial < 0 {
                var most = 1.0
                if iteration > 0 {
                    most = 1e10
                    let room = (direction < 0 ? lower : upper) - x
                    if direction < 0 ? room >= 0 : room <= 0 {
                        most = 0
                    } else if abs(direction * most) > abs(room) {
                        most = room / direction
                    }
                }
                search = MoreThuenteSearch(step: 1, value: value, slope: initial, largestStep: most)
            }
            var isFound = false
            var trials = 0
            while var current = search, trials < mostTrials {
                x = current.step == 1 ? goal : current.step * direction + origin.x
                value = function(x)
                slope = gradient(x, value)
                isFound = current.accepts(value, slope * direction)
                search = current
                if isFound { break }
                trials += 1
            }
            guard isFound, let step = search?.step else {
                (x, value, slope) = origin
                // The first failure forgets the curvature and starts again; without any to forget it is final.
                if curvature == nil { return nil }
                curvature = nil
                continue
            }
            if projected(x, slope) <= gradientTolerance { return x }
            if origin.value - value <= decreaseTolerance * max(abs(origin.value), abs(value), 1) { return x }
            let change = (slope - origin.slope) * direction * step
            if change > Double.ulpOfOne * -initial * step {
                curvature = (slope - origin.slope) / (step * direction)
            }
        }
        return nil
    }
}

/// The line search of More and Thuente: sufficient decrease 1e-3, curvature 0.9, interval 0.1.
struct MoreThuenteSearch {
    private(set) var step: Double
    private let largestStep: Double
    private let initial: (value: Double, slope: Double)
    private let test: Double
    private var isBracketed = false
    private var isSecondStage = false
    private var best: (step: Double, value: Double, slope: Double)
    private var other: (step: Double, value: Double, slope: Double)
    private var range: (low: Double, high: Double)
    private var width: Double
    private var formerWidth: Double

    /// Nil where the step is not allowed or does not descend.
    init?(step: Double, value: Double, slope: Double, largestStep: Double) {
        guard step <= largestStep, slope < 0 else { return nil }
        self.step = step
        self.largestStep = largestStep
        initial = (value, slope)
        test = 1e-3 * slope
        best = (0, value, slope)
        other = (0, value, slope)
        range = (0, 5 * step)
        width = largestStep
        formerWidth = 2 * largestStep
    }

    /// Takes in the function at `step`; true where the search ends there, else `step` is the next trial.
    mutating func accepts(_ value: Double, _ slope: Double) -> Bool {
        let sufficient = initial.value + step * test
        if !isSecondStage, value <= sufficient, slope >= 0 { isSecondStage = true }
        let isExhausted =
            isBracketed && (step <= range.low || step >= range.high || range.high - range.low <= 0.1 * range.high)
        let isAtEnd = step == largestStep && value <= sufficient && slope <= test
        if isExhausted || isAtEnd || (value <= sufficient && abs(slope) <= 0.9 * -initial.slope) { return true }
        if !isSecondStage, value <= best.value, value > sufficient {
            // The modified function of the first stage.
            var shifted = self
            shifted.best = (best.step, best.value - best.step * test, best.slope - test)
            shifted.other = (other.step, other.value - other.step * test, other.slope - test)
            shifted.advance(value - step * test, slope - test)
            self = shifted
            best = (best.step, best.value + best.step * test, best.slope + test)
            other = (other.step, other.value + other.step * test, other.slope + test)
        } else {
            advance(value, slope)
        }
        if isBracketed {
            if abs(other.step - best.step) >= 0.66 * formerWidth { step = best.step + 0.5 * (other.step - best.step) }
            formerWidth = width
            width = abs(other.step - best.step)
            range = (min(best.step, other.step), max(best.step, other.step))
        } else {
            range = (step + 1.1 * (step - best.step), step + 4 * (step - best.step))
        }
        step = min(max(step, 0), largestStep)
        if isBracketed, step <= range.low || step >= range.high || range.high - range.low <= 0.1 * range.high {
            step = best.step
        }
        return false
    }

    /// Cubic and quadratic interpolation: the next step, and the interval that holds a minimum.
    private mutating func advance(_ value: Double, _ slope: Double) {
        let trial = (step: step, value: value, slope: slope)
        let next: Double
        if value > best.value {
            let (theta, gamma) = cubic(best, trial, trial.step < best.step)
            let ratio = ((gamma - best.slope) + theta) / (((gamma - best.slope) + gamma) + slope)
            let byCubic = best.step + ratio * (step - best.step)
            let secant = best.slope / ((best.value - value) / (step - best.step) + best.slope)
            let byQuadratic = best.step + secant / 2 * (step - best.step)
            next =
                abs(byCubic - best.step) <= abs(byQuadratic - best.step)
                ? byCubic : byCubic + (byQuadratic - byCubic) / 2
            isBracketed = true
        } else if slope.sign != best.slope.sign, slope != 0, best.slope != 0 {
            let (theta, gamma) = cubic(best, trial, step > best.step)
            let ratio = ((gamma - slope) + theta) / (((gamma - slope) + gamma) + best.slope)
            let byCubic = step + ratio * (best.step - step)
            let byQuadratic = step + slope / (slope - best.slope) * (best.step - step)
            next = abs(byCubic - step) > abs(byQuadratic - step) ? byCubic : byQuadratic
            isBracketed = true
        } else if abs(slope) < abs(best.slope) {
            let (theta, gamma) = cubic(best, trial, step > best.step, isClamped: true)
            let ratio = ((gamma - slope) + theta) / ((gamma + (best.slope - slope)) + gamma)
            let byCubic =
                ratio < 0 && gamma != 0
                ? step + ratio * (best.step - step) : step > best.step ? range.high : range.low
            let byQuadratic = step + slope / (slope - best.slope) * (best.step - step)
            if isBracketed {
                let near = abs(byCubic - step) < abs(byQuadratic - step) ? byCubic : byQuadratic
                let limit = step + 0.66 * (other.step - step)
                next = step > best.step ? min(limit, near) : max(limit, near)
            } else {
                let far = abs(byCubic - step) > abs(byQuadratic - step) ? byCubic : byQuadratic
                next = min(max(far, range.low), range.high)
            }
        } else if isBracketed {
            let (theta, gamma) = cubic(other, trial, step > other.step)
            let ratio = ((gamma - slope) + theta) / (((gamma - slope) + gamma) + other.slope)
            next = step + ratio * (other.step - step)
        } else {
            next = step > best.step ? range.high : range.low
        }
        if value > best.value {
            other = trial
        } else {
            if slope.sign != best.slope.sign, slope != 0, best.slope != 0 { other = best }
            best = trial
        }
        step = next
    }

    private func cubic(
        _ a: (step: Double, value: Double, slope: Double), _ b: (step: Double, value: Double, slope: Double),
        _ isNegative: Bool, isClamped: Bool = false
    ) -> (theta: Double, gamma: Double) {
        let theta = 3 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope
        let size = max(abs(theta), abs(a.slope), abs(b.slope))
        let square = (theta / size) * (theta / size) - (a.slope / size) * (b.slope / size)
        let gamma = size * (isClamped ? max(square, 0) : square).squareRoot()
        return (theta, isNegative ? -gamma : gamma)
    }
}
