import ServiceKit

/// The variables that this service reads.
enum OptimizerOptions {
    static let solverThreads = ConfigurationOption<Int>.integer(
        "BALLAST_SOLVER_THREADS", default: "0", in: 0...256,
        help: "threads that solve; 0: one less than the cores, at least one")
    static let cachedAnswers = ConfigurationOption<Int>.integer(
        "BALLAST_CACHED_ANSWERS", default: "512", in: 0...1_000_000,
        help: "answers of recent calls that are kept in memory")

    static let rows: [ConfigurationRow] =
        Options.common + [
            Options.optimizerPort.row, Options.optimizerOpsPort.row, Options.realtimeURL.row, solverThreads.row,
            cachedAnswers.row, Options.corsOrigins.row, Options.keyRateLimit.row, Options.tenantRateLimit.row,
        ]
}
