import Foundation
import PostgresClient
import TestSupport
import Testing

@Suite struct `LISTEN` {
    private func listen(_ database: TestDatabase, _ channels: [String]) throws -> NotificationSequence.Iterator {
        PostgresListener(try database.configuration(), logger: TestPostgres.logger).notifications(channels: channels)
            .makeAsyncIterator()
    }

    @Test func `notifications arrive in order of commit, with their channel`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool()
        let channels = ["plain", #"We"ird Name"#]
        let events = try await withDeadline {
            var iterator = try listen(database, channels)
            var events = [await iterator.next()]
            for (index, channel) in (channels + channels).enumerated() {
                try await pool.execute("SELECT pg_notify(\(channel), \("payload \(index)"))")
            }
            for _ in 0..<4 { events.append(await iterator.next()) }
            return events
        }
        #expect(
            events == [
                .connected, .notification(channel: channels[0], payload: "payload 0"),
                .notification(channel: channels[1], payload: "payload 1"),
                .notification(channel: channels[0], payload: "payload 2"),
                .notification(channel: channels[1], payload: "payload 3"),
            ])
    }

    @Test func `a killed session is made again within the back-off`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 1)
        let events = try await withDeadline {
            var iterator = try listen(database, ["c"])
            var events = [await iterator.next()]
            for round in 0..<3 {
                try await database.terminateBackends()
                events.append(await iterator.next())
                events.append(await iterator.next())
                try await pool.execute("SELECT pg_notify('c', \(String(round)))")
                events.append(await iterator.next())
            }
            return events
        }
        let round: (Int) -> [ListenEvent?] = {
            [.disconnected, .connected, .notification(channel: "c", payload: String($0))]
        }
        #expect(events == [.connected] + round(0) + round(1) + round(2))
    }

    @Test func `cancelling the task ends the sequence`() async throws {
        let database = try await TestDatabase.createEmpty()
        let (connected, signal) = AsyncStream.makeStream(of: Void.self)
        let sequence = PostgresListener(try database.configuration(), logger: TestPostgres.logger).notifications(
            channels: ["c"])
        let reader = Task {
            for await event in sequence where event == .connected { signal.yield() }
        }
        for await _ in connected { break }
        reader.cancel()
        try await withDeadline { await reader.value }
    }
}
