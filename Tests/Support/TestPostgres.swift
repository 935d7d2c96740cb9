import Foundation
public import Logging
public import PostgresClient

/// The PostgreSQL that tests run against: one private server for the whole test process, made when the first test asks.
public enum TestPostgres {
    /// The class of private servers, for tests that stop, kill and restart theirs.
    public typealias Cluster = TestSupport.Cluster

    /// A server that can make databases.
    public struct Server: Sendable {
        /// URL of a superuser; its database is `postgres`.
        public let adminURL: String
        /// Its cluster; nil when the server was given by `BALLAST_TEST_DATABASE_URL`.
        public let cluster: Cluster?

        /// The same server for another role and database.
        public func url(user: String, database: String) -> String {
            guard var parts = URLComponents(string: adminURL) else { return adminURL }
            parts.path = "/\(database)"
            if parts.user != user {
                parts.user = user
                parts.password = nil
            }
            return parts.string ?? adminURL
        }
    }

    /// The server shared by all tests of this process.
    public static var shared: Server {
        get async throws { try await Keeper.shared.server() }
    }

    /// A logger that says nothing below `critical`.
    public static let logger: Logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()
}

/// A database of its own for a test: a copy of a template that all migrations of the package have been applied to.
public struct TestDatabase: Sendable {
    /// The non-superuser role with CREATEROLE that owns the databases, as `postgres` does on Supabase.
    public static let owner = "ballast_owner"

    /// Its name on the server.
    public let name: String
    /// URL of the owner.
    public let url: String
    /// URL of a superuser of the server, in this database.
    public let adminURL: String

    /// A fresh migrated database.
    public static func create() async throws -> TestDatabase {
        try await Keeper.shared.create(template: true)
    }

    /// A fresh database without any table.
    public static func createEmpty() async throws -> TestDatabase {
        try await Keeper.shared.create(template: false)
    }

    /// Its settings for the owner.
    public func configuration() throws -> PostgresConfiguration { try PostgresConfiguration(url: url) }

    /// A pool for the owner.
    public func pool(size: Int = 4, waitTimeout: Duration = .seconds(10)) throws -> PostgresPool {
        PostgresPool(try configuration(), size: size, waitTimeout: waitTimeout, logger: TestPostgres.logger)
    }

    /// A pool for the superuser, who sees every row.
    public func adminPool(size: Int = 2) throws -> PostgresPool {
        PostgresPool(
            try PostgresConfiguration(url: adminURL), size: size, waitTimeout: .seconds(10), logger: TestPostgres.logger
        )
    }

    /// Ends every session of this database with `pg_terminate_backend`, and waits until they are gone.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func terminateBackends() async throws -> Int {
        let admin = try await PostgresConnection.connect(
            PostgresConfiguration(url: adminURL), logger: TestPostgres.logger)
        let rows = try await admin.query(
            """
            SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
            WHERE datname = \(name) AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            """)
        await admin.close()
        return try rows.first?.decode(Int.self, at: 0) ?? 0
    }

    /// Removes it, with whoever is connected. The server ends with the test process anyway.
    public func drop() async throws {
        let server = try await TestPostgres.shared
        let admin = try await PostgresConnection.connect(
            PostgresConfiguration(url: server.adminURL), logger: TestPostgres.logger)
        try await admin.execute("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        await admin.close()
    }
}

/// Makes the server once, the template once, and databases one at a time.
private actor Keeper {
    static let shared = Keeper()

    private var starting: Task<TestPostgres.Server, any Error>?
    private var migrating: Task<String, any Error>?
    private var serial = 0
    private let prefix = "ballast_test_\(ProcessInfo.processInfo.processIdentifier)"

    func server() async throws -> TestPostgres.Server {
        if let starting { return try await starting.value }
        let task = Task { () throws -> TestPostgres.Server in
            if let url = ProcessInfo.processInfo.environment["BALLAST_TEST_DATABASE_URL"], !url.isEmpty {
                return TestPostgres.Server(adminURL: url, cluster: nil)
            }
            let cluster = try await Cluster()
            return TestPostgres.Server(adminURL: cluster.url(), cluster: cluster)
        }
        starting = task
        return try await task.value
    }

    func create(template wantsTemplate: Bool) async throws -> TestDatabase {
        let server = try await server()
        let source = wantsTemplate ? try await template(server) : "template0"
        serial += 1
        let name = "\(prefix)_\(serial)"
        let admin = try await connect(server.adminURL)
        if !wantsTemplate { try await Self.makeOwner(admin) }
        try await admin.execute(
            "CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: source) OWNER \(identifier: TestDatabase.owner)"
        )
        await admin.close()
        return TestDatabase(
            name: name, url: server.url(user: TestDatabase.owner, database: name),
            adminURL: URLComponents(string: server.adminURL).map { parts in
                var parts = parts
                parts.path = "/\(name)"
                return parts.string ?? server.adminURL
            } ?? server.adminURL)
    }

    private func template(_ server: TestPostgres.Server) async throws -> String {
        if let migrating { return try await migrating.value }
        let name = "\(prefix)_template"
        let task = Task { () throws -> String in
            let admin = try await connect(server.adminURL)
            try await Self.makeOwner(admin)
            try await admin.execute(
                "CREATE DATABASE \(identifier: name) TEMPLATE template0 OWNER \(identifier: TestDatabase.owner)")
            await admin.close()
            let owner = try await connect(server.url(user: TestDatabase.owner, database: name))
            try await Migrator(directory: RepositoryRoot.migrations).migrate(owner)
            await owner.close()
            return name
        }
        migrating = task
        return try await task.value
    }

    /// Two test processes may share a server: one of them makes the role.
    private static func makeOwner(_ admin: PostgresConnection) async throws {
        do {
            try await admin.execute(
                "CREATE ROLE \(identifier: TestDatabase.owner) LOGIN CREATEROLE CREATEDB NOSUPERUSER")
        } catch {
            // 42710: it exists; or made at the same moment by another.
            guard error.sqlState == SQLState(rawValue: "42710") || error.isUniqueViolation else { throw error }
        }
    }

    private func connect(_ url: String) async throws -> PostgresConnection {
        try await PostgresConnection.connect(PostgresConfiguration(url: url), logger: TestPostgres.logger)
    }
}
