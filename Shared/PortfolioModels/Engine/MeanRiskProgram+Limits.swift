import ConvexSolver
import LinearAlgebra
import WireFormat

/// Convex limits of the constraint set, hard and soft, as ceilings and rows of the program.
extension MeanRiskProgram {
    /// Adds the convex limits of the set.
    mutating func addLimits(_ parameters: RiskParameters) {
        for (index, limit) in constraintSet.convex {
            add(limit, index, parameters)
        }
    }

    /// Adds the soft constraints of the set: rows whose positive part the return pays for, and ceilings that a variable lifts.
    /// - Parameter cap: the most that a unit costs, in the program's units: where the solution pays less, more would change nothing.
    mutating func addSoft(_ parameters: RiskParameters, cap: Double) {
        for (place, soft) in constraintSet.soft.enumerated() {
            let index = constraintSet.constraints.count + place
            let constraint = soft.constraint
            switch constraint.kind {
            case .atMost(let a):
                addSoftRow(a, constraint.level, soft.weight, cap)
                continue
            case .atLeast(let a):
                addSoftRow(a.map { -$0 }, -constraint.level, soft.weight, cap)
                continue
            case .hinge(let hinge):
                add(ceiling: sum(of: hinge, level: constraint.level), Origin(constraint: index, factor: 1))
            case .convex(let limit): add(limit, index, parameters)
            case .equal, .bounds: continue  // never: `SoftConstraint.parts`
            }
            guard let ceiling = ceilings.popLast() else { continue }
            let penalty = soft.weight * ceiling.origin.factor / risk.model.unit
            let cost = min(penalty, cap)
            // From a point that keeps the ceiling, with a price below the penalty.
            let beyond = soft.excess(at: point) / ceiling.origin.factor * (ratioScale ?? 1)
            let excess = risk.program.addVariable(lower: 0, start: 1.05 * beyond + 0.02 / max(cost, 0.1))
            risk.program.terms[ceiling.term].linear.append(.init(excess, -1))
            risk.program.terms[ceiling.term].startPrice = 0.5 * min(cost, 1)
            self.soft.append((.ceiling(term: ceiling.term, excess: excess), cost / penalty))
            penalties.append(.init(excess, cost))
        }
    }

    private mutating func addSoftRow(_ a: [Double], _ level: Double, _ weight: Double, _ cap: Double) {
        let largest = a.reduce(0) { max($0, abs($1)) }
        let factor = largest > 0 ? largest : 1
        let penalty = weight * factor / risk.model.unit
        let cost = min(penalty, cap)
        soft.append((.row(softRows.count, cost: cost), cost / penalty))
        softRows.append((a.map { $0 / factor }, level / factor, cost))
    }

    var softRowPart: CompositeProgram.Part? {
        guard !softRows.isEmpty else { return nil }
        let matrix = Matrix(softRows.map { $0.coefficients })
        let levels = softRows.map { -$0.level }
        let map =
            scale.map { RowMap(matrix, columns: risk.weights, borders: [RowMap.Border(index: $0, values: levels)]) }
            ?? RowMap(matrix, columns: risk.weights, offset: levels)
        return .scenarios(.linear(cost: softRows.map { $0.cost }, reflection: 0), .rows(map))
    }

    private mutating func add(_ limit: ConvexLimit, _ index: Int, _ parameters: RiskParameters) {
        let unit = risk.model.unit
        let isSoft = index >= constraintSet.constraints.count
        switch limit.function {
        case .risk(let code): addRiskLimit(code, limit, index, parameters)
        case .distance(let reference) where isSoft:
            let series = risk.model.series(reference)
            addSeriesDistance(series, most: limit.most / unit, limit, index, unit)
        case .distance(let reference):
            addDistance(secondMoments, reference, most: limit.most / unit, limit, index, unit)
        case .distanceFromSeries(let series):
            addSeriesDistance(series.map { $0 / unit }, most: limit.most / unit, limit, index, unit)
        case .cone(let norm, let slope):
            let reach = risk.weights.map { CompositeProgram.Entry($0, -slope[$0]) }
            let rows = ArgumentMap.rows(RowMap(norm, columns: risk.weights))
            let ones = [Double](repeating: 1, count: norm.rows)
            let term: CompositeProgram.Term
            if norm.rows == 1 {
                term = .init(
                    .atMost(0), linear: reach, parts: [.scenarios(.linear(cost: ones, reflection: -1), rows)])
            } else {
                // |P w| = min over t of |P w|^2 / (2 t) + t / 2.
                let root = risk.program.addVariable(lower: 0, start: 1)
                term = .init(
                    .atMost(0), linear: reach + [.init(root, 0.5)],
                    parts: [.scenarios(.rootOfSquares(cost: ones, scale: root), rows)])
            }
            add(ceiling: term, Origin(constraint: index, factor: 1 / abs(limit.perLevel)))
        case .concentration:
            var linear: [CompositeProgram.Entry] = []
            if let scale { linear.append(.init(scale, -limit.most)) }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            add(
                ceiling: .init(
                    .atMost(scale == nil ? limit.most : 0), linear: linear,
                    parts: [.quadratic(.identity(n), map, scale: scale)]),
                Origin(constraint: index, factor: 1 / abs(limit.perLevel)))
        }
    }

    /// The second moments of the returns about zero, divisor T - 1, in units.
    private var secondMoments: Matrix {
        var moments = risk.model.returns.gram()
        let divisor = Double(max(risk.count - 1, 1))
        for i in moments.storage.indices { moments.storage[i] /= divisor }
        return moments
    }

    /// `x'P x / (2 most) <= most / 2` for x = w - reference: the root itself without its corner at zero.
    private mutating func addDistance(
        _ matrix: Matrix, _ reference: [Double], most: Double, _ limit: ConvexLimit, _ index: Int, _ unit: Double
    ) {
        let factor = 1 / (2 * max(most, 1e-12))
        var half = matrix
        for i in half.storage.indices { half.storage[i] *= factor }
        var linear: [CompositeProgram.Entry] = []
        if let scale { linear.append(.init(scale, -most / 2)) }
        let map = CoordinateMap(columns: risk.weights, reference: reference, scale: scale)
        add(
            ceiling: .init(
                .atMost(scale == nil ? most / 2 : 0), linear: linear,
                parts: [.quadratic(half, map, scale: scale)]),
            Origin(constraint: index, factor: unit / limit.perLevel))
    }

    private mutating func addSeriesDistance(
        _ series: [Double], most: Double, _ limit: ConvexLimit, _ index: Int, _ unit: Double
    ) {
        // sqrt(c sum (x - b)^2) = min over t of c sum (x - b)^2 / (2 t) + t / 2.
        let share = 1 / Double(max(series.count - 1, 1))
        let root = risk.program.addVariable(lower: 0, start: max(most, 1e-3))
        let map: RowMap
        if let scale {
            map = risk.model.rows(
                1, risk.weights, borders: [RowMap.Border(index: scale, values: series.map { -$0 })])
        } else {
            map = risk.model.rows(1, risk.weights, offset: series.map { -$0 })
        }
        var linear: [CompositeProgram.Entry] = [.init(root, 0.5)]
        if let scale { linear.append(.init(scale, -most)) }
        add(
            ceiling: .init(
                .atMost(scale == nil ? most : 0), linear: linear,
                parts: [
                    .scenarios(
                        .rootOfSquares(cost: series.map { _ in share }, scale: root), .rows(map))
                ]),
            Origin(constraint: index, factor: unit / limit.perLevel))
    }

    /// `sqrt(w'C w) <= most`, the root itself: what is beyond it counts.
    private mutating func addDeviation(most: Double, _ origin: Origin) {
        let root = risk.program.addVariable(lower: 0, start: max(risk.rootMeanSquare(risk.centredStart), 1e-3))
        var linear: [CompositeProgram.Entry] = [.init(root, 0.5)]
        if let scale { linear.append(.init(scale, -most)) }
        let part: CompositeProgram.Part
        if var factor = try? SymmetricEigen(covariance).root(ofSign: .plus) {
            for i in factor.storage.indices { factor.storage[i] /= risk.model.unit }
            let cost = [Double](repeating: 1, count: factor.rows)
            part = .scenarios(.rootOfSquares(cost: cost, scale: root), .rows(RowMap(factor, columns: risk.weights)))
        } else {
            // Without a decomposition the form itself, which needs a start within the limit.
            var half = covariance
            for i in half.storage.indices { half.storage[i] /= 2 * risk.model.unit * risk.model.unit }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            part = .quadratic(half, map, scale: root)
        }
        add(
            ceiling: .init(.atMost(scale == nil ? most : 0), linear: linear, parts: [part]),
            origin)
    }

    private mutating func addRiskLimit(
        _ code: RiskMeasureCode, _ limit: ConvexLimit, _ index: Int, _ parameters: RiskParameters
    ) {
        let unit = risk.model.unit
        if code == .mv {
            guard index < constraintSet.constraints.count else {
                addDeviation(
                    most: limit.most / unit, Origin(constraint: index, factor: unit / limit.perLevel))
                return
            }
            var matrix = covariance
            for i in matrix.storage.indices { matrix.storage[i] /= unit * unit }
            addDistance(matrix, risk.weights.map { _ in 0 }, most: limit.most / unit, limit, index, unit)
            return
        }
        guard let plain = RiskMeasures.measure(code, parameters) as? any ConvexRiskMeasure else { return }
        let measure = risk.model.weighted(plain, parameters)
        let isSquare = type(of: measure).degree == 2
        let size = isSquare ? unit * unit : unit
        let formulation = measure.formulate(in: &risk)
        var linear = formulation.linear
        if let scale { linear.append(.init(scale, -limit.most / size)) }
        evidence.append((risk.program.terms.count, measure, formulation.pieces))
        add(
            ceiling: .init(
                .atMost(scale == nil ? limit.most / size : 0), linear: linear, parts: formulation.pieces.map { $0.part }
            ),
            Origin(constraint: index, factor: size / limit.perLevel))
    }
}
