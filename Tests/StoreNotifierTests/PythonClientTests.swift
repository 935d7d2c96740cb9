import Foundation
import PostgresClient
import TestSupport
import Testing

@testable import StoreNotifier

/// The client of PyPI, unmodified. `BALLAST_TEST_PYTHON` names a python that has `realtime` installed.
enum PythonClient {
    static let interpreter = ProcessInfo.processInfo.environment["BALLAST_TEST_PYTHON"] ?? ""
    /// In CI its absence is a failure, not a skip.
    static let isWanted = !interpreter.isEmpty || ProcessInfo.processInfo.environment["CI"] != nil

    static func run(_ script: String, _ arguments: [String]) async throws -> String {
        guard !interpreter.isEmpty else {
            Issue.record("BALLAST_TEST_PYTHON is not set")
            return ""
        }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("ballast-\(UUID().uuidString).py")
        try script.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await ChildProcess.output(
            interpreter, [file.path] + arguments, environment: ["PATH": "/usr/bin:/bin"])
    }
}

@Suite(
    "The PyPI client realtime", .enabled(if: PythonClient.isWanted, "BALLAST_TEST_PYTHON is not set"),
    .timeLimit(.minutes(2)))
struct PythonClientTests {
    @Test func `subscribes to market_data and receives what SQL commits`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let token = try await RunningNotifier.token()
        let output = try await RunningNotifier.run(database) { notifier in
            // The script subscribes, then waits for its marker: rows are written until it has seen what it wants.
            let writer = Task {
                var hour = 0
                while !Task.isCancelled {
                    try await pool.insertPrice("AAPL", hour: hour, price: "189.25")
                    try await pool.insertPrice("MSFT", hour: hour)
                    try await pool.execute("UPDATE market_data SET price = price + 1 WHERE asset_symbol = 'AAPL'")
                    try await pool.execute("DELETE FROM market_data")
                    hour += 1
                }
            }
            let output = try await PythonClient.run(
                Self.script, ["ws://127.0.0.1:\(notifier.port)/realtime/v1", token, "asset_symbol=eq.AAPL"])
            writer.cancel()
            return output
        }
        let lines = output.split(separator: "\n").map(String.init)
        #expect(lines.contains("state SUBSCRIBED"))
        #expect(lines.contains("system ok Subscribed to PostgreSQL"))
        #expect(lines.contains("INSERT AAPL 189.25"))
        #expect(lines.contains { $0.hasPrefix("UPDATE AAPL ") })
        #expect(lines.contains { $0.hasPrefix("DELETE AAPL") })
        #expect(!output.contains("MSFT"))
        #expect(lines.last == "left")
    }

    static let script = """
        import asyncio, sys
        from realtime import AsyncRealtimeClient

        async def main(url, token, filter):
            client = AsyncRealtimeClient(url, token)
            await client.connect()
            channel = client.channel("prices")
            kinds, done = set(), asyncio.Event()
            def on_change(payload):
                data = payload["data"]
                row = data.get("record") or data["old_record"]
                print(data["type"].value if hasattr(data["type"], "value") else data["type"], row["asset_symbol"], row["price"], flush=True)
                kinds.add(str(data["type"]))
                if len(kinds) == 3: done.set()
            system = asyncio.Event()
            def on_system(payload):
                print("system", payload.status if hasattr(payload, "status") else payload["status"],
                      payload.message if hasattr(payload, "message") else payload["message"], flush=True)
                system.set()
            channel.on_postgres_changes("*", schema="public", table="market_data", filter=filter, callback=on_change)
            channel.on_system(on_system)
            await channel.subscribe(lambda state, error=None: print("state", state.value if hasattr(state, "value") else state, error or "", sep=" ", end="\\n", flush=True) if error else print("state", state.value if hasattr(state, "value") else state, flush=True))
            await asyncio.wait_for(system.wait(), 20)
            await asyncio.wait_for(done.wait(), 20)
            await channel.unsubscribe()
            await client.close()
            print("left", flush=True)

        asyncio.run(main(*sys.argv[1:4]))
        """
}
