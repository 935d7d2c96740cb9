import ArgumentParser
import Foundation
import HTTPFetch
import ServiceKit
import WireFormat

/// Plans reallocations, shows them and confirms them.
struct RebalanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebalance",
        abstract: "Plan, show, confirm, reject, execute, watch, pause, resume or cancel a reallocation.",
        discussion: """
            A plan moves holdings to their target at the least cost, tax and risk. Nothing is traded before a plan is confirmed by
            its hash, which names exactly this plan, and executed.

            Exit codes: 0 done, 1 refused, 2 not reached, 64 wrong use.
            """,
        subcommands: [
            Plan.self, Show.self, Confirm.self, Reject.self, Execute.self, Watch.self, Pause.self, Resume.self,
            Cancel.self, Halt.self, Costs.self,
        ])

    struct Plan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "plan",
            abstract: "Make a plan and print its page.",
            discussion: """
                The request is the JSON of POST /api/portfolio/rebalance, from a file or from standard input (-). With --portfolio
                holdings, target and prices come from the stored portfolio, and the file may hold settings only.
                """)

        @Argument(help: ArgumentHelp("A file with the request, or - for standard input.", valueName: "request.json"))
        var file: String

        @Option(name: .long, help: ArgumentHelp("A stored portfolio.", valueName: "id"))
        var portfolio: String?

        @Flag(name: .long, help: "Print the answer as it came.")
        var json = false

        func run() async throws {
            try await runCommand {
                let body = try RequestOptions.read(file)
                let path =
                    portfolio.map { "/api/portfolio/\(RebalanceCommand.escaped($0))/rebalance" }
                    ?? "/api/portfolio/rebalance"
                let answer = try await RebalanceCommand.send(.post, path, body: body)
                try RebalanceCommand.show(answer, json: json)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Print a plan and where it stands.")

        @Argument(help: "The plan's id.")
        var plan: String

        @Flag(name: .long, help: "Print the answer as it came.")
        var json = false

        func run() async throws {
            try await runCommand {
                let answer = try await RebalanceCommand.send(.get, "/api/rebalance/\(RebalanceCommand.escaped(plan))")
                try RebalanceCommand.show(answer, json: json)
            }
        }
    }

    struct Confirm: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "confirm", abstract: "Confirm exactly the plan with this hash.")

        @Argument(help: "The plan's id.")
        var plan: String

        @Argument(help: "The plan's hash, as the plan was printed.")
        var hash: String

        @Option(name: .long, help: "Makes a repeated call one with the first (Idempotency-Key).")
        var idempotencyKey: String?

        func run() async throws {
            try await runCommand {
                let body: JSONValue = ["plan_hash": .string(hash)]
                let headers = idempotencyKey.map { [HTTPHeader("Idempotency-Key", $0)] } ?? []
                let answer = try await RebalanceCommand.send(
                    .post, "/api/rebalance/\(RebalanceCommand.escaped(plan))/confirm", body: body.bytes(),
                    headers: headers)
                Terminal.out("\(answer["plan_id"]?.stringValue ?? plan): \(answer["state"]?.stringValue ?? "")")
            }
        }
    }

    struct Reject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "reject", abstract: "Reject a plan.")

        @OptionGroup var order: PlanOrder

        func run() async throws {
            try await runCommand {
                let answer = try await RebalanceCommand.act("reject", on: order)
                Terminal.out("\(answer["plan_id"]?.stringValue ?? order.plan): \(answer["state"]?.stringValue ?? "")")
            }
        }
    }

    // MARK: Calls

    static func escaped(_ id: String) -> String {
        id.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_"))) ?? id
    }

    static func send(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]? = nil, headers more: [HTTPHeader] = []
    ) async throws -> JSONValue {
        try await ServiceCall().send(method, path, body: body, headers: more).json
    }

    /// The plan's own page, then what a person needs to confirm it.
    private static func show(_ plan: JSONValue, json: Bool) throws {
        guard !json else { return Terminal.out(plan.serialized(pretty: true)) }
        Terminal.out(plan["summary"]?.stringValue ?? "")
        Terminal.out("")
        Terminal.out("State    \(plan["state"]?.stringValue ?? "")")
        guard let id = plan["plan_id"]?.stringValue else { return }
        Terminal.out("Plan     \(id)")
        Terminal.out("Hash     \(plan["plan_hash"]?.stringValue ?? "")")
        Terminal.out("Expires  \(plan["expires_at"]?.stringValue ?? "")")
        if plan["state"]?.stringValue == "AWAITING_CONFIRM" {
            Terminal.out("Confirm with: ballast rebalance confirm \(id) \(plan["plan_hash"]?.stringValue ?? "")")
        }
    }
}
