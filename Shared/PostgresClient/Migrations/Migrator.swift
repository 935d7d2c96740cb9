public import Foundation

/// Brings a database to the schema of a directory of numbered SQL files, `0001_name.sql` and on.
///
/// Each file is one transaction; what has been applied is in `public.ballast_migration` with the SHA-256 of the file. Needs no superuser: the owner of the database
/// with CREATEROLE will do, as on Supabase. Any number of processes may migrate at once: one does, the others find it done.
public struct Migrator: Sendable {
    /// A migration that has been applied.
    public struct Applied: Sendable, Hashable {
        /// Its number.
        public let version: Int
        /// Its name without the number.
        public let name: String
        /// SHA-256 of the file, hexadecimal.
        public let checksum: String
    }

    /// How far a database is.
    public struct Status: Sendable, Hashable {
        /// Applied migrations in order.
        public let applied: [Applied]
        /// Migrations that this program has and the database not.
        public let pending: [Applied]
        /// Migrations that this program has.
        public let known: Int

        /// The last applied version, 0 for none.
        public var version: Int { applied.last?.version ?? 0 }
        /// This program may work: nothing is pending, and the database is at most one ahead (the next release is being rolled out).
        public var isCompatible: Bool { pending.isEmpty && version <= known + 1 }
    }

    private let directory: URL

    /// The migrations of a directory.
    public init(directory: URL) {
        self.directory = directory
    }

    /// The migrations of a directory.
    public init(directory: String) {
        self.directory = URL(fileURLWithPath: directory)
    }

    /// Applies what is pending, in order; a second run applies nothing. Waits while another process migrates.
    ///
    /// - Returns: what this call applied.
    /// - Throws: the case that fits; the migrations before the one that failed stay.
    @discardableResult
    public func migrate(_ connection: PostgresConnection) async throws(MigrationError) -> [Applied] {
        let files = try MigrationFile.all(in: directory)
        try await database { () throws(PostgresError) in
            _ = try await connection.query("SELECT pg_advisory_lock(\(Self.lockKey))")
        }
        let outcome: Result<[Applied], MigrationError>
        do throws(MigrationError) {
            outcome = .success(try await applyPending(files, connection))
        } catch {
            outcome = .failure(error)
        }
        _ = try? await connection.run(["SELECT pg_advisory_unlock(\(Self.lockKey))"], shielded: true)
        return try outcome.get()
    }

    /// Compares the directory with the database; changes nothing.
    ///
    /// - Throws: as `migrate`; a database without the table has nothing applied.
    public func status(_ connection: PostgresConnection) async throws(MigrationError) -> Status {
        let files = try MigrationFile.all(in: directory)
        let applied = try await Self.applied(connection)
        try Self.verify(applied, against: files)
        return Status(
            applied: applied, pending: files.dropFirst(applied.count).map(Applied.init), known: files.count)
    }

    private func applyPending(
        _ files: [MigrationFile], _ connection: PostgresConnection
    ) async throws(MigrationError) -> [Applied] {
        let applied = try await Self.applied(connection)
        try Self.verify(applied, against: files)
        if applied.isEmpty {
            try await database { () throws(PostgresError) in try await connection.runScript(Self.createTable) }
        }
        var done: [Applied] = []
        for file in files.dropFirst(applied.count) {
            try await Self.apply(file, connection)
            done.append(Applied(file))
        }
        return done
    }

    /// One migration, one transaction. Locks are waited for briefly and often: a queue of requests behind a waiting ALTER TABLE would stop the services.
    private static func apply(_ file: MigrationFile, _ connection: PostgresConnection) async throws(MigrationError) {
        var backOff = BackOff()
        for attempt in 1...60 {
            do throws(PostgresError) {
                try await connection.execute("BEGIN")
                try await connection.execute("SET LOCAL lock_timeout = '1s'")
                let before = try await transactionID(connection)
                try await connection.runScript(file.script)
                guard try await transactionID(connection) == before else {
                    throw PostgresError(.usage, "the script ended its transaction")
                }
                try await connection.execute(
                    """
                    INSERT INTO public.ballast_migration (version, name, checksum)
                    VALUES (\(file.version), \(file.name), \(file.checksum))
                    """)
                try await connection.execute("COMMIT")
                return
            } catch {
                _ = try? await connection.run(["ROLLBACK"], shielded: true)
                if error.kind == .usage { throw .brokeTransaction(version: file.version, name: file.name) }
                guard error.passesByItself, attempt < 60 else {
                    throw .database(version: file.version, error)
                }
            }
            try? await Task.sleep(for: backOff.next())
        }
    }

    private static func transactionID(_ connection: PostgresConnection) async throws(PostgresError) -> String {
        let rows = try await connection.query("SELECT pg_current_xact_id()::text")
        return try rows.first?.decode(String.self, at: 0) ?? ""
    }

    private static func applied(_ connection: PostgresConnection) async throws(MigrationError) -> [Applied] {
        do throws(PostgresError) {
            let exists = try await connection.query("SELECT to_regclass('public.ballast_migration') IS NOT NULL")
            guard try exists.first?.decode(Bool.self, at: 0) == true else { return [] }
            var applied: [Applied] = []
            for row in try await connection.query(
                "SELECT version, name, checksum FROM public.ballast_migration ORDER BY version")
            {
                let (version, name, checksum) = try row.decode((Int, String, String).self)
                applied.append(Applied(version: version, name: name, checksum: checksum))
            }
            return applied
        } catch {
            throw .database(version: nil, error)
        }
    }

    private static func verify(_ applied: [Applied], against files: [MigrationFile]) throws(MigrationError) {
        for (index, migration) in applied.enumerated() {
            guard migration.version == index + 1 else { throw .gap(expected: index + 1, found: migration.version) }
            guard index < files.count else { continue }
            guard migration.checksum == files[index].checksum else {
                throw .changed(version: migration.version, name: migration.name)
            }
        }
        if applied.count > files.count + 1 { throw .newerSchema(database: applied.count, known: files.count) }
    }

    private func database(
        _ body: () async throws(PostgresError) -> Void
    ) async throws(MigrationError) {
        do throws(PostgresError) { try await body() } catch { throw .database(version: nil, error) }
    }

    /// Any constant will do that nobody else takes: "ballast" in ASCII.
    private static let lockKey: Int64 = 0x62_61_6C_6C_61_73_74

    private static let createTable = """
        CREATE TABLE IF NOT EXISTS public.ballast_migration (
            version int PRIMARY KEY,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
        );
        ALTER TABLE public.ballast_migration ENABLE ROW LEVEL SECURITY;
        REVOKE ALL ON public.ballast_migration FROM PUBLIC;
        COMMENT ON TABLE public.ballast_migration IS 'Migrations of Ballast that have been applied; written by ballast migrate.';
        """
}

extension Migrator.Applied {
    init(_ file: MigrationFile) {
        self.init(version: file.version, name: file.name, checksum: file.checksum)
    }
}

extension PostgresError {
    /// A lock that was held, or another database of the same server being migrated: roles are shared, and both create them.
    fileprivate var passesByItself: Bool {
        sqlState == .lockNotAvailable || isSerializationFailure
            || (isUniqueViolation && schema == "pg_catalog")
            || (sqlState?.category == "XX" && message.contains("concurrently"))
    }
}
