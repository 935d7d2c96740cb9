/// Why a database can't be brought to this program's schema.
public enum MigrationError: Error, Sendable, Equatable {
    /// The directory or a file can't be read, or there is no migration in it.
    case unreadable(path: String)
    /// A file's name is not `NNNN_name.sql`, or its text not UTF-8.
    case malformedFile(name: String)
    /// Numbers must follow each other: files and applied versions alike.
    case gap(expected: Int, found: Int)
    /// The file of an applied migration has changed since.
    case changed(version: Int, name: String)
    /// The database is ahead by more than one migration: this program is too old for it.
    case newerSchema(database: Int, known: Int)
    /// The script ended the transaction it runs in.
    case brokeTransaction(version: Int, name: String)
    /// The database refused a migration (`version`), or failed before or between (nil).
    case database(version: Int?, PostgresError)
}

extension MigrationError: CustomStringConvertible {
    /// For the person who migrates: says what the server said.
    public var description: String {
        switch self {
        case .unreadable(let path): "no readable migrations at \(path)"
        case .malformedFile(let name): "\(name) is not NNNN_name.sql in UTF-8"
        case .gap(let expected, let found): "migration \(expected) is missing: found \(found)"
        case .changed(let version, let name): "migration \(version) \(name) has changed since it was applied"
        case .newerSchema(let database, let known):
            "the database is at migration \(database), this program knows \(known)"
        case .brokeTransaction(let version, let name): "migration \(version) \(name) ends its own transaction"
        case .database(let version?, let error): "migration \(version): \(error.debugDescription)"
        case .database(nil, let error): "migrations: \(error.debugDescription)"
        }
    }
}
