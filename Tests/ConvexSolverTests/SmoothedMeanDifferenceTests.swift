import LinearAlgebra
import Testing

@testable import ConvexSolver

/// The rounded mean difference against the sum over all pairs, and its slope and curvature against differences.
@Suite("Smoothed mean difference")
struct SmoothedMeanDifferenceTests {
    private static let count = 60
    private static let factor = 0.01
    private let matrix: Matrix

    init() {
        var matrix = Matrix(rows: Self.count, columns: 3)
        for i in matrix.storage.indices { matrix.storage[i] = Double((i &* 7919 &+ 13) % 211) / 211 - 0.5 }
        // Two scenarios that tie whatever the weights.
        for j in 0..<3 { matrix[17, j] = matrix[41, j] }
        self.matrix = matrix
    }

    private func block() -> SmoothedMeanDifference {
        SmoothedMeanDifference(RowMap(matrix, columns: [0, 1, 2]), factor: Self.factor)
    }

    /// Huber's function over all pairs, at half a standard deviation.
    private func pairs(_ v: [Double]) -> Double {
        let a = matrix.multiplied(by: v)
        let mean = a.reduce(0, +) / Double(a.count)
        let width = 0.5 * (a.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(a.count)).squareRoot()
        var sum = 0.0
        for i in a.indices {
            for j in 0..<i {
                let d = abs(a[i] - a[j])
                sum += d <= width ? d * d / (2 * width) + width / 2 : d
            }
        }
        return Self.factor * sum
    }

    @Test("the value is that of all pairs, and steps bring it to that of the mean difference")
    func value() {
        let block = block()
        let v = [0.4, 0.7, -0.2]
        #expect(abs(block.evaluate(v, multiplier: 1) - pairs(v)) < 1e-13)
        for _ in 0..<12 { block.advance(primal: 1, dual: 1) }
        let a = matrix.multiplied(by: v)
        let exact = a.indices.reduce(0.0) { sum, i in (0..<i).reduce(sum) { $0 + Self.factor * abs(a[i] - a[$1]) } }
        #expect(block.ownResidual == 0)
        #expect(abs(block.evaluate(v, multiplier: 1) - exact) < 1e-4 * exact)
    }

    @Test("the slope is Euler's: homogeneous of degree one, the width being a share of the deviation")
    func slope() {
        let block = block()
        let v = [0.4, 0.7, -0.2]
        let value = block.evaluate(v, multiplier: 2)
        var gradient = [0.0, 0, 0]
        block.addGradient(to: &gradient, multiplier: 2)
        // With the width held: what it adds is the derivative of h by the width, over the near pairs.
        let a = matrix.multiplied(by: v)
        let mean = a.reduce(0, +) / Double(a.count)
        let width = 0.5 * (a.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(a.count)).squareRoot()
        var byWidth = 0.0
        for i in a.indices {
            for j in 0..<i where abs(a[i] - a[j]) <= width {
                let d = a[i] - a[j]
                byWidth += Self.factor * (0.5 - d * d / (2 * width * width))
            }
        }
        #expect(abs(Vector.dot(gradient, v) - 2 * (value - byWidth * width)) < 1e-12)
    }

    @Test("the curvature is the Laplacian of the graph of near pairs")
    func curvature() {
        let block = block()
        let v = [0.4, 0.7, -0.2]
        _ = block.evaluate(v, multiplier: 1.5)
        var core = CoreMatrix(order: 3)
        var workspace = Workspace()
        block.addCurvature(to: &core, &workspace, multiplier: 1.5)
        let a = matrix.multiplied(by: v)
        let mean = a.reduce(0, +) / Double(a.count)
        let width = 0.5 * (a.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(a.count)).squareRoot()
        for p in 0..<3 {
            for q in 0...p {
                var expected = 0.0
                for i in a.indices {
                    for j in 0..<i where abs(a[i] - a[j]) <= width {
                        expected += (matrix[i, p] - matrix[j, p]) * (matrix[i, q] - matrix[j, q])
                    }
                }
                expected *= 1.5 * Self.factor / width
                #expect(abs(core.matrix[p, q] - expected) < 1e-11, "\(p) \(q)")
            }
        }
    }
}
