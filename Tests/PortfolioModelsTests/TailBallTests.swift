import ConvexSolver
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// The start of a divergence ball against the equations that it is near to.
@Suite("Start of a divergence ball")
struct TailBallTests {
    @Test(
        "the densities add up to about one, with about the divergence allowed",
        arguments: [Divergence.entropy, .deformed(kappa: 0.3), .deformed(kappa: 0.7)], [120, 500, 1500])
    func start(divergence: Divergence, count: Int) {
        var numbers = RepeatableNumbers(seed: UInt64(count))
        for scale in [1e-4, 1, 1e3] {
            let y = (0..<count).map { _ in scale * (numbers.normal() + 0.1 * numbers.next()) }
            let ball = TailBall(
                divergence, alpha: 0.05, probabilities: [Double](repeating: 1 / Double(count), count: count))
            let (price, quantile) = ball.start(y)
            var (mass, spent) = (0.0, 0.0)
            for t in y.indices {
                let found = divergence.conjugate((y[t] - quantile) / price)
                mass += ball.multiplicity[t] * found.value
                spent += ball.multiplicity[t] * found.divergence
                // phi(q) of the maximiser, and its derivative by a difference.
                #expect(abs(found.divergence - divergence.value(found.value)) <= 1e-12 * max(1, abs(found.divergence)))
            }
            #expect(abs(mass - 1) < 0.02)
            // Over few periods the price may be above the one that spends all.
            #expect(spent < ball.radius + 0.1 * max(1, abs(ball.radius)))
            if count >= 500 { #expect(abs(spent - ball.radius) < 0.1 * max(1, abs(ball.radius))) }
        }
    }

    @Test("a series without a spread, and one with nothing but ties of its worst, have a start too")
    func degenerate() {
        let even = [Double](repeating: 1 / 600, count: 600)
        let ball = TailBall(.entropy, alpha: 0.05, probabilities: even)
        #expect(ball.start([Double](repeating: 0.3, count: 600)).quantile == 0.3)
        // Half of all scenarios are worst: the least point is at a price of zero.
        let tied = ball.start((0..<600).map { $0 % 2 == 0 ? 1.0 : 0 })
        #expect(tied.price > 0 && tied.price.isFinite && tied.quantile.isFinite)
    }
}
