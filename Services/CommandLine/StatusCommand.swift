import ArgumentParser
import Foundation
import PostgresClient
import ServiceKit
import WireFormat

/// Asks the services' operations ports and the database how they are.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the services' readiness, the schema, amounts, the last results and what waits.",
        discussion:
            "Exit code 0 where everything is ready, 1 otherwise. Without BALLAST_DATABASE_URL the database is left out."
    )

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var tenant: KeysCommand.TenantOption

    func run() async throws {
        try await runCommand {
            let configuration = Configuration()
            let addresses = try ServiceStatus.addresses(configuration)
            let services = await withTaskGroup(of: (Int, ServiceStatus).self) { group in
                for (n, address) in addresses.enumerated() {
                    group.addTask { (n, await ServiceStatus.ask(address.name, at: address.url)) }
                }
                var found: [(Int, ServiceStatus)] = []
                for await status in group { found.append(status) }
                return found.sorted { $0.0 < $1.0 }.map { $0.1 }
            }
            var database: DatabaseStatus?
            var failure: String?
            if configuration.isSet(Options.databaseURL) {
                do {
                    database = try await withDatabase { pool in
                        try await DatabaseStatus.read(
                            pool, sqlDirectory: try configuration.value(Options.sqlDirectory),
                            tenant: try await Self.tenant(tenant, pool))
                    }
                } catch {
                    failure = CommandFailure(error).description
                }
            }
            let report = StatusReport(services: services, database: database, databaseFailure: failure)
            Terminal.out(json ? report.json.serialized(pretty: true) : report.text)
            if !report.isWell { throw ExitCode(CommandFailure.Code.refused.rawValue) }
        }
    }

    /// On an empty database there is no table of tenants yet: the standard tenant will do.
    private static func tenant(_ option: KeysCommand.TenantOption, _ pool: PostgresPool) async throws -> UUID {
        do {
            return try await option.find(APIKeys(pool))
        } catch let error as PostgresError where error.sqlState == .undefinedTable || error.kind == .server {
            return Tenants.standard
        }
    }
}
