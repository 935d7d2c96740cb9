import ArgumentParser
import Foundation
import HTTPFetch
import Logging
import PostgresClient
import ServiceKit
import WireFormat

/// A failure in words for people, and the exit code that scripts see.
struct CommandFailure: Error, CustomStringConvertible {
    enum Code: Int32 {
        /// The service refused, or something is not well.
        case refused = 1
        /// The service or the database could not be reached.
        case unreachable = 2
        /// The command line or the environment cannot be used.
        case usage = 64
    }

    let code: Code
    let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as ConfigurationError: self.init(.usage, error.description)
        case let error as MigrationError: self.init(.refused, error.description)
        case let error as PostgresError:
            let unreachable = error.isConnectionFailure || error.kind == .poolTimeout
            self.init(unreachable ? .unreachable : .refused, error.debugDescription)
        case let error as FetchError: self.init(.unreachable, "\(error)")
        case let error as Problem: self.init(.refused, error.description)
        default: self.init(.refused, "\(error)")
        }
    }
}

/// Runs the body of a command: a failure goes to stderr as one message, and its code to the shell.
func runCommand(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let exit as ExitCode {
        throw exit
    } catch {
        let failure = CommandFailure(error)
        Terminal.error("ballast: \(failure.description)")
        throw ExitCode(failure.code.rawValue)
    }
}

/// Runs `body` with a pool on BALLAST_DATABASE_URL and closes it.
func withDatabase<R>(_ body: (PostgresPool) async throws -> R) async throws -> R {
    let logger = Logger(label: "ballast") { _ in SwiftLogNoOpLogHandler() }
    let pool = try Configuration().databasePool(application: "ballast-cli", logger: logger)
    do {
        let result = try await body(pool)
        await pool.close()
        return result
    } catch {
        await pool.close()
        throw error
    }
}

/// The two streams of a terminal program.
enum Terminal {
    static func out(_ text: String) { write(text, to: .standardOutput) }
    static func error(_ text: String) { write(text, to: .standardError) }

    private static func write(_ text: String, to file: FileHandle) {
        // A closed pipe (`| head`) is the reader's choice, not an error.
        try? file.write(contentsOf: Data((text + "\n").utf8))
    }
}
