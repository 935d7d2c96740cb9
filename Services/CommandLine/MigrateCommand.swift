import ArgumentParser
import PostgresClient
import ServiceKit

/// Brings the database to the schema of this release.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Apply the numbered SQL migrations to BALLAST_DATABASE_URL.",
        discussion: """
            Each file is one transaction; what has been applied is kept with its checksum. Running it again does nothing.
            """)

    @Option(
        name: .long, help: ArgumentHelp("Folder of the migrations; default BALLAST_SQL_DIRECTORY.", valueName: "folder")
    )
    var sql: String?

    @Option(
        name: .long, help: ArgumentHelp("Wait so long for the database to accept connections.", valueName: "seconds"))
    var wait: Int = 0

    @Flag(name: .long, help: "Only say what would be applied.")
    var dryRun = false

    func validate() throws {
        guard (0...3600).contains(wait) else { throw ValidationError("--wait takes 0 to 3600 seconds.") }
    }

    func run() async throws {
        try await runCommand {
            let directory = try sql ?? Configuration().value(Options.sqlDirectory)
            let migrator = Migrator(directory: directory)
            try await withDatabase { pool in
                try await Self.awaitServer(pool, seconds: wait)
                try await pool.withConnection { connection in
                    if dryRun {
                        let status = try await migrator.status(connection)
                        for migration in status.pending { Terminal.out("pending  \(Self.line(migration))") }
                        Terminal.out("The database is at migration \(status.version) of \(status.known).")
                    } else {
                        let applied = try await migrator.migrate(connection)
                        for migration in applied { Terminal.out("applied  \(Self.line(migration))") }
                        let status = try await migrator.status(connection)
                        Terminal.out("The database is at migration \(status.version).")
                    }
                }
            }
        }
    }

    private static func line(_ migration: Migrator.Applied) -> String { "\(migration.version)  \(migration.name)" }

    /// Tries until the server answers or the time is over; errors other than an unreachable server end it at once.
    private static func awaitServer(_ pool: PostgresPool, seconds: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            do {
                _ = try await pool.query("SELECT 1")
                return
            } catch {
                guard error.isConnectionFailure, ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(250))
            }
        }
    }
}
