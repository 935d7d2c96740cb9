import ServiceKit

/// The variables that only this program reads.
enum CommandOptions {
    static let url = ConfigurationOption<String>.text(
        "BALLAST_URL", default: "http://127.0.0.1:8080", help: "where the optimizer is reached")
    static let apiKey = ConfigurationOption<Secret<String>?>.optionalSecret(
        "BALLAST_API_KEY", help: "API key or token for the optimizer")
    static let opsURL = ConfigurationOption<String?>.optionalText(
        "BALLAST_OPS_URL", help: "the optimizer's operations port, instead of BALLAST_OPS_HOST and its port")

    static let rows: [ConfigurationRow] = [
        url.row, apiKey.row, Options.databaseURL.row, Options.jwtSecret.row, opsURL.row, Options.opsHost.row,
        Options.optimizerOpsPort.row, Options.notifierOpsPort.row, Options.etlOpsPort.row, Options.sqlDirectory.row,
    ]
}
