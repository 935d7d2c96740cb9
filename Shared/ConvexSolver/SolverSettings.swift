import Synchronization

/// Tolerances and limits of a solve.
public struct SolverSettings: Sendable {
    /// Largest relative duality gap of an optimal answer.
    public var gapTolerance: Double
    /// Largest relative primal and dual residual of an optimal answer.
    public var feasibilityTolerance: Double
    /// Largest number of interior-point iterations.
    public var maximumIterations: Int
    /// When to give up, polled every iteration.
    public var deadline: SolverDeadline
    /// Threads of OpenBLAS during the solve (a setting of the whole process); nil leaves it alone.
    public var threads: Int?
    /// Whether the active set of the interior solution is solved once more, exactly.
    public var polishes: Bool
    /// What is added to the scaled diagonal of a composite program's Newton matrix.
    public var regularisation = 1e-14
    /// The accuracy at which a composite program's solve ends; by default what rounding allows.
    public var accuracy = 1e-12
    /// Told about every iteration, on the solving thread.
    public var progress: (@Sendable (SolverProgress) -> Void)?

    /// Settings; the defaults ask for a certified relative gap of 1e-10.
    public init(
        gapTolerance: Double = 1e-10,
        feasibilityTolerance: Double = 1e-10,
        maximumIterations: Int = 200,
        deadline: SolverDeadline = .none,
        threads: Int? = nil,
        polishes: Bool = true
    ) {
        self.gapTolerance = gapTolerance
        self.feasibilityTolerance = feasibilityTolerance
        self.maximumIterations = maximumIterations
        self.deadline = deadline
        self.threads = threads
        self.polishes = polishes
    }
}

/// Where a solve stands.
public struct SolverProgress: Sendable {
    public var iteration: Int
    /// Relative.
    public var gap: Double
    public var primalResidual: Double
    public var dualResidual: Double
}

/// A monotonic time after which a solve stops, and a flag that stops it earlier.
public struct SolverDeadline: Sendable {
    /// The time, or nil for none.
    public var instant: ContinuousClock.Instant?
    /// The flag, or nil for none.
    public var flag: CancellationFlag?

    /// A deadline at a given instant, with an optional flag.
    public init(instant: ContinuousClock.Instant? = nil, flag: CancellationFlag? = nil) {
        self.instant = instant
        self.flag = flag
    }

    /// No limit.
    public static let none = SolverDeadline()

    /// A limit that lies `duration` from now.
    public static func after(_ duration: Duration, flag: CancellationFlag? = nil) -> SolverDeadline {
        SolverDeadline(instant: ContinuousClock.now + duration, flag: flag)
    }

    /// Why to stop now, or nil to go on.
    public var interruption: SolverStatus? {
        if let flag, flag.isCancelled { return .cancelled }
        if let instant, ContinuousClock.now >= instant { return .deadline }
        return nil
    }
}

/// A flag that any thread may raise and a solve polls; once raised it stays up.
public final class CancellationFlag: Sendable {
    private let state = Atomic<Bool>(false)

    /// A flag that is down.
    public init() {}

    /// Whether the flag is up.
    public var isCancelled: Bool { state.load(ordering: .acquiring) }

    /// Raises the flag.
    public func cancel() { state.store(true, ordering: .releasing) }
}
