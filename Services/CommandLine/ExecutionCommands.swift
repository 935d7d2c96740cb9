import ArgumentParser
import HTTPFetch
import WireFormat

extension RebalanceCommand {
    /// What is said to an execution: which, and why.
    struct PlanOrder: ParsableArguments {
        @Argument(help: "The plan's id.")
        var plan: String

        @Option(name: .long, help: "Why, for the record.")
        var reason: String?
    }

    struct Execute: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "execute",
            abstract: "Trade a confirmed plan and print what became of it.",
            discussion: """
                The same call again gives the first answer. At a venue that takes its time the command returns at once; watch the plan
                to see it through.
                """)

        @Argument(help: "The plan's id.")
        var plan: String

        @Option(name: .long, help: "Where to trade: paper, or a venue of the installation.")
        var venue = "paper"

        @Option(name: .long, help: "Seed of the paper broker.")
        var seed: Int?

        @Option(name: .long, help: "Most value of one order.")
        var orderLimit: String?

        @Option(name: .long, help: "Most value of all orders of the day.")
        var dayLimit: String?

        @Option(name: .long, help: "How far a limit price may be from the plan's price, a fraction.")
        var collar: String?

        @Option(name: .long, help: "How often an order is sent, each time at a worse price.")
        var attempts: Int?

        @Option(name: .long, help: "How much worse, a fraction of the limit price.")
        var repriceStep: String?

        @Option(name: .long, help: "Seconds after which an order that waits is taken back.")
        var orderSeconds: Double?

        @Flag(name: .long, help: "Print the answer as it came.")
        var json = false

        /// The body of the call.
        var body: JSONValue {
            var limits = JSONObject()
            if let orderLimit { limits["order"] = .string(orderLimit) }
            if let dayLimit { limits["day"] = .string(dayLimit) }
            if let collar { limits["collar"] = .string(collar) }
            if let attempts { limits["attempts"] = JSONValue(attempts) }
            if let repriceStep { limits["reprice_step"] = .string(repriceStep) }
            if let orderSeconds { limits["order_seconds"] = JSONValue(orderSeconds) }
            var body = JSONObject([("venue", .string(venue))])
            if let seed { body["seed"] = JSONValue(seed) }
            if !limits.members.isEmpty { body["limits"] = .object(limits) }
            return .object(body)
        }

        func run() async throws {
            try await runCommand {
                let report = try await RebalanceCommand.send(
                    .post, "/api/rebalance/\(RebalanceCommand.escaped(plan))/execute", body: body.bytes())
                Terminal.out(json ? report.serialized(pretty: true) : ExecutionPage.text(report))
            }
        }
    }

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "watch", abstract: "Follow an execution until it has ended, then print its report.")

        @Argument(help: "The plan's id.")
        var plan: String

        @Option(name: .long, help: "Seconds between looks.")
        var interval = 1.0

        func run() async throws {
            try await runCommand {
                var last = ""
                while true {
                    let report = try await RebalanceCommand.send(
                        .get, "/api/rebalance/\(RebalanceCommand.escaped(plan))/execution")
                    let page = ExecutionPage.text(report)
                    if page != last { Terminal.out(page) }
                    last = page
                    guard
                        ["AWAITING_CONFIRM", "CONFIRMED", "EXECUTING", "PAUSED"].contains(
                            report["state"]?.stringValue ?? "")
                    else {
                        return
                    }
                    // As often as was asked for; the service is a loop away, and wants no loop without a pause.
                    try await Task.sleep(for: .seconds(max(0.05, interval)))
                }
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause", abstract: "Hold an execution: nothing new is sent, open orders stay and are booked.")

        @OptionGroup var order: PlanOrder

        func run() async throws {
            try await runCommand {
                Terminal.out(ExecutionPage.text(try await RebalanceCommand.act("pause", on: order)))
            }
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "Let a paused execution go on.")

        @OptionGroup var order: PlanOrder

        func run() async throws {
            try await runCommand {
                Terminal.out(ExecutionPage.text(try await RebalanceCommand.act("resume", on: order)))
            }
        }
    }

    /// Calls an action of a plan's execution and prints how far it is.
    static func act(_ action: String, on order: PlanOrder) async throws -> JSONValue {
        let body = JSONValue.object(JSONObject(order.reason.map { [("reason", .string($0))] } ?? []))
        return try await send(.post, "/api/rebalance/\(escaped(order.plan))/\(action)", body: body.bytes())
    }

    struct Costs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "costs", abstract: "What orders at each venue have cost beside what plans predicted.")

        @Option(name: .long, help: ArgumentHelp("Forget what a venue has taught.", valueName: "venue"))
        var forget: String?

        func run() async throws {
            try await runCommand {
                if let forget {
                    _ = try await ServiceCall().send(
                        .delete, "/api/trading/costs/\(RebalanceCommand.escaped(forget))")
                    return Terminal.out("\(forget): forgotten")
                }
                let known = try await RebalanceCommand.send(.get, "/api/trading/costs")
                var table = TextTable([("Venue", .left), ("Orders", .right), ("Spread", .right), ("Impact", .right)])
                for item in known["items"]?.arrayValue ?? [] {
                    table.add(
                        item["venue"]?.stringValue ?? "", "\(item["orders"]?.intValue ?? 0)",
                        "x " + (item["spread_factor"]?.stringValue ?? ""),
                        "x " + (item["impact_factor"]?.stringValue ?? ""))
                }
                Terminal.out(table.text)
            }
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel",
            abstract: "End an execution: nothing new is sent, open orders are taken back, what is filled stays.")

        @OptionGroup var order: PlanOrder

        func run() async throws {
            try await runCommand {
                Terminal.out(ExecutionPage.text(try await RebalanceCommand.act("cancel", on: order)))
            }
        }
    }

    struct Halt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "halt", abstract: "The kill switch: show it, turn it on, or off with --off.")

        @Flag(name: .long, help: "Turn it on: nothing new is sent anywhere, open orders are taken back.")
        var on = false

        @Flag(name: .long, help: "Turn it off.")
        var off = false

        @Option(name: .long, help: "Why, for the record.")
        var reason: String?

        func validate() throws {
            if on && off { throw ValidationError("Either --on or --off.") }
        }

        func run() async throws {
            try await runCommand {
                let state: JSONValue
                if on || off {
                    var body = JSONObject([("on", .bool(on))])
                    if let reason { body["reason"] = .string(reason) }
                    state = try await RebalanceCommand.send(
                        .put, "/api/trading/halt", body: JSONValue.object(body).bytes())
                } else {
                    state = try await RebalanceCommand.send(.get, "/api/trading/halt")
                }
                let isOn = state["on"] == true
                Terminal.out(isOn ? "Trading is halted: \(state["reason"]?.stringValue ?? "")" : "Trading is on.")
            }
        }
    }
}

/// An execution's report as a page.
enum ExecutionPage {
    static func text(_ report: JSONValue) -> String {
        func word(_ value: JSONValue?) -> String { value?.stringValue ?? "-" }
        var lines = ["Plan \(word(report["plan_id"])) at \(word(report["venue"])): \(word(report["state"]))"]
        for order in report["orders"]?.arrayValue ?? [] {
            lines.append(
                "  \(word(order["side"])) \(word(order["quantity"])) \(word(order["asset"])): \(word(order["state"])), "
                    + "\(word(order["filled"])) filled at \(word(order["average_price"])), commission \(word(order["commission"]))"
            )
        }
        for leg in report["unfilled"]?.arrayValue ?? [] {
            lines.append("  not traded: \(word(leg["quantity"])) \(word(leg["asset"])), \(word(leg["reason"]))")
        }
        if let shortfall = report["shortfall"], shortfall != .null {
            lines.append(
                "Shortfall \(word(shortfall["total"])): execution \(word(shortfall["execution"])), fees \(word(shortfall["fees"])), "
                    + "missed \(word(shortfall["opportunity"])); expected \(word(shortfall["expected"]))")
        }
        for difference in report["differences"]?.arrayValue ?? [] { lines.append("DIFFERENCE \(word(difference))") }
        return lines.joined(separator: "\n")
    }
}
