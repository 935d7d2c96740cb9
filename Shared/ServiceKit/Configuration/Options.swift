public import Logging

/// The variables that more than one program reads. Each service adds its own beside them.
public enum Options {
    public static let databaseURL = ConfigurationOption<Secret<String>>.secret(
        "BALLAST_DATABASE_URL", help: "PostgreSQL: postgres://user:password@host:port/database?sslmode=verify-full")
    public static let jwtSecret = ConfigurationOption<Secret<String>?>.optionalSecret(
        "BALLAST_JWT_SECRET", minimumBytes: JWTVerifier.minimumSecretBytes,
        help: "HMAC key of HS256 tokens, at least 32 bytes; without it only API keys are accepted")
    public static let previousJWTSecret = ConfigurationOption<Secret<String>?>.optionalSecret(
        "BALLAST_JWT_PREVIOUS_SECRET", minimumBytes: JWTVerifier.minimumSecretBytes,
        help: "the secret before the last change: its tokens are still accepted")
    public static let jwksFile = ConfigurationOption<String?>.optionalText(
        "BALLAST_JWKS_FILE",
        help:
            "JSON Web Key Set with public ES256, EdDSA and RS256 keys whose tokens are accepted; read again when it changes"
    )
    public static let jwtIssuer = ConfigurationOption<String?>.optionalText(
        "BALLAST_JWT_ISSUER", help: "what the claim iss of those tokens has to be")
    public static let jwtAudience = ConfigurationOption<String?>.optionalText(
        "BALLAST_JWT_AUDIENCE", help: "what the claim aud of those tokens has to name")
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
    public static let corsOrigins = ConfigurationOption<CORSOrigins>(
        "BALLAST_CORS_ORIGINS", default: "",
        help: "origins of web pages that may call the API, exactly as browsers send them, separated by commas"
    ) { (text) throws(ConfigurationOption<CORSOrigins>.Reason) in
        guard let origins = CORSOrigins(text) else {
            throw .init("origins like https://app.example.org are wanted; * and null are not taken")
        }
        return origins
    }
    public static let keyRateLimit = ConfigurationOption<Int>.integer(
        "BALLAST_RATE_LIMIT_KEY", default: "1200000", in: 1...1_000_000_000,
        help: "most requests a minute of one key or token, unless the key has its own limit")
    public static let tenantRateLimit = ConfigurationOption<Int>.integer(
        "BALLAST_RATE_LIMIT_TENANT", default: "1200000", in: 1...1_000_000_000,
        help: "most requests a minute of all keys and tokens of a tenant")
    public static let sqlDirectory = ConfigurationOption<String>.text(
        "BALLAST_SQL_DIRECTORY", default: "sql", help: "folder of the numbered migrations")
    public static let poolSize = ConfigurationOption<Int>.integer(
        "BALLAST_POOL_SIZE", default: "8", in: 1...200, help: "most connections to PostgreSQL")
    public static let drainSeconds = ConfigurationOption<Int>.integer(
        "BALLAST_DRAIN_SECONDS", default: "0", in: 0...20,
        help: "how long to go on serving after SIGTERM, so that load balancers notice")

    /// What every service reads.
    public static let common: [ConfigurationRow] = [
        databaseURL.row, jwtSecret.row, previousJWTSecret.row, jwksFile.row, jwtIssuer.row, jwtAudience.row, host.row,
        opsHost.row, logLevel.row, sqlDirectory.row, poolSize.row, drainSeconds.row,
    ]
}

extension Configuration {
    /// What checks tokens, by the variables above; nil where no token is taken. The file's path comes along where there is one, for
    /// `JSONWebKeyFile`.
    public func tokenVerifier() async throws(ConfigurationError) -> (verifier: JWTVerifier, keyFile: String?)? {
        let secret = try value(Options.jwtSecret)
        let file = try value(Options.jwksFile)
        guard secret != nil || file != nil else { return nil }
        var keys = JSONWebKeys()
        if let file { keys = try await JSONWebKeyFile.read(file) }
        let verifier = try await JWTVerifier(
            secret: secret, previousSecret: try value(Options.previousJWTSecret), publicKeys: keys,
            expected: .init(issuer: try value(Options.jwtIssuer), audience: try value(Options.jwtAudience)))
        return (verifier, file)
    }
}
