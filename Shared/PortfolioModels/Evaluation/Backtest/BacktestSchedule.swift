import LinearAlgebra
public import WireFormat

/// A fit and what its weights are held over: places in the panel's periods.
public struct BacktestSplit: Sendable, Equatable {
    /// Ascending, apart from each other.
    public var train: [Range<Int>]
    /// Ascending; one for the walk-forward, one a fold for the combinatorial.
    public var tests: [Range<Int>]

    /// Periods that the fit sees.
    public var observations: Int { train.reduce(0) { $0 + $1.count } }
}

/// The splits of a backtest, and how their test windows make paths.
///
/// Walk-forward: the fit for the window that begins at period s sees periods before s - purge alone. Combinatorial purged cross-validation: each
/// choice of test folds is a split; training periods within `purge` of a test fold on either side, and `embargo` more after it, are left
/// out; the j-th path takes for each fold the j-th split that tests it.
///
/// Source: M. Lopez de Prado (2018), Advances in Financial Machine Learning, chapters 7 and 12.
public struct BacktestSchedule: Sendable {
    /// A test window of a path.
    public struct Segment: Sendable, Equatable {
        public var split: Int
        public var periods: Range<Int>
    }

    public let splits: [BacktestSplit]
    /// Each path's windows, ascending and adjacent.
    public let paths: [[Segment]]

    /// Fewest periods that a fit may see.
    static let fewest = 10

    /// - Throws: `DAT-002` where the history is too short for a fit, `OPT-301` for more fits than one call makes.
    public init(_ request: BacktestRequest, dates: [CalendarDate]) throws(Problem) {
        switch request.method {
        case .walkForward: (splits, paths) = try Self.walkForward(request, dates)
        case .combinatorial: (splits, paths) = try Self.combinatorial(request, dates.count)
        }
    }

    // MARK: Walk-forward

    private static func walkForward(
        _ request: BacktestRequest, _ dates: [CalendarDate]
    ) throws(Problem) -> ([BacktestSplit], [[Segment]]) {
        let first = request.train + request.purge
        let starts = starts(request.rebalance, from: first, dates)
        guard !starts.isEmpty else {
            throw Problem(
                .tooLittleHistory,
                "\(dates.count) periods are too few for \(request.train) to fit on, \(request.purge) left out and a window to hold over.",
                errors: [
                    Violation(
                        JSONPointer(["backtest", "train"]), .other("too_long"),
                        "The panel has \(dates.count) periods.", value: Double(dates.count))
                ])
        }
        guard starts.count <= BacktestRequest.mostFits else { throw tooMany(starts.count, "rebalance") }
        let ends = starts.dropFirst() + [dates.count]
        let splits = zip(starts, ends).map { start, end in
            let seen = start - request.purge
            let low = request.window == .rolling ? seen - request.train : 0
            return BacktestSplit(train: [low..<seen], tests: [start..<end])
        }
        return (splits, [splits.indices.map { Segment(split: $0, periods: splits[$0].tests[0]) }])
    }

    /// Where windows begin: every so many periods from the first possible one on, or at the first period of each calendar span.
    private static func starts(
        _ rebalance: BacktestRequest.Rebalance, from first: Int, _ dates: [CalendarDate]
    ) -> [Int] {
        guard first < dates.count else { return [] }
        switch rebalance {
        case .periods(let step): return Array(stride(from: first, to: dates.count, by: step))
        case .calendar(let span):
            func number(_ date: CalendarDate) -> Int {
                switch span {
                // Weeks begin on Monday; 1970-01-01 was a Thursday.
                case .weekly: (date.daysSinceEpoch + 3 + 7_000_000) / 7
                case .monthly: date.year * 12 + date.month
                case .quarterly: date.year * 4 + (date.month - 1) / 3
                case .yearly: date.year
                }
            }
            return (max(first, 1)..<dates.count).filter { number(dates[$0]) != number(dates[$0 - 1]) }
        }
    }

    // MARK: Combinatorial

    private static func combinatorial(
        _ request: BacktestRequest, _ count: Int
    ) throws(Problem) -> ([BacktestSplit], [[Segment]]) {
        let (folds, tested) = (request.folds, request.testFolds)
        let size = count / folds
        guard size >= 1 else {
            throw Problem(
                .tooLittleHistory, "\(count) periods make no \(folds) folds.",
                errors: [
                    Violation(
                        JSONPointer(["backtest", "folds"]), .outOfRange, "The panel has \(count) periods.",
                        value: Double(count))
                ])
        }
        var combinations = 1
        for k in 0..<min(tested, folds - tested) {
            combinations = combinations * (folds - k) / (k + 1)
            guard combinations <= BacktestRequest.mostFits else { throw tooMany(nil, "test_folds") }
        }
        let fold = (0..<folds).map { $0 * size..<($0 == folds - 1 ? count : ($0 + 1) * size) }
        var splits: [BacktestSplit] = []
        var choice = Array(0..<tested)
        while true {
            let split = BacktestSplit(
                train: training(choice.map { fold[$0] }, count, request.purge, request.embargo),
                tests: choice.map { fold[$0] })
            guard split.observations >= fewest else {
                throw Problem(
                    .tooLittleHistory,
                    "A fit would see \(split.observations) periods; at least \(fewest) are needed. Fewer test folds, or less purge and embargo, leave more.",
                    errors: [
                        Violation(
                            JSONPointer(["backtest", "purge"]), .outOfRange, "Nothing is left to fit on.",
                            value: Double(split.observations))
                    ])
            }
            splits.append(split)
            // The next combination in lexicographic order.
            guard let at = (0..<tested).last(where: { choice[$0] < folds - tested + $0 }) else { break }
            choice[at] += 1
            for later in (at + 1)..<max(tested, at + 1) { choice[later] = choice[later - 1] + 1 }
        }
        var paths: [[Segment]] = []
        var taken = [Int](repeating: 0, count: folds)
        for (index, split) in splits.enumerated() {
            for periods in split.tests {
                let at = min(periods.lowerBound / size, folds - 1)
                if taken[at] == paths.count { paths.append([]) }
                paths[taken[at]].append(Segment(split: index, periods: periods))
                taken[at] += 1
            }
        }
        return (splits, paths.map { $0.sorted { $0.periods.lowerBound < $1.periods.lowerBound } })
    }

    /// All periods but the test folds, their purge and their embargo.
    private static func training(
        _ tests: [Range<Int>], _ count: Int, _ purge: Int, _ embargo: Int
    ) -> [Range<Int>] {
        var open: [Range<Int>] = []
        var from = 0
        for test in tests {
            let end = test.lowerBound - purge
            if end > from { open.append(from..<end) }
            from = max(from, min(count, test.upperBound + purge + embargo))
        }
        if from < count { open.append(from..<count) }
        return open
    }

    private static func tooMany(_ count: Int?, _ member: String) -> Problem {
        let found = count.map { "\($0) fits" } ?? "More fits than can be counted"
        let detail = "\(found) are wanted; one call makes at most \(BacktestRequest.mostFits)."
        return Problem(
            .tooLargeProblem, detail,
            errors: [
                Violation(
                    JSONPointer(["backtest", member]), .outOfRange, detail, limit: Double(BacktestRequest.mostFits))
            ])
    }
}

extension ReturnPanel {
    /// The periods of some ranges, in their order.
    func periods(_ ranges: [Range<Int>]) throws(Problem) -> ReturnPanel {
        if ranges == [0..<observations] { return self }
        let count = ranges.reduce(0) { $0 + $1.count }
        var storage: [Double] = []
        storage.reserveCapacity(count * assets.count)
        for asset in assets.indices {
            let offset = asset * observations
            for range in ranges {
                storage.append(contentsOf: returns.storage[(offset + range.lowerBound)..<(offset + range.upperBound)])
            }
        }
        return try ReturnPanel(
            assets: assets, dates: ranges.flatMap { dates[$0] },
            returns: .init(rows: count, columns: assets.count, columnMajor: storage), missing: missing,
            gapped: gapped?.within(
                ranges.filter { !$0.isEmpty }.map { dates[$0.lowerBound]...dates[$0.upperBound - 1] }))
    }
}
