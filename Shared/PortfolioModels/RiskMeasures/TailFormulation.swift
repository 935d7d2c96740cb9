import ConvexSolver
import WireFormat

/// A tail measure of any series of losses: of negated returns, of returns (a range's gain side), of drawdowns.
protocol TailFormulation: ConvexRiskMeasure {
    /// The variables and the shape of the tail.
    /// - Parameter argument: the losses at the start, in units.
    func tail(over argument: [Double], in program: inout RiskProgram) -> TailPiece
    /// How many of the largest losses the tail holds; nil where it holds all.
    func ranks(count: Int) -> Int?
}

/// A shape of `losses - v_quantile`.
struct TailPiece: Sendable {
    var linear: [CompositeProgram.Entry]
    var shape: CompositeProgram.Shape
    var quantile: Int
    var envelope: Envelope
}

extension TailFormulation {
    func ranks(count: Int) -> Int? { nil }
    func tails(count: Int) -> (losses: Int, gains: Int)? { ranks(count: count).map { ($0, 0) } }

    /// The tail of the negated returns.
    func formulate(in program: inout RiskProgram) -> RiskFormulation { side(-1, in: &program) }

    /// The tail of `sign x returns`.
    func side(_ sign: Double, in program: inout RiskProgram) -> RiskFormulation {
        let piece = tail(over: program.start.map { sign * $0 }, in: &program)
        return RiskFormulation(
            linear: piece.linear,
            pieces: [
                .init(
                    part: .scenarios(piece.shape, .rows(program.rows(sign: sign, quantile: piece.quantile))),
                    basis: .returns(sign: sign), envelope: piece.envelope)
            ])
    }
}

extension RangeMeasure where Self: ConvexRiskMeasure, Side: TailFormulation {
    func tails(count: Int) -> (losses: Int, gains: Int)? {
        guard let low = losses.ranks(count: count), let high = gains.ranks(count: count) else { return nil }
        return (low, high)
    }
}

extension RangeMeasure where Side: TailFormulation {
    /// Both tails, each with variables of its own.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let (low, high) = (losses.side(-1, in: &program), gains.side(1, in: &program))
        return RiskFormulation(linear: low.linear + high.linear, pieces: low.pieces + high.pieces)
    }
}

extension DrawdownTailMeasure where Self: ConvexRiskMeasure, Tail: TailFormulation {
    func drawdownRanks(count: Int) -> Int? { Self.isCompounded ? nil : tail.ranks(count: count) }
}

extension DrawdownTailMeasure where Tail: TailFormulation {
    /// The tail over the ladder of drawdowns.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let piece = tail.tail(over: program.startDrawdowns, in: &program)
        return RiskFormulation(
            linear: piece.linear,
            pieces: [
                .init(
                    part: .drawdowns(
                        piece.shape, program.model.rows(1, program.weights),
                        shifts: [.init(piece.quantile, -1)]),
                    basis: .drawdowns, envelope: piece.envelope)
            ])
    }
}
