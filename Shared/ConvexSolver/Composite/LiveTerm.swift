import LinearAlgebra

/// A term with its blocks and its multiplier.
struct LiveTerm {
    let linear: [CompositeProgram.Entry]
    let blocks: [any Block]
    /// Nil for the objective.
    let level: Double?
    let startPrice: Double?
    var multiplier: Double
    var multiplierStep = 0.0
    /// level - F, kept positive.
    var slack = 1.0
    var slackStep = 0.0
    var right = 0.0
    var value = 0.0

    init(_ term: CompositeProgram.Term) {
        linear = term.linear
        startPrice = term.startPrice
        blocks = term.parts.map { $0.block }
        switch term.place {
        case .objective(let weight):
            multiplier = weight
            level = nil
        case .atMost(let level):
            multiplier = 1
            self.level = level
        }
    }

    mutating func evaluate(_ v: [Double]) {
        value = linear.reduce(0) { $0 + $1.coefficient * v[$1.index] }
        for block in blocks { value += block.evaluate(v, multiplier: multiplier) }
    }
}
