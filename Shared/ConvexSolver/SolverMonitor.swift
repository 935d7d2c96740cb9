import Synchronization

/// Where a long piece of work stands: written by the threads that solve, read at any time by whoever asks.
///
/// It travels with the deadline. An iteration costs one relaxed addition and one relaxed store, and nothing where there is no monitor. Where several
/// threads solve for the same work, the gap is that of the one that wrote last.
public final class SolverMonitor: Sendable {
    /// What is known at a moment.
    public struct Report: Sendable, Equatable {
        /// Iterations of all solves so far.
        public var iterations: Int
        /// Relative: of the search that is going on, else of the last solve; nil before the first and of a search without an answer yet.
        public var gap: Double?
        /// Equal parts of the work that are done, and how many there are: fits, points, samples; nil where it has none.
        public var parts: (done: Int, of: Int)?

        public static func == (a: Report, b: Report) -> Bool {
            a.iterations == b.iterations && a.gap == b.gap && a.parts?.done == b.parts?.done
                && a.parts?.of == b.parts?.of
        }
    }

    private let iterations = Atomic(0)
    private let solveGap = Atomic(Double.nan.bitPattern)
    private let searchGap = Atomic(Double.nan.bitPattern)
    private let isSearched = Atomic(false)
    private let parts = Atomic(0)
    private let done = Atomic(0)

    /// Told of the iterations so far at each of them, on the thread that solves; for measurements.
    private let watch: (@Sendable (_ iterations: Int) -> Void)?

    /// Nothing has happened yet.
    public init(watch: (@Sendable (_ iterations: Int) -> Void)? = nil) { self.watch = watch }

    public var report: Report {
        let bits =
            isSearched.load(ordering: .relaxed)
            ? searchGap.load(ordering: .relaxed) : solveGap.load(ordering: .relaxed)
        let value = Double(bitPattern: bits)
        let count = parts.load(ordering: .relaxed)
        return Report(
            iterations: iterations.load(ordering: .relaxed), gap: value.isFinite ? max(value, 0) : nil,
            parts: count > 0 ? (min(done.load(ordering: .relaxed), count), count) : nil)
    }

    /// A solve made one more iteration, or several, and is at a relative gap.
    public func iterated(_ count: Int = 1, gap: Double) {
        let total = iterations.wrappingAdd(count, ordering: .relaxed).newValue
        solveGap.store(gap.bitPattern, ordering: .relaxed)
        watch?(total)
    }

    // MARK: Searches

    /// A search among many solves, whose own gap counts while it lasts; nil within another search.
    public func search() -> Search? {
        guard isSearched.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else {
            return nil
        }
        searchGap.store(Double.nan.bitPattern, ordering: .relaxed)
        return Search(monitor: self)
    }

    /// The outermost search; whoever began it ends it.
    public struct Search: Sendable {
        fileprivate let monitor: SolverMonitor

        /// - Parameter gap: of the best answer found to what is proven about all others, relative; not finite where there is none.
        public func reached(gap: Double) { monitor.searchGap.store(gap.bitPattern, ordering: .relaxed) }

        /// The gap is again that of single solves.
        public func end() { monitor.isSearched.store(false, ordering: .relaxed) }
    }

    // MARK: Parts

    /// Divides the work into equal parts; nil where somebody further out has done so.
    public func divide(into count: Int) -> Parts? {
        guard count > 0, parts.compareExchange(expected: 0, desired: count, ordering: .relaxed).exchanged else {
            return nil
        }
        return Parts(monitor: self)
    }

    /// The outermost division of the work.
    public struct Parts: Sendable {
        fileprivate let monitor: SolverMonitor

        /// So many parts are done, more than before.
        public func finished(_ count: Int = 1) { monitor.done.wrappingAdd(count, ordering: .relaxed) }
    }
}
