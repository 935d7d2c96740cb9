import LinearAlgebra

/// Scales a program so that its rows, columns and objective are of order one.
///
/// x = D x~, rows are multiplied by E, the objective by c. All factors are powers of two, so scaling rounds nothing and a
/// bound comes back exactly. Source: D. Ruiz, A scaling algorithm to equilibrate both rows and columns norms (2001).
struct Equilibration: Sendable {
    let columns: [Double]
    let equalityRows: [Double]
    let inequalityRows: [Double]
    let objective: Double

    init(_ program: QuadraticProgram) {
        let n = program.variables
        var columns = [Double](repeating: 1, count: n)
        var equalityRows = [Double](repeating: 1, count: program.A.rows)
        var inequalityRows = [Double](repeating: 1, count: program.G.rows)
        if program.A.rows + program.G.rows > 0 {
            for _ in 0..<4 {
                var largest = [Double](repeating: 0, count: n)
                Self.sweep(program.A, columns, &equalityRows, &largest)
                Self.sweep(program.G, columns, &inequalityRows, &largest)
                for j in 0..<n where largest[j] > 0 {
                    columns[j] *= Self.powerOfTwo(1 / (largest[j] * columns[j]).squareRoot())
                }
            }
        }
        let curvature =
            program.P.map { P in (0..<n).reduce(0.0) { max($0, P[$1, $1] * columns[$1] * columns[$1]) } } ?? 0
        let slope = (0..<n).reduce(0.0) { max($0, program.q[$1].magnitude * columns[$1]) }
        objective = Self.powerOfTwo(1 / max(curvature, slope))
        self.columns = columns
        self.equalityRows = equalityRows
        self.inequalityRows = inequalityRows
    }

    /// The scaled program in standard form.
    func scale(_ program: QuadraticProgram) -> StandardForm {
        let lowerIndex = (0..<program.variables).filter { program.lower[$0].isFinite }
        let upperIndex = (0..<program.variables).filter { program.upper[$0].isFinite }
        return StandardForm(
            P: program.P?.scaled(rows: columns.map { $0 * objective }, columns: columns),
            q: zip(program.q, columns).map { $0 * $1 * objective },
            A: program.A.scaled(rows: equalityRows, columns: columns),
            b: zip(program.b, equalityRows).map { $0 * $1 },
            G: program.G.scaled(rows: inequalityRows, columns: columns),
            d: zip(program.h, inequalityRows).map { $0 * $1 } + lowerIndex.map { -program.lower[$0] / columns[$0] }
                + upperIndex.map { program.upper[$0] / columns[$0] },
            lowerIndex: lowerIndex,
            upperIndex: upperIndex)
    }

    /// The natural sizes in the units of the scaled program.
    func scale(_ size: ProblemScale, _ form: StandardForm) -> ProblemScale {
        ProblemScale(form.P, form.q, reach: size.reach / (columns.max() ?? 1))
    }

    /// The point and row prices in the units of the program.
    func unscale(_ point: Iterate) -> PrimalDualPoint {
        PrimalDualPoint(
            x: zip(point.x, columns).map { $0 * $1 },
            y: zip(point.y, equalityRows).map { $0 * $1 / objective },
            z: zip(point.z, inequalityRows).map { $0 * $1 / objective })
    }

    /// One pass over a block of rows: normalises them and records each column's largest element.
    private static func sweep(
        _ matrix: Matrix, _ columns: [Double], _ rowScale: inout [Double], _ largest: inout [Double]
    ) {
        var rowLargest = [Double](repeating: 0, count: matrix.rows)
        for j in 0..<matrix.columns {
            for i in 0..<matrix.rows {
                rowLargest[i] = max(rowLargest[i], matrix.storage[i + j * matrix.rows].magnitude * columns[j])
            }
        }
        for i in 0..<matrix.rows where rowLargest[i] > 0 { rowScale[i] = powerOfTwo(1 / rowLargest[i]) }
        for j in 0..<matrix.columns {
            for i in 0..<matrix.rows {
                largest[j] = max(largest[j], matrix.storage[i + j * matrix.rows].magnitude * rowScale[i])
            }
        }
    }

    /// The power of two nearest to a positive number (in the logarithm), kept within the range of normal numbers.
    static func powerOfTwo(_ value: Double) -> Double {
        guard value > 0, value.isFinite else { return 1 }
        let exponent = min(max(value.exponent + (value.significand > 1.4142135623730951 ? 1 : 0), -400), 400)
        return Double(sign: .plus, exponent: exponent, significand: 1)
    }
}

/// A point and the prices of the rows; the prices of bounds follow from them.
struct PrimalDualPoint: Sendable {
    var x: [Double]
    var y: [Double]
    var z: [Double]
}
