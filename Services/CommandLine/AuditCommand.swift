import ArgumentParser
import PostgresClient
import ServiceKit
import WireFormat

/// The audit chain: who changed what, and whether the rows are all there and as they were.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Check and read a tenant's audit in BALLAST_DATABASE_URL.",
        subcommands: [Verify.self, Show.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check each link of the hash chain: exit 0 when it holds.",
            discussion:
                "Compare the printed head with one that was logged earlier: rows cut off at the end show only there.")

        @OptionGroup var tenant: KeysCommand.TenantOption

        func run() async throws {
            try await runCommand {
                try await withDatabase { pool in
                    let tenant = try await tenant.find(APIKeys(pool))
                    let audit = AuditTrail(pool)
                    if let fault = try await audit.verify(tenant: tenant) {
                        throw CommandFailure(.refused, "The chain breaks at row \(fault.seq): \(fault.text).")
                    }
                    let head = try await audit.heads().first { $0.tenant == tenant }
                    Terminal.out("The chain holds. Head: \(head.map { "row \($0.seq), \($0.hash)" } ?? "no rows")")
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the newest rows, newest first.")

        @Option(name: .long, help: "How many rows.")
        var limit = 50

        @OptionGroup var tenant: KeysCommand.TenantOption

        @Flag(name: .long, help: "Print JSON.")
        var json = false

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit takes 1 to 10000.") }
        }

        func run() async throws {
            try await runCommand {
                try await withDatabase { pool in
                    let entries = try await AuditTrail(pool).newest(
                        limit, tenant: try await tenant.find(APIKeys(pool)))
                    if json {
                        Terminal.out(JSONValue.array(entries.map { $0.json }).serialized(pretty: true))
                        return
                    }
                    var table = TextTable([
                        ("Row", .right), ("When", .left), ("Who", .left), ("What", .left), ("Object", .left),
                    ])
                    for entry in entries {
                        table.add(String(entry.seq), entry.at.isoString, entry.actor, entry.action, entry.object)
                    }
                    Terminal.out(table.text)
                }
            }
        }
    }
}
