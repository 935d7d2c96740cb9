import ServiceKit

/// The variables that this service reads.
enum OptimizerOptions {
    static let solverThreads = ConfigurationOption<Int>.integer(
        "BALLAST_SOLVER_THREADS", default: "0", in: 0...256,
        help: "threads that solve; 0: one less than the cores, at least one")
    static let cacheMegabytes = ConfigurationOption<Int>.integer(
        "BALLAST_CACHE_MB", default: "128", in: 0...1_000_000,
        help: "MiB of memory for panels, estimates and answers of recent calls; 0 keeps none")
    static let memoryMegabytes = ConfigurationOption<Int>.integer(
        "BALLAST_MEMORY_MB", default: "0", in: 0...100_000_000,
        help: "MiB of memory that requests may take together; 0: half of what the machine or the container has")

    static let webhookHosts = ConfigurationOption<WebhookHosts>(
        "BALLAST_WEBHOOK_HOSTS", default: "",
        help: "hosts that webhooks may be sent to, exactly, separated by commas; none without it"
    ) { WebhookHosts($0) }

    static let rows: [ConfigurationRow] =
        Options.common + [
            Options.optimizerPort.row, Options.optimizerOpsPort.row, Options.realtimeURL.row, solverThreads.row,
            cacheMegabytes.row, memoryMegabytes.row, webhookHosts.row, Options.corsOrigins.row,
            Options.keyRateLimit.row,
            Options.tenantRateLimit.row,
        ] + TradingOptions.rows
}
