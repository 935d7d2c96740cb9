import ArgumentParser
import Foundation
import PostgresClient
import ServiceKit
import WireFormat

/// API keys, directly in the database: for operators, so that a lost key needs no key.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Create, list, rotate and revoke API keys in BALLAST_DATABASE_URL.",
        subcommands: [Create.self, List.self, Rotate.self, Revoke.self])

    struct TenantOption: ParsableArguments {
        @Option(name: .long, help: ArgumentHelp("Name or id of the tenant.", valueName: "tenant"))
        var tenant: String = "default"

        func find(_ keys: APIKeys) async throws -> UUID {
            guard let tenant = try await keys.tenant(tenant) else {
                throw CommandFailure(.usage, "There is no tenant \(self.tenant).")
            }
            return tenant
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a key. It is printed once and cannot be read again.",
            discussion: "Scopes: \(Scope.allCases.map { $0.rawValue }.joined(separator: ", ")).")

        @Option(name: .long, help: "What the key is for.")
        var name: String

        @Option(name: .long, help: ArgumentHelp("What the key may do, separated by commas.", valueName: "a,b"))
        var scopes: ScopeList

        @Option(name: .long, help: ArgumentHelp("How long it is valid: 90d, 12h, 30m or seconds.", valueName: "time"))
        var expiresIn: Lifetime?

        @Option(
            name: .long,
            help: ArgumentHelp("Most requests a minute; by default BALLAST_RATE_LIMIT_KEY.", valueName: "n"))
        var rateLimit: Int?

        @OptionGroup var tenant: TenantOption

        @Flag(name: .long, help: "Print JSON.")
        var json = false

        func validate() throws {
            guard (1...200).contains(name.count) else { throw ValidationError("--name takes 1 to 200 characters.") }
            if let rateLimit, !(1...1_000_000_000).contains(rateLimit) {
                throw ValidationError("--rate-limit takes a number from 1 to 1000000000.")
            }
        }

        func run() async throws {
            try await runCommand {
                try await withDatabase { pool in
                    let keys = APIKeys(pool)
                    let token = try await keys.create(
                        name: name, scopes: scopes.scopes, tenant: try await tenant.find(keys),
                        lifetime: expiresIn?.duration, requestsPerMinute: rateLimit)
                    KeysCommand.show(token, json: json)
                }
            }
        }
    }

    /// The only time that a key is shown.
    private static func show(_ token: APIKeyToken, json: Bool) {
        if json {
            let answer: JSONValue = ["key_id": .string(token.keyID), "key": .string(token.reveal())]
            Terminal.out(answer.serialized())
        } else {
            Terminal.out(token.reveal())
            Terminal.error("Keep this key: it is not shown again. Revoke it with: ballast keys revoke \(token.keyID)")
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a successor of a key, with its name, scopes and limit; the old one ends after a while.")

        @Argument(help: ArgumentHelp("The key's id, the 8 characters after bk_.", valueName: "id"))
        var id: String

        @Option(
            name: .long, help: ArgumentHelp("How long both are valid: 90d, 12h, 30m or seconds.", valueName: "time"))
        var grace = Lifetime.day

        @OptionGroup var tenant: TenantOption

        @Flag(name: .long, help: "Print JSON.")
        var json = false

        func run() async throws {
            try await runCommand {
                try await withDatabase { pool in
                    let keys = APIKeys(pool)
                    let token = try await keys.rotate(id, grace: grace.duration, tenant: try await tenant.find(keys))
                    guard let token else { throw CommandFailure(.refused, "There is no valid key \(id).") }
                    KeysCommand.show(token, json: json)
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys of a tenant, without their secrets.")

        @OptionGroup var tenant: TenantOption

        @Flag(name: .long, help: "Print JSON.")
        var json = false

        func run() async throws {
            try await runCommand {
                try await withDatabase { pool in
                    let keys = APIKeys(pool)
                    let records = try await keys.list(tenant: try await tenant.find(keys))
                    Terminal.out(json ? Self.json(records).serialized(pretty: true) : Self.table(records))
                }
            }
        }

        static func json(_ records: [APIKeys.Record]) -> JSONValue {
            .array(
                records.map { record in
                    [
                        "key_id": .string(record.keyID), "name": .string(record.name),
                        "scopes": JSONValue(record.scopes),
                        "created_at": .string(record.createdAt.isoString),
                        "expires_at": JSONValue(record.expiresAt?.isoString),
                        "revoked_at": JSONValue(record.revokedAt?.isoString),
                        "last_used_at": JSONValue(record.lastUsedAt?.isoString),
                    ]
                })
        }

        static func table(_ records: [APIKeys.Record]) -> String {
            var table = TextTable([
                ("Key", .left), ("Name", .left), ("Scopes", .left), ("Created", .left), ("Last used", .left),
                ("State", .left),
            ])
            for record in records {
                let state =
                    if let revoked = record.revokedAt {
                        "revoked \(revoked.date)"
                    } else if let expires = record.expiresAt {
                        "until \(expires.date)"
                    } else { "valid" }
                table.add(
                    record.keyID, record.name, record.scopes.joined(separator: ","), record.createdAt.date.description,
                    record.lastUsedAt?.date.description ?? "-", state)
            }
            return table.text
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a key: every service refuses it within 5 seconds.")

        @Argument(help: ArgumentHelp("The key's id, the 8 characters after bk_.", valueName: "id"))
        var id: String

        @OptionGroup var tenant: TenantOption

        func run() async throws {
            try await runCommand {
                try await withDatabase { pool in
                    let keys = APIKeys(pool)
                    guard try await keys.revoke(id, tenant: try await tenant.find(keys)) else {
                        throw CommandFailure(.refused, "There is no valid key \(id).")
                    }
                    Terminal.out("Revoked \(id).")
                }
            }
        }
    }
}
