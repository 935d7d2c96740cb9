import ServiceKit

/// The variables only the store-notifier reads.
enum NotifierOptions {
    static let allowedOrigins = ConfigurationOption<String>.text(
        "BALLAST_ALLOWED_ORIGINS", default: "",
        help: "origins of browsers that may open WebSockets, separated by commas; empty for all")
    static let connections = ConfigurationOption<Int>.integer(
        "BALLAST_REALTIME_CONNECTIONS", default: "10000", in: 1...1_000_000, help: "most open connections")

    static let rows =
        Options.common + [
            Options.notifierPort.row, Options.notifierOpsPort.row, allowedOrigins.row, connections.row,
        ]
}

extension Notifier.Settings {
    init(_ configuration: Configuration) throws(ConfigurationError) {
        host = try configuration.value(Options.host)
        port = try configuration.value(Options.notifierPort)
        opsHost = try configuration.value(Options.opsHost)
        opsPort = try configuration.value(Options.notifierOpsPort)
        sqlDirectory = try configuration.value(Options.sqlDirectory)
        let origins = try configuration.value(NotifierOptions.allowedOrigins)
        rules.allowedOrigins = Set(origins.split(separator: ",").map { String($0.filter { $0 != " " }) })
        rules.mostConnections = try configuration.value(NotifierOptions.connections)
    }
}
