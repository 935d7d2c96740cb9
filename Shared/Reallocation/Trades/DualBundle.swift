import ConvexSolver
import LinearAlgebra

/// The best bound over all multipliers and all linear functions below the tax, by a proximal bundle method.
///
/// The dual is concave; each solve of the relaxation gives its value and a slope. The method maximises the least of the planes seen
/// so far, held near the best point by a quadratic term; the tax enters by the corners of its pieces,
/// c <= T(corner) - a S - b L. The small master program is solved by the interior-point method.
/// Source: Bonnans, Gilbert, Lemarechal and Sagastizabal (2006), Numerical Optimization, chapter 10.
struct DualBundle {
    private struct Plane {
        var value: Double
        var slope: [Double]
        var at: [Double]
    }

    private var relaxation: Relaxation
    private let corners: [(short: Double, long: Double, price: Double)]
    private let rows: Int
    /// Typical sizes of the multipliers, the two rates last.
    private let scales: [Double]
    private let lowest: [Double]
    private let highest: [Double]
    private(set) var best: Relaxation.Bound
    /// The rates of the linear function below the tax that made it.
    private(set) var bestRates = (short: 0.0, long: 0.0)
    /// The whole choices that the solves came by: starts for a search.
    private(set) var choices: [[Double]] = []

    init(_ model: TradeModel, corners: [(short: Double, long: Double, price: Double)]) {
        relaxation = Relaxation(model, TaxCell(short: 0, long: 0, constant: 0, rows: []))
        self.corners = corners
        rows = relaxation.rows.count
        let each = 0.05 * model.idleObjective.magnitude / Double(max(model.count, 1))
        let tax = model.tax
        let most = max(tax.rateShort, tax.rateLong, tax.rateOrdinary)
        var scales = relaxation.rows.map { $0.count > 0 ? max(1e-3, each) : 0.01 }
        var (lowest, highest) = (scales.map { _ in 0.0 }, scales.map { $0 * 1e4 })
        scales += [max(most, 1e-3) / 2, max(most, 1e-3) / 2]
        switch tax.mode {
        case .nettedYear:
            lowest += [-most, -most]
            highest += [2 * most, 2 * most]
        case .lotRates, .none:
            let rates = tax.marginal(0, 0)
            lowest += [rates.short, rates.long]
            highest += [rates.short, rates.long]
        }
        self.scales = scales
        self.lowest = lowest
        self.highest = highest
        best = Relaxation.Bound(value: -.infinity, k: [], multipliers: [], choice: [], slack: [])
    }

    /// The greatest constant that keeps a linear function below the tax.
    private func constant(_ a: Double, _ b: Double) -> Double {
        corners.map { $0.price - a * $0.short - b * $0.long }.min() ?? 0
    }

    /// Maximises the bound for at most so many solves, or until it reaches `cutoff` or no plane promises more.
    mutating func maximise(
        low: [Double], high: [Double], from rates: (short: Double, long: Double), cutoff: Double, solves: Int
    ) {
        var state = Relaxation.Start(
            low: low, high: high, k: low.map { _ in 0 }, multipliers: [Double](repeating: 0, count: rows))
        var x = state.multipliers + [rates.short, rates.long]
        for i in x.indices { x[i] = min(max(x[i], lowest[i]), highest[i]) }
        var center = x
        var planes: [Plane] = []
        // The first planes show how the tax pulls: at the year's own rates, at none, and between.
        var openings =
            lowest[rows] < highest[rows]
            ? [x.prefix(rows) + [0, 0], x.prefix(rows) + [rates.short / 4, rates.long / 4]] : []
        var width = 1.0
        var predicted = Double.infinity
        for round in 0..<solves {
            state.multipliers = Array(x.prefix(rows))
            let constant = constant(x[rows], x[rows + 1])
            relaxation.cell = TaxCell(short: x[rows], long: x[rows + 1], constant: constant, rows: [])
            let probe = relaxation.probe(&state)
            planes.append(
                Plane(value: probe.bound.value - constant, slope: probe.excess + [probe.short, probe.long], at: x))
            if probe.bound.value > best.value + 0.05 * max(0, predicted) || best.value == -.infinity {
                width *= round > 0 ? 2 : 1
                center = x
            } else {
                width = max(width / 1.6, 1e-3)
            }
            if probe.bound.value > best.value {
                best = probe.bound
                bestRates = (x[rows], x[rows + 1])
            }
            choices.append(probe.bound.choice)
            choices.append(probe.bound.k.map { $0.rounded() })
            if !openings.isEmpty {
                x = Array(openings.removeFirst())
                continue
            }
            guard best.value < cutoff, let (next, promise) = master(planes, center, width) else { return }
            predicted = promise - best.value
            guard predicted > 5e-5 * max(1, best.value.magnitude) else { return }
            x = next
        }
    }

    /// Where the planes and the corners promise most, near the center, and how much.
    private func master(_ planes: [Plane], _ center: [Double], _ width: Double) -> (x: [Double], promise: Double)? {
        // Variables: the prices in their scales, the least plane, the constant of the tax.
        let n = scales.count
        let unit = max(1, best.value.magnitude)
        var P = Matrix(rows: n + 2, columns: n + 2)
        var q = [Double](repeating: 0, count: n + 2)
        let stiffness = 0.02 / width
        for i in 0..<n {
            P[i, i] = stiffness
            q[i] = -stiffness * center[i] / scales[i]
        }
        q[n] = -1
        q[n + 1] = -1
        let hasCorners = !corners.isEmpty
        var G = Matrix(rows: planes.count + corners.count, columns: n + 2)
        var h = [Double](repeating: 0, count: planes.count + corners.count)
        for (j, plane) in planes.enumerated() {
            var value = plane.value
            for i in 0..<n {
                G[j, i] = -plane.slope[i] * scales[i] / unit
                value -= plane.slope[i] * plane.at[i]
            }
            G[j, n] = 1
            h[j] = value / unit
        }
        for (offset, corner) in corners.enumerated() {
            let j = planes.count + offset
            G[j, n - 2] = corner.short * scales[n - 2] / unit
            G[j, n - 1] = corner.long * scales[n - 1] / unit
            G[j, n + 1] = 1
            h[j] = corner.price / unit
        }
        let low = zip(lowest, scales).map { $0 / $1 } + [-1e9, hasCorners ? -1e9 : 0]
        let high = zip(highest, scales).map { $0 / $1 } + [1e9, hasCorners ? 1e9 : 0]
        let program = QuadraticProgram(P: P, q: q, G: G, h: h, lower: low, upper: high)
        let settings = SolverSettings(
            gapTolerance: 1e-8, feasibilityTolerance: 1e-8, maximumIterations: 60, polishes: false)
        guard let solution = try? InteriorPointMethod.solve(program, settings: settings),
            solution.status == .optimal || solution.relativeGap < 1e-5
        else { return nil }
        let x = (0..<n).map { min(max(solution.x[$0] * scales[$0], lowest[$0]), highest[$0]) }
        return (x, (solution.x[n] + solution.x[n + 1]) * unit)
    }
}
