/// Lots in the order in which a sale takes them, with what that realises.
struct LotOrder: Sendable {
    /// A stretch of steps on which results grow evenly.
    struct Piece: Sendable {
        /// In steps, counted from the first share sold.
        var from: Double
        var to: Double
        /// Gain of a step, by side.
        var short: Double
        var long: Double
        /// What all steps before bring, by side.
        var shortBefore: Double
        var longBefore: Double
        /// Whether the steps are those of a short-term lot, and how many before are.
        var isShort: Bool
        var shortStepsBefore: Double
        /// Whether the steps are those of a lot bought within the wash-sale window, and how many before are.
        var isRecent = false
        var recentStepsBefore = 0.0

        func cost(_ steps: Double, short shortRate: Double, long longRate: Double) -> Double {
            shortRate * (shortBefore + short * (steps - from)) + longRate * (longBefore + long * (steps - from))
        }
    }
    private(set) var pieces: [Piece] = []

    /// Pieces that follow one another without a hole.
    init(pieces: [Piece]) { self.pieces = pieces }

    /// A queue of lots.
    init(_ lots: [(gain: Double, size: Double, isShort: Bool)] = []) {
        self.init(
            results: lots.map { ($0.isShort ? $0.gain : 0, $0.isShort ? 0 : $0.gain, $0.size, $0.isShort) })
    }

    /// A queue of steps by what each brings on both sides.
    init(results: [(short: Double, long: Double, size: Double, isShort: Bool)]) {
        var (at, short, long, shortSteps) = (0.0, 0.0, 0.0, 0.0)
        pieces.reserveCapacity(results.count)
        for part in results {
            pieces.append(
                Piece(
                    from: at, to: at + part.size, short: part.short, long: part.long, shortBefore: short,
                    longBefore: long, isShort: part.isShort, shortStepsBefore: shortSteps))
            at += part.size
            short += part.short * part.size
            long += part.long * part.size
            if part.isShort { shortSteps += part.size }
        }
    }

    private func piece(_ steps: Double) -> Piece? {
        guard steps > 0 else { return nil }
        var at = 0
        while at + 1 < pieces.count, pieces[at].to < steps { at += 1 }
        return at < pieces.count ? pieces[at] : nil
    }

    /// How many of so many steps come from short-term lots.
    func shortSteps(_ steps: Double) -> Double {
        guard let piece = piece(steps) else { return 0 }
        return piece.shortStepsBefore + (piece.isShort ? min(steps, piece.to) - piece.from : 0)
    }

    /// How many of so many steps come from lots bought within the wash-sale window.
    func recentSteps(_ steps: Double) -> Double {
        guard let piece = piece(steps) else { return 0 }
        return piece.recentStepsBefore + (piece.isRecent ? min(steps, piece.to) - piece.from : 0)
    }

    /// Gains by side of selling so many steps.
    func gains(_ steps: Double) -> (short: Double, long: Double) {
        guard let piece = piece(steps) else { return (0, 0) }
        let taken = min(steps, piece.to) - piece.from
        return (piece.shortBefore + piece.short * taken, piece.longBefore + piece.long * taken)
    }

    /// For every number of steps the cheaper of two orders at linear rates of tax.
    static func cheaper(_ a: LotOrder, _ b: LotOrder, short: Double, long: Double) -> LotOrder {
        var result: [Piece] = []
        var (i, j, at) = (0, 0, 0.0)
        func add(_ piece: Piece, _ from: Double, _ to: Double) {
            guard to > from else { return }
            var part = piece
            let skipped = from - piece.from
            part.from = from
            part.to = to
            part.shortBefore += piece.short * skipped
            part.longBefore += piece.long * skipped
            if piece.isShort { part.shortStepsBefore += skipped }
            if piece.isRecent { part.recentStepsBefore += skipped }
            result.append(part)
        }
        while i < a.pieces.count, j < b.pieces.count {
            let (p, q) = (a.pieces[i], b.pieces[j])
            let to = min(p.to, q.to)
            let first = p.cost(at, short: short, long: long) - q.cost(at, short: short, long: long)
            let last = p.cost(to, short: short, long: long) - q.cost(to, short: short, long: long)
            if first * last < 0 {
                let crossing = min(max(at + (to - at) * first / (first - last), at), to)
                add(first < 0 ? p : q, at, crossing)
                add(first < 0 ? q : p, crossing, to)
            } else {
                add(first + last <= 0 ? p : q, at, to)
            }
            at = to
            if p.to <= to { i += 1 }
            if q.to <= to { j += 1 }
        }
        return LotOrder(pieces: result)
    }
}
