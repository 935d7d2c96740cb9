public import Logging

/// The variables that more than one program reads. Each service adds its own beside them.
public enum Options {
    public static let databaseURL = ConfigurationOption<Secret<String>>.secret(
        "BALLAST_DATABASE_URL", help: "PostgreSQL: postgres://user:password@host:port/database?sslmode=verify-full")
    public static let jwtSecret = ConfigurationOption<Secret<String>?>.optionalSecret(
        "BALLAST_JWT_SECRET", minimumBytes: JWTVerifier.minimumSecretBytes,
        help: "HMAC key of HS256 tokens, at least 32 bytes; without it only API keys are accepted")
    public static let host = ConfigurationOption<String>.text(
        "BALLAST_HOST", default: "127.0.0.1", help: "address to listen on")
    public static let opsHost = ConfigurationOption<String>.text(
        "BALLAST_OPS_HOST", default: "127.0.0.1", help: "address of /healthz, /readyz, /metrics, /version")
    public static let optimizerPort = ConfigurationOption<Int>.port(
        "BALLAST_OPTIMIZER_PORT", default: 8080, help: "port of the optimizer")
    public static let optimizerOpsPort = ConfigurationOption<Int>.port(
        "BALLAST_OPTIMIZER_OPS_PORT", default: 9080, help: "operations port of the optimizer")
    public static let notifierPort = ConfigurationOption<Int>.port(
        "BALLAST_NOTIFIER_PORT", default: 8081, help: "port of the store-notifier")
    public static let notifierOpsPort = ConfigurationOption<Int>.port(
        "BALLAST_NOTIFIER_OPS_PORT", default: 9081, help: "operations port of the store-notifier")
    public static let etlOpsPort = ConfigurationOption<Int>.port(
        "BALLAST_ETL_OPS_PORT", default: 9082, help: "operations port of the collector")
    public static let realtimeURL = ConfigurationOption<String>.text(
        "BALLAST_REALTIME_URL", default: "ws://127.0.0.1:8081/realtime/v1", help: "where the store-notifier is reached")
    public static let logLevel = ConfigurationOption<Logger.Level>(
        "BALLAST_LOG_LEVEL", default: "info", help: "trace, debug, info, notice, warning, error or critical"
    ) { (text) throws(ConfigurationOption<Logger.Level>.Reason) in
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw .init("one of \(Logger.Level.allCases.map { $0.rawValue }.joined(separator: ", ")) is wanted")
        }
        return level
    }
    public static let sqlDirectory = ConfigurationOption<String>.text(
        "BALLAST_SQL_DIRECTORY", default: "sql", help: "folder of the numbered migrations")
    public static let poolSize = ConfigurationOption<Int>.integer(
        "BALLAST_POOL_SIZE", default: "8", in: 1...200, help: "most connections to PostgreSQL")
    public static let drainSeconds = ConfigurationOption<Int>.integer(
        "BALLAST_DRAIN_SECONDS", default: "0", in: 0...20,
        help: "how long to go on serving after SIGTERM, so that load balancers notice")

    /// What every service reads.
    public static let common: [ConfigurationRow] = [
        databaseURL.row, jwtSecret.row, host.row, opsHost.row, logLevel.row, sqlDirectory.row, poolSize.row,
        drainSeconds.row,
    ]
}
