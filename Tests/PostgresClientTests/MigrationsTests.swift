import Foundation
import PostgresClient
import TestSupport
import Testing

@Suite struct `Migrations` {
    /// A folder of migrations that goes away with the value.
    private final class Folder {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "ballast-migrations-\(UUID().uuidString)")

        init(_ files: [String: String]) throws {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            for (name, text) in files { try write(name, text) }
        }

        func write(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: url.appendingPathComponent(name))
        }

        deinit { try? FileManager.default.removeItem(at: url) }
    }

    private func connection(_ database: TestDatabase) async throws -> PostgresConnection {
        try await PostgresConnection.connect(database.configuration(), logger: TestPostgres.logger)
    }

    private func emptyDatabase() async throws -> PostgresConnection {
        try await connection(try await TestDatabase.createEmpty())
    }

    @Test func `the package's own apply for a plain owner, twice without effect`() async throws {
        let connection = try await emptyDatabase()
        let migrator = Migrator(directory: RepositoryRoot.migrations)
        let pending = try await migrator.status(connection)
        #expect(pending.version == 0 && !pending.isCompatible && pending.pending.count == pending.known)
        let applied = try await migrator.migrate(connection)
        #expect(applied.map(\.version) == Array(1...pending.known))
        #expect(try await migrator.migrate(connection).isEmpty)
        let status = try await migrator.status(connection)
        #expect(status.isCompatible && status.version == pending.known && status.pending.isEmpty)
        let isSuperuser = try await connection.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        #expect(try isSuperuser[0].decode(Bool.self, at: 0) == false)
    }

    @Test func `they apply on a plain Supabase project, whose roles gain no more than reading prices`() async throws {
        let cluster = try await TestPostgres.Cluster()
        func connect(_ url: String) async throws -> PostgresConnection {
            try await PostgresConnection.connect(PostgresConfiguration(url: url), logger: TestPostgres.logger)
        }
        // What Supabase has made of a new project: the owner is no superuser, and tables in public are granted to everyone.
        let admin = try await connect(cluster.url())
        for role in ["anon", "authenticated", "service_role BYPASSRLS"] {
            try await admin.execute("CREATE ROLE \(raw: role)")
        }
        try await admin.execute("CREATE ROLE owner LOGIN CREATEROLE CREATEDB BYPASSRLS REPLICATION NOSUPERUSER")
        try await admin.execute("GRANT anon, authenticated, service_role TO owner")
        try await admin.execute("CREATE DATABASE project OWNER owner")
        let inside = try await connect(cluster.url(user: "postgres", database: "project"))
        for statement in [
            "CREATE SCHEMA auth", "CREATE SCHEMA realtime", "CREATE PUBLICATION supabase_realtime",
            "GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role",
            """
            ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public
            GRANT ALL ON TABLES TO anon, authenticated, service_role
            """,
        ] {
            try await inside.execute("\(raw: statement)")
        }
        let owner = try await connect(cluster.url(user: "owner", database: "project"))
        let migrator = Migrator(directory: RepositoryRoot.migrations)
        let applied = try await migrator.migrate(owner)
        #expect(applied.count > 0)
        #expect(try await migrator.status(owner).isCompatible)
        try await owner.execute("INSERT INTO market_data (asset_symbol, timestamp, price) VALUES ('AAPL', now(), 1)")
        for role in ["anon", "authenticated"] {
            try await owner.execute("SET ROLE \(identifier: role)")
            #expect(try await owner.query("SELECT price FROM market_data").count == 1)
            await #expect(throws: PostgresError.self, "\(role) writes prices") {
                try await owner.execute(
                    "INSERT INTO market_data (asset_symbol, timestamp, price) VALUES ('AAPL', now(), 2)")
            }
            for table in ["ballast.portfolio", "ballast.api_key", "ballast.audit"] {
                await #expect(throws: PostgresError.self, "\(role) reads \(table)") {
                    try await owner.query("SELECT 1 FROM \(raw: table)")
                }
            }
            try await owner.execute("RESET ROLE")
        }
    }

    @Test func `several statements a file, new files later, in one transaction each`() async throws {
        let connection = try await emptyDatabase()
        let folder = try Folder([
            "0001_one.sql": "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1); -- end", "README.md": "not one",
        ])
        let migrator = Migrator(directory: folder.url.path)
        #expect(try await migrator.migrate(connection).map(\.name) == ["one"])
        try folder.write("0002_two.sql", "INSERT INTO a VALUES (2);\nSELECT 1/0;")
        let error = await #expect(throws: MigrationError.self) { try await migrator.migrate(connection) }
        guard case .database(version: 2, let cause)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(cause.sqlState == SQLState(rawValue: "22012"))
        #expect(try await connection.query("SELECT x FROM a").count == 1)
        try folder.write("0002_two.sql", "INSERT INTO a VALUES (2);")
        #expect(try await migrator.migrate(connection).map(\.version) == [2])
    }

    @Test func `a changed file is refused, line ends included`() async throws {
        let connection = try await emptyDatabase()
        let folder = try Folder(["0001_one.sql": "SELECT 1;\n", "0002_two.sql": "SELECT 2;\n"])
        let migrator = Migrator(directory: folder.url)
        try await migrator.migrate(connection)
        try folder.write("0001_one.sql", "SELECT 1;\r\n")
        let error = await #expect(throws: MigrationError.self) { try await migrator.migrate(connection) }
        #expect(error == .changed(version: 1, name: "one"))
        await #expect(throws: MigrationError.changed(version: 1, name: "one")) { try await migrator.status(connection) }
    }

    @Test func `gaps and strange names are refused before anything runs`() async throws {
        let connection = try await emptyDatabase()
        let gap = try Folder(["0001_one.sql": "CREATE TABLE a ();", "0003_three.sql": "SELECT 3"])
        await #expect(throws: MigrationError.gap(expected: 2, found: 3)) {
            try await Migrator(directory: gap.url).migrate(connection)
        }
        let strange = try Folder(["0001_one.sql": "CREATE TABLE a ();", "2_two.sql": "SELECT 2"])
        await #expect(throws: MigrationError.malformedFile(name: "2_two.sql")) {
            try await Migrator(directory: strange.url).migrate(connection)
        }
        let missing = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        await #expect(throws: MigrationError.unreadable(path: missing.path)) {
            try await Migrator(directory: missing).migrate(connection)
        }
        #expect(try await connection.query("SELECT to_regclass('a') IS NULL")[0].decode(Bool.self, at: 0))
    }

    @Test func `a schema one ahead is allowed, two ahead is not`() async throws {
        let connection = try await emptyDatabase()
        let newer = try Folder(["0001_one.sql": "SELECT 1", "0002_two.sql": "SELECT 2", "0003_three.sql": "SELECT 3"])
        try await Migrator(directory: newer.url).migrate(connection)
        let previous = try Folder(["0001_one.sql": "SELECT 1", "0002_two.sql": "SELECT 2"])
        #expect(try await Migrator(directory: previous.url).migrate(connection).isEmpty)
        #expect(try await Migrator(directory: previous.url).status(connection).isCompatible)
        let old = try Folder(["0001_one.sql": "SELECT 1"])
        await #expect(throws: MigrationError.newerSchema(database: 3, known: 1)) {
            try await Migrator(directory: old.url).migrate(connection)
        }
    }

    @Test func `a script that ends its own transaction is refused`() async throws {
        let connection = try await emptyDatabase()
        let folder = try Folder(["0001_one.sql": "CREATE TABLE a (); COMMIT; BEGIN; CREATE TABLE b ();"])
        await #expect(throws: MigrationError.brokeTransaction(version: 1, name: "one")) {
            try await Migrator(directory: folder.url).migrate(connection)
        }
        #expect(try await Migrator(directory: folder.url).status(connection).version == 0)
    }

    @Test func `many at once: one migrates, the others find it done`() async throws {
        let database = try await TestDatabase.createEmpty()
        let migrator = Migrator(directory: RepositoryRoot.migrations)
        let applied = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<5 {
                group.addTask { try await migrator.migrate(try await connection(database)).count }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(applied.sorted().dropLast() == [0, 0, 0, 0])
        #expect(applied.max() == (try await migrator.status(connection(database))).known)
    }

    @Test func `several databases of a new server at once: the roles are shared`() async throws {
        let cluster = try await TestPostgres.Cluster()
        let admin = try await PostgresConnection.connect(
            PostgresConfiguration(url: cluster.url()), logger: TestPostgres.logger)
        let names = (1...4).map { "d\($0)" }
        for name in names { try await admin.execute("CREATE DATABASE \(identifier: name)") }
        let migrator = Migrator(directory: RepositoryRoot.migrations)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for name in names {
                let configuration = try PostgresConfiguration(url: cluster.url(database: name))
                group.addTask {
                    let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
                    return try await migrator.migrate(connection).count
                }
            }
            for try await count in group { #expect(count > 0) }
        }
    }
}
