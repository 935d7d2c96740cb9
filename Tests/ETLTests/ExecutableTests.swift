import Foundation
import PostgresClient
import TestSupport
import Testing

@testable import ETL

/// The real `etl` beside the test bundle.
private enum Executable {
    static let path: String? = {
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let folders = [beside, RepositoryRoot.url.appendingPathComponent(".build/debug")]
        return folders.map { $0.appendingPathComponent("etl").path }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    static func process(_ arguments: [String], _ environment: [String: String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(path))
        process.arguments = arguments
        process.environment = ["BALLAST_ETL_OPS_PORT": "0", "PATH": "/usr/bin:/bin"].merging(environment) { _, new in
            new
        }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return process
    }

    /// Runs it to its end; returns its exit status.
    static func run(_ arguments: [String], _ environment: [String: String]) async throws -> Int32 {
        let process = try process(arguments, environment)
        return try await end(process, after: { try process.run() })
    }

    /// Waits for the end that `start` leads to.
    static func end(_ process: Process, after start: () throws -> Void) async throws -> Int32 {
        let (ends, sink) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { sink.yield($0.terminationStatus) }
        try start()
        var iterator = ends.makeAsyncIterator()
        return try #require(await iterator.next())
    }
}

@Suite(.enabled(if: Executable.path != nil, "the etl executable is not built"))
struct `The etl executable` {
    @Test(arguments: [
        "etl.after_staging=crash@1", "etl.after_staging=crash@2", "etl.before_commit=crash@1",
        "etl.before_commit=crash@3",
        "etl.after_commit=crash@2",
    ])
    func `killed in the middle of a batch and run again leaves the same table`(_ failpoint: String) async throws {
        let folder = try TemporaryFolder()
        try folder.write(try syntheticCSV(days: 2_500, symbols: 20), to: "prices.csv")
        let file = folder.path + "/prices.csv"
        let (whole, broken) = (try await Collecting(), try await Collecting())
        #expect(try await Executable.run(["import", file], ["BALLAST_DATABASE_URL": whole.database.url]) == 0)
        let environment = ["BALLAST_DATABASE_URL": broken.database.url]
        let killing = environment.merging(["FAILPOINTS_ENABLED": "1", "FAILPOINTS": failpoint]) { _, new in new }
        #expect(try await Executable.run(["import", file], killing) == 137)
        let half = try await broken.fingerprint()
        #expect(try await Executable.run(["import", file], environment) == 0)
        let expected = try await whole.fingerprint()
        #expect(expected.hasSuffix(" 50000"))
        #expect(half != expected)
        #expect(try await broken.fingerprint() == expected)
        #expect(try await broken.number("SELECT count(*) FROM ballast.etl_run WHERE status = 'interrupted'") == 1)
    }

    @Test func `serves, loads a dropped file, and stops within five seconds`() async throws {
        let collecting = try await Collecting()
        let folder = try TemporaryFolder()
        let process = try Executable.process(
            ["serve"],
            [
                "BALLAST_DATABASE_URL": collecting.database.url, "BALLAST_CSV_DIRECTORY": folder.path,
                "BALLAST_SQL_DIRECTORY": RepositoryRoot.migrations.path,
            ])
        try process.run()
        let listener = PostgresListener(try collecting.database.configuration(), logger: TestPostgres.logger)
        try await TestSupport.withDeadline(.seconds(60)) {
            listening: for try await event in listener.notifications(channels: ["rt"]) {
                switch event {
                case .connected: try folder.write("date,A\n2023-01-03,1\n", to: "a.csv")
                case .notification: break listening
                case .disconnected: break
                }
            }
        }
        #expect(try await collecting.table() == ["A 2023-01-03 1 - - csv"])
        let asked = ContinuousClock.now
        let status = try await Executable.end(process, after: { process.terminate() })
        #expect(status == 0)
        #expect(ContinuousClock.now - asked < .seconds(5))
    }

    @Test func `says what is wrong with its environment`() async throws {
        #expect(try await Executable.run(["serve"], [:]) != 0)
        let nowhere = ["BALLAST_DATABASE_URL": "postgres://x@127.0.0.1:1/x"]
        #expect(try await Executable.run(["run", "nothing"], nowhere) != 0)
        #expect(try await Executable.run(["health"], ["BALLAST_ETL_OPS_PORT": "1"]) == 1)
    }
}
