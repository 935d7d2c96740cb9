import ArgumentParser
import ServiceKit

/// `ballast`: the platform for people at a terminal.
@main
struct BallastCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ballast",
        abstract: "Optimise portfolios and look after a Ballast installation.",
        discussion: ConfigurationRow.help(CommandOptions.rows),
        version: ServiceVersion.release,
        subcommands: [
            OptimizeCommand.self, BacktestCommand.self, RebalanceCommand.self, MigrateCommand.self, KeysCommand.self,
            StatusCommand.self,
            TokenCommand.self, AuditCommand.self,
        ])
}
