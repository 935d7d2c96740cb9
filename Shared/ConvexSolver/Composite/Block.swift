import LinearAlgebra

/// One part of a program whose own variables are eliminated from the Newton system of the core variables.
protocol Block: AnyObject {
    /// Complementary pairs, and the sum of their products.
    var complementarity: (pairs: Int, sum: Double) { get }
    var needsCommonStep: Bool { get }
    /// Whether it is rows that hold, whose curvature is that of a barrier.
    var isBarrier: Bool { get }
    /// Dual residual of the block's own variables, relative to the sizes in it.
    var ownResidual: Double { get }
    /// The largest force that others have to balance, where the block's own is what balances the rest; else zero.
    var balancingForce: Double { get }

    func start(_ v: [Double], multiplier: Double, mu: Double)
    /// Takes in the point; returns the block's value.
    func evaluate(_ v: [Double], multiplier: Double) -> Double
    /// gradient += of the Lagrangian's part.
    func addGradient(to gradient: inout [Double], multiplier: Double)
    /// Weights at the point last evaluated, added to the core.
    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double)
    /// column += change of the core's forces with the multiplier; returns the curvature along the multiplier.
    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double
    /// rest += change of the core's forces at rest for the target; returns the constant of the multiplier's row.
    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double
    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double)
    func stepLimits() -> (primal: Double, dual: Double)
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double
    func advance(primal: Double, dual: Double)
    func rescale(_ factor: Double)
    /// Writes d(l f)/da, the dual series of the scenarios: what a certificate is made of. The room is of their number from the second time on.
    func writeDualSeries(into series: inout [Double])
}

extension Block {
    var isBarrier: Bool { false }
    var balancingForce: Double { 0 }

    /// series = factor source, in the memory that it has.
    func write(_ source: [Double], times factor: Double = 1, into series: inout [Double]) {
        if series.count != source.count { series = [Double](repeating: 0, count: source.count) }
        for t in source.indices { series[t] = factor * source[t] }
    }
}

/// Where a block's arguments come from.
public enum ArgumentMap: Sendable {
    case rows(RowMap)
    case coordinates(CoordinateMap)

    var count: Int {
        switch self {
        case .rows(let map): map.rows
        case .coordinates(let map): map.columns.count
        }
    }

    func argument(_ v: [Double], into a: inout [Double]) {
        switch self {
        case .rows(let map): map.argument(v, into: &a)
        case .coordinates(let map): map.argument(v, into: &a)
        }
    }

    func direction(_ dv: [Double], into da: inout [Double]) {
        switch self {
        case .rows(let map): map.direction(dv, into: &da)
        case .coordinates(let map): map.direction(dv, into: &da)
        }
    }

    func addAdjoint(_ force: [Double], to core: inout [Double]) {
        switch self {
        case .rows(let map): map.addAdjoint(force, to: &core)
        case .coordinates(let map): map.addAdjoint(force, to: &core)
        }
    }

    func addWeighted(
        _ weights: [Double], own: [RowMap.Border], to core: inout CoreMatrix, _ workspace: inout Workspace
    ) {
        switch self {
        case .rows(let map): workspace.addWeighted(map, own: own, weights: weights, to: &core)
        case .coordinates(let map): map.addWeighted(weights, own: own, to: &core)
        }
    }
}

/// A scenario function of mapped core variables.
final class MappedBlock: Block {
    private let map: ArgumentMap
    private let function: any ScenarioFunction
    private var argument: [Double]
    private var direction: [Double]
    /// Of the function's outer product, over the core.
    private var image: [Double] = []

    init(_ function: any ScenarioFunction, _ map: ArgumentMap) {
        self.map = map
        self.function = function
        argument = [Double](repeating: 0, count: map.count)
        direction = argument
    }

    var complementarity: (pairs: Int, sum: Double) { function.complementarity }
    var needsCommonStep: Bool { function.needsCommonStep }
    var ownResidual: Double { 0 }
    var isBarrier: Bool { function is HardRows }

    func start(_ v: [Double], multiplier: Double, mu: Double) {
        map.argument(v, into: &argument)
        function.start(argument, v, multiplier: multiplier, mu: mu)
    }

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        map.argument(v, into: &argument)
        return function.evaluate(argument, v, multiplier: multiplier)
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) {
        map.addAdjoint(function.force, to: &gradient)
        if let scale = function.scale { gradient[scale.index] += multiplier * scale.slope }
    }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        function.linearise(multiplier: multiplier)
        map.addWeighted(function.weights, own: function.columns, to: &core, &workspace)
        if let outer = function.outer {
            if image.count != core.matrix.rows { image = [Double](repeating: 0, count: core.matrix.rows) }
            for i in image.indices { image[i] = 0 }
            map.addAdjoint(outer.vector, to: &image)
            for column in function.columns { image[column.index] -= Vector.dot(column.values, outer.vector) }
            core.addOuter(image, scale: outer.scale)
        }
        if let scale = function.scale { core.add(scale.curvature, scale.index, scale.index) }
    }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double {
        function.lineariseMultiplier(multiplier: multiplier)
        map.addAdjoint(function.forcePerMultiplier, to: &column)
        if let scale = function.scale { column[scale.index] += scale.slope + scale.perMultiplier }
        return function.multiplierTerms.corner
    }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double {
        function.condense(target: target, corrects: corrects, multiplier: multiplier)
        map.addAdjoint(function.constant, to: &rest)
        if let scale = function.scale { rest[scale.index] += scale.constant }
        return function.multiplierTerms.constant
    }

    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {
        map.direction(dv, into: &direction)
        function.recover(direction, dv, multiplierStep: multiplierStep, multiplier: multiplier)
    }

    func stepLimits() -> (primal: Double, dual: Double) { function.stepLimits() }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        function.complementarity(afterPrimal: primal, dual: dual)
    }
    func advance(primal: Double, dual: Double) { function.advance(primal: primal, dual: dual) }
    func rescale(_ factor: Double) { function.rescale(factor) }
    func writeDualSeries(into series: inout [Double]) { write(function.force, into: &series) }
}
