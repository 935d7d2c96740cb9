import Foundation
import PostgresClient
import Realtime
import ServiceKit
import TestSupport
import Testing
import WebSocketTransport
import WireFormat

@testable import StoreNotifier

@Suite("Changes over a socket", .timeLimit(.minutes(3)))
struct ChangesTests {
    @Test("insert, update and delete arrive, filtered, with their digits", arguments: RealtimeVersion.allCases)
    func changes(version: RealtimeVersion) async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        try await RunningNotifier.run(database) { notifier in
            let client = try await notifier.connect(version)
            let reply = try await client.join("realtime:p", changes: [Client.binding("asset_symbol=eq.AAPL")])
            let id = try #require(reply["response"]?["postgres_changes"]?[0]?["id"]?.intValue)
            #expect(try await client.next("system").payload["message"] == "Subscribed to PostgreSQL")
            try await pool.insertPrice("MSFT", hour: 0)
            try await pool.insertPrice("AAPL", hour: 0, price: "185.6400")
            let insert = try await client.nextChange()
            #expect(insert.kind == .insert && insert.ids == [id] && insert.oldRecord == nil)
            #expect(insert.record?["price"]?.numberValue?.text == "185.6400")
            #expect(insert.record?["timestamp"] == "2024-01-01T00:00:00+00:00")
            try await pool.execute("UPDATE market_data SET price = 190 WHERE asset_symbol IN ('AAPL', 'MSFT')")
            let update = try await client.nextChange()
            #expect(update.kind == .update && update.record?["price"] == 190)
            #expect(update.oldRecord?["price"]?.numberValue?.text == "185.6400")
            try await pool.execute("DELETE FROM market_data")
            let delete = try await client.nextChange()
            #expect(delete.kind == .delete && delete.record == nil && delete.oldRecord?["asset_symbol"] == "AAPL")
            #expect(insert.commitTimestamp < update.commitTimestamp && update.commitTimestamp < delete.commitTimestamp)
        }
    }

    @Test func `two bindings of a channel share a message, another select has its own`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        try await RunningNotifier.run(database) { notifier in
            let client = try await notifier.connect()
            var selected = try #require(Client.binding().objectValue)
            selected["select"] = ["price"]
            let reply = try await client.join(
                "realtime:p",
                changes: [Client.binding(), Client.binding("price=gt.1", event: "INSERT"), .object(selected)])
            let ids = (reply["response"]?["postgres_changes"]?.arrayValue ?? []).compactMap { $0["id"]?.intValue }
            try await pool.insertPrice("X", hour: 0)
            let (first, second) = (try await client.nextChange(), try await client.nextChange())
            #expect(first.ids == [ids[0], ids[1]] && first.record?.count ?? 0 > 5)
            #expect(second.ids == [ids[2]] && second.record?.keys == ["price"])
        }
    }

    @Test func `rows of a tenant go to that tenant only, shared rows to all`() async throws {
        let database = try await TestDatabase.create()
        let admin = try database.adminPool()
        let (a, b) = (Tenants.standard, UUID())
        try await admin.execute("INSERT INTO ballast.tenant (tenant_id, name) VALUES (\(b), 'b')")
        try await RunningNotifier.run(database) { notifier in
            let ofA = try await notifier.connect(token: try await RunningNotifier.token(tenant: a))
            let ofB = try await notifier.connect(token: try await RunningNotifier.token(tenant: b))
            for client in [ofA, ofB] {
                try await client.join(
                    "realtime:all",
                    changes: [
                        Client.binding(table: "*", schema: "*"),
                        Client.binding("name=eq.of b", table: "portfolio", schema: "ballast"),
                    ])
            }
            for (tenant, name) in [(a, "of a"), (b, "of b")] {
                try await admin.execute(
                    """
                    INSERT INTO ballast.portfolio (tenant_id, portfolio_id, name, request, request_hash)
                    VALUES (\(tenant), 'same', \(name), '{}', '\\x00')
                    """)
            }
            try await admin.insertPrice("S", hour: 0)
            for (client, name, ids) in [(ofA, "of a", 1), (ofB, "of b", 2)] {
                let own = try await client.nextChange()
                #expect(own.table == "portfolio" && own.record?["name"] == .string(name) && own.ids.count == ids)
                #expect(try await client.nextChange().table == "market_data")
            }
        }
    }

    @Test(
        "bindings that cannot be served say so and leave the channel open",
        arguments: [
            (Client.binding("nope=eq.1"), "Exception: invalid column for filter nope"),
            (Client.binding("price=eq.x"), "Exception: invalid input syntax for type numeric: \"x\""),
            (Client.binding("foo"), "Error parsing `filter` params: [\"foo\"]"),
            (Client.binding(table: "nope"), "Please check Realtime is enabled for the given connect parameters"),
            (Client.binding(table: "api_key", schema: "ballast"), "Please check Realtime is enabled"),
            (["event": "*"], "No subscription params provided."),
        ] as [(JSONValue, String)])
    func faults(binding: JSONValue, text: String) async throws {
        let database = try await TestDatabase.create()
        try await RunningNotifier.run(database) { notifier in
            let client = try await notifier.connect()
            #expect(try await client.join("realtime:f", changes: [binding])["status"] == "ok")
            let system = try await client.next("system")
            #expect(system.payload["status"] == "error" && system.payload["extension"] == "postgres_changes")
            #expect(system.payload["message"]?.stringValue?.contains(text) == true)
            let ref = client.send("phx_leave", "realtime:f")
            #expect(try await client.next("phx_reply").ref == ref)
        }
    }

    @Test func `nothing committed after the reply to a join is missed`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        try await RunningNotifier.run(database) { notifier in
            for round in 0..<20 {
                let client = try await notifier.connect()
                try await client.join("realtime:r", changes: [Client.binding("asset_symbol=eq.R\(round)")])
                // At once, before `Subscribed to PostgreSQL` is read.
                try await pool.insertPrice("R\(round)", hour: round)
                #expect(try await client.nextChange().record?["asset_symbol"] == .string("R\(round)"))
                client.connection.abort()
            }
        }
    }

    @Test func `killed backends and a busy log close no socket and lose nothing`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        try await RunningNotifier.run(database) { notifier in
            let client = try await notifier.connect()
            try await client.join("realtime:k", changes: [Client.binding()])
            for round in 0..<5 {
                try await database.terminateBackends()
                for n in 0..<10 {
                    let hour = round * 10 + n
                    while true {
                        do {
                            try await pool.insertPrice("K", hour: hour)
                            break
                        } catch let error as PostgresError where error.isConnectionFailure {
                            continue
                        } catch let error as PostgresError where error.isUniqueViolation {
                            break
                        }
                    }
                }
            }
            var seen: [String] = []
            while Set(seen).count < 50 {
                let message = try await client.next()
                // No error may be sent for a fault that passes: it would end a Python client's channel.
                #expect(message.payload["status"] != "error")
                guard let change = RealtimeChange(payload: message.payload) else { continue }
                seen.append(change.record?["timestamp"]?.stringValue ?? "")
            }
            #expect(seen == seen.sorted() && Set(seen).count == seen.count)
        }
    }

    @Test func `a client that does not read falls behind, costs no memory, and catches up without a gap`() async throws
    {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let rows: Int64 = 20_000
        try await RunningNotifier.run(database, configure: { $0.webSocket.outboundLimit = 100_000 }) { notifier in
            let client = try await notifier.connect()
            try await client.join("realtime:slow", changes: [Client.binding()])
            // Far more than the buffers of both sockets and both ends hold.
            try await pool.execute(
                """
                INSERT INTO market_data (asset_symbol, "timestamp", price)
                SELECT 'S', '2000-01-01Z'::timestamptz + n * interval '1 minute', 1 FROM generate_series(1, \(rows)) n
                """)
            let quick = try await notifier.connect()
            try await quick.join("realtime:quick", changes: [Client.binding("asset_symbol=eq.Q")])
            try await pool.insertPrice("Q", hour: 0)
            #expect(try await quick.nextChange().record?["asset_symbol"] == "Q")
            var (count, last) = (Int64(0), "")
            while count < rows {
                let change = try await client.nextChange()
                #expect(change.commitTimestamp > last)
                last = change.commitTimestamp
                if change.record?["asset_symbol"] == "S" { count += 1 }
            }
        }
    }

    @Test func `of two notifiers one makes the ticks and both deliver; the other takes over`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        try await RunningNotifier.run(database) { second in
            let survivor = try await second.connect()
            try await survivor.join("realtime:x", changes: [Client.binding()])
            try await RunningNotifier.run(database) { first in
                let client = try await first.connect()
                try await client.join("realtime:x", changes: [Client.binding()])
                try await pool.insertPrice("T", hour: 0)
                let (a, b) = (try await client.nextChange(), try await survivor.nextChange())
                #expect(a == b)
            }
            try await pool.insertPrice("T", hour: 1)
            #expect(try await survivor.nextChange().record?["timestamp"] == "2024-01-01T01:00:00+00:00")
        }
    }
}
