import LinearAlgebra

/// The block that solves each part of a program.
extension CompositeProgram.Part {
    var block: any Block {
        switch self {
        case .scenarios(let shape, let map): MappedBlock(shape.function(count: map.count), map)
        case .drawdowns(let shape, let map, let shifts):
            DrawdownLadder(
                map, tail: shape.function(count: map.rows),
                shifts: shifts.map { (index: $0.index, coefficient: $0.coefficient) })
        case .ordered(let levels, let order, let map): OrderedAverage(map, order: order, levels: levels)
        case .meanDifference(let factor, let map): SmoothedMeanDifference(map, factor: factor)
        case .quadratic(let matrix, let map, let scale): QuadraticBlock(matrix, map, scale: scale)
        case .logarithms(let weights, let columns): LogarithmicBarrier(weights: weights, columns: columns)
        case .geometricMeans(let level, let roots, let columns, let matrix):
            GeometricMeans(level: level, roots: roots, columns: columns, matrix: matrix)
        case .ellipsoidVariance(let uncertainty, let columns, let scale):
            EllipsoidVariance(uncertainty, columns: columns, scale: scale)
        }
    }
}

extension CompositeProgram.Shape {
    func function(count: Int) -> any ScenarioFunction {
        switch self {
        case .hard: HardRows(count: count)
        case .sum(let cost): WeightedSum(cost: cost)
        case .linear(let cost, let reflection): Hinge(count: count, cost: .linear(cost), reflection: reflection)
        case .square(let cost, let reflection, let scale):
            Hinge(count: count, cost: .square(cost, scale: scale), reflection: reflection)
        case .threeHalves(let cost, let scale):
            Hinge(count: count, cost: .threeHalves(cost, scale: scale), reflection: -1)
        case .rootOfSquares(let cost, let scale): RootOfSquares(cost: cost, scale: scale)
        case .ball(let divergence, let multiplicity, let scale):
            DivergenceBall(divergence, multiplicity: multiplicity, scale: scale)
        case .powerMean(let cost, let power, let isOneSided, let scale):
            PowerMean(cost: cost, power: power, isOneSided: isOneSided, scale: scale)
        case .logarithm(let cost, let unit, let scale): LogarithmicLoss(cost: cost, unit: unit, scale: scale)
        case .quartic(let cost, let second, let third, let fourth, let scale):
            QuarticLoss(cost: cost, second: second, third: third, fourth: fourth, scale: scale)
        }
    }
}
