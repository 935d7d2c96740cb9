public import Logging
public import PostgresClient

extension Configuration {
    /// A pool of connections to the database that BALLAST_DATABASE_URL names.
    /// - Parameter application: what the server's statistics show for it.
    public func databasePool(application: String, logger: Logger) throws(ConfigurationError) -> PostgresPool {
        let url = try value(Options.databaseURL)
        let size = try value(Options.poolSize)
        var settings: PostgresConfiguration
        do {
            settings = try PostgresConfiguration(url: url.reveal())
        } catch {
            throw .invalid(variable: Options.databaseURL.variable, reason: error.message)
        }
        settings.applicationName = application
        return PostgresPool(settings, size: size, logger: logger)
    }
}

extension ReadinessChecks {
    /// Ready only while a database that takes writes answers and has the schema this program was built for.
    public func addDatabase(_ pool: PostgresPool, sqlDirectory: String) {
        add("database") {
            let rows = try await pool.query("SELECT pg_is_in_recovery()")
            guard try rows.first?.decode(Bool.self, at: 0) == false else {
                throw NotReady("a standby, not the primary")
            }
            return "primary"
        }
        let migrator = Migrator(directory: sqlDirectory)
        add("migrations") {
            let status = try await pool.withConnection { try await migrator.status($0) }
            guard status.isCompatible else {
                throw NotReady("the database is at migration \(status.version), this program needs \(status.known)")
            }
            return "at \(status.version)"
        }
    }

    /// A check's own words for what is wrong; safe to show.
    public struct NotReady: Error, Sendable, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }
}

extension PrometheusRegistry {
    /// Figures of a pool: connections by state, waiters, and what happened since the start.
    public func addPool(_ pool: PostgresPool) {
        describe("pg_pool_connections", "Connections to PostgreSQL by state")
        describe("pg_pool_waiting", "Callers that wait for a connection")
        describe("pg_pool_opened_total", "Connections opened")
        describe("pg_pool_timeouts_total", "Callers that waited too long")
        describe("pg_transaction_retries_total", "Transactions run again after 40001 or 40P01")
        addCollector {
            let now = pool.statistics
            return [
                Sample("pg_pool_connections", labels: [("state", "idle")], value: Double(now.idle)),
                Sample("pg_pool_connections", labels: [("state", "leased")], value: Double(now.leased)),
                Sample("pg_pool_waiting", value: Double(now.waiting)),
                Sample("pg_pool_opened_total", .counter, value: Double(now.opened)),
                Sample("pg_pool_timeouts_total", .counter, value: Double(now.timeouts)),
                Sample("pg_transaction_retries_total", .counter, value: Double(now.retries)),
            ]
        }
    }
}
