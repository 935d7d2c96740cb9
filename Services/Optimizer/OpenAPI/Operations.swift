import HTTPTypes
import WireFormat

/// The description of each operation of the route table.
enum Operations {
    /// What an operation has beyond its route.
    struct Description: Sendable {
        var summary: String
        var tag = "portfolio"
        var parameters: [JSONValue] = []
        var body: JSONValue?
        /// Status, what it is, the schema of its JSON.
        var success: (status: String, text: String, schema: String?) = ("200", "The answer.", nil)
        /// Headers of the success, e.g. ETag.
        var headers: JSONObject?
        var notModified = false
        /// The request may become a job: 202 with its place.
        var accepted = false
        var mediaType = "application/json"
        /// Statuses of problems beside those that every operation may answer.
        var problems: [String] = []
    }

    static func of(_ line: Routes.Line) -> JSONValue {
        let description =
            all[line.operation] ?? EvaluationSchemas.operations[line.operation] ?? RebalanceSchemas.operations[
                line.operation] ?? Description(summary: line.operation)
        var object = JSONObject([
            ("operationId", .string(line.operation)), ("summary", .string(description.summary)),
            ("tags", [.string(description.tag)]),
        ])
        if line.isOpen { object["security"] = [] }
        let takesKey = !line.isOpen && [.post, .put, .delete].contains(line.method)
        let parameters = pathParameters(line.path) + description.parameters + (takesKey ? [idempotencyKey] : [])
        if !parameters.isEmpty { object["parameters"] = .array(parameters) }
        if let body = description.body { object["requestBody"] = body }
        var responses = JSONObject()
        var success = JSONObject([("description", .string(description.success.text))])
        if let schema = description.success.schema {
            success["content"] = .object(
                JSONObject([(description.mediaType, ["schema": Schema.reference(schema)])]))
        } else if description.mediaType != "application/json" {
            // Of a stream of events the schema is that of an event.
            success["content"] = .object(JSONObject([(description.mediaType, ["schema": ["type": "object"]])]))
        } else if line.operation == "getOpenAPI" {
            success["content"] = ["application/json": ["schema": ["type": "object"]]]
        }
        if let headers = description.headers { success["headers"] = .object(headers) }
        responses[description.success.status] = .object(success)
        if description.accepted {
            responses["202"] = [
                "description": "The request has become a job.",
                "headers": ["Location": ["description": "The job.", "schema": ["type": "string"]]],
                "content": ["application/json": ["schema": Schema.reference("Job")]],
            ]
        }
        if description.notModified { responses["304"] = ["description": "The caller has it already."] }
        let common = line.isOpen ? ["500"] : ["401", "403", "422", "429", "500", "503", "504"]
        let keyed = takesKey ? ["400", "408", "409", "413"] : []
        for status in Set(common + keyed + description.problems).sorted() { responses[status] = problem(status) }
        object["responses"] = .object(responses)
        return .object(object)
    }

    private static func problem(_ status: String) -> JSONValue {
        let words = [
            "400": "The body or a header cannot be read.", "401": "No or bad credentials.",
            "403": "The scope is missing.",
            "404": "There is none of this name for this tenant.", "408": "The body took too long.",
            "409": "The state does not allow it, or a request with this Idempotency-Key is still running.",
            "412": "The hash is not the plan's.",
            "413": "The body is too large.",
            "415": "The media type is not taken.", "422": "Understood, and not possible.",
            "429": "Too many requests; RateLimit says how many are left, Retry-After when to come back.",
            "500": "A bug of ours.",
            "503": "Try again after Retry-After.", "504": "The deadline has passed.",
        ]
        return [
            "description": .string(words[status] ?? "A problem."),
            "content": ["application/problem+json": ["schema": Schema.reference("Problem")]],
        ]
    }

    private static func pathParameters(_ path: String) -> [JSONValue] {
        let portfolio: JSONValue = ["type": "string", "pattern": "^[0-9A-Za-z_-]{4,64}$"]
        let made: JSONValue = ["type": "string", "pattern": "^[0-9a-z]{14}$"]
        let known: [(name: String, description: String, schema: JSONValue, example: JSONValue?)] = [
            ("id", "The portfolio.", portfolio, "demo"), ("job", "The job.", made, nil),
            ("plan", "The plan.", portfolio, "demo"), ("webhook", "The webhook.", made, nil),
            ("venue", "A venue.", Schema.text("Its name.", length: 0...32), "paper"),
            ("symbol", "An asset's symbol or former name.", RequestSchemas.symbol, "AAPL"),
        ]
        return known.filter { path.contains("{\($0.name)}") }.map { parameter in
            var object = JSONObject([
                ("name", .string(parameter.name)), ("in", "path"), ("required", true),
                ("description", .string(parameter.description)), ("schema", parameter.schema),
            ])
            if let example = parameter.example { object["example"] = example }
            return .object(object)
        }
    }

    static func query(_ name: String, _ description: String, _ schema: JSONValue) -> JSONValue {
        [
            "name": .string(name), "in": "query", "required": false, "description": .string(description),
            "schema": schema,
        ]
    }

    static func header(_ name: String, _ description: String, _ schema: JSONValue) -> JSONValue {
        [
            "name": .string(name), "in": "header", "required": false, "description": .string(description),
            "schema": schema,
        ]
    }

    private static let idempotencyKey = header(
        "Idempotency-Key",
        "Your own name for this request: sent again with it, the request gets the first one's answer for a day.",
        Schema.text("A new one for each request.", pattern: "^[!#-~]{1,255}$"))

    static func json(_ schema: String, _ examples: [(String, JSONValue)]) -> JSONValue {
        [
            "required": true,
            "content": [
                "application/json": [
                    "schema": Schema.reference(schema),
                    "examples": .object(JSONObject(examples.map { ($0.0, ["value": $0.1]) })),
                ]
            ],
        ]
    }

    private static let limit = query(
        "limit", "Most items of a page.", Schema.integer("1 to 500.", 1...500, standard: 50))
    static let body = ["400", "408", "413", "415"]

    static let all: [String: Description] = [
        "optimize": Description(
            summary: "Optimise a portfolio",
            parameters: [
                query(
                    "async", "Answer at once with a job, as Prefer: respond-async does.",
                    Schema.flag("Whether to wait.", standard: false)),
                header(
                    "Prefer", "handling=strict turns every warning into a 422; respond-async makes the request a job.",
                    Schema.said("RFC 7240; what is not known is ignored.")),
                header(
                    "X-Request-Timeout",
                    "Seconds to wait, cut to 60; 4 by default. What has no answer by then becomes a job.",
                    Schema.number("Seconds.", Interval(lower: 1, upper: 3600))),
            ],
            body: json("OptimizeRequest", Examples.optimize),
            success: ("200", "The best portfolio, verified.", "OptimizeAnswer"), accepted: true,
            problems: body),
        "listPortfolios": Description(
            summary: "The stored portfolios, newest first",
            parameters: [
                limit,
                query(
                    "after", "From the member next of a page.",
                    Schema.text("A cursor.", pattern: "^[0-9]{1,18}[.][0-9A-Za-z_-]{4,64}$")),
            ], success: ("200", "A page.", "PortfolioPage")),
        "getPortfolio": Description(
            summary: "A portfolio with the result that stands",
            parameters: [
                header("If-None-Match", "The ETag of an earlier answer.", Schema.said("A list of entity tags, or *."))
            ],
            success: ("200", "The result.", "StoredAnswer"),
            headers: JSONObject([
                ("ETag", ["description": "A strong hash of the answer.", "schema": ["type": "string"]])
            ]),
            notModified: true, problems: ["404"]),
        "deletePortfolio": Description(
            summary: "Remove a portfolio with its results and holdings", success: ("204", "It is gone.", nil),
            problems: ["404"]),
        "getHistory": Description(
            summary: "Past results, newest first, one for each input",
            parameters: [
                limit, query("before", "Revisions below this one.", Schema.integer("A revision.", 1...Int.max)),
            ],
            success: ("200", "A page.", "HistoryPage"), problems: ["404"]),
        "getRecalculation": Description(
            summary: "When the portfolio is recalculated, and how its job stands",
            success: ("200", "The state.", "RecalculationState"),
            problems: ["404"]),
        "putRecalculation": Description(
            summary: "Change when the portfolio is recalculated; absent members stay",
            body: json("Recalculation", Examples.recalculation),
            success: ("200", "The settings.", "RecalculationSettings"), problems: body + ["404"]),
        "getHoldings": Description(
            summary: "Cash, positions and tax lots", success: ("200", "The holdings.", "StoredHoldings"),
            problems: ["404"]),
        "putHoldings": Description(
            summary: "Replace cash, positions and tax lots", body: json("Holdings", Examples.holdings),
            success: ("200", "The holdings.", "StoredHoldings"), problems: body + ["404", "409"]),
        "getGains": Description(
            summary: "Results that executed plans have booked in a year, with their wash sales",
            parameters: [query("year", "The current one by default.", Schema.integer("1900 to 9998.", 1900...9998))],
            success: ("200", "Sales and sums.", "BookedGains"), problems: ["404"]),
        "getMarketData": Description(
            summary: "Stored bars of a symbol, oldest first", tag: "market-data",
            parameters: [
                query("start", "First day.", RequestSchemas.date), query("end", "Last day.", RequestSchemas.date),
                query("interval", "The bars' length.", Schema.text("As 1d.", pattern: "^[1-9][0-9]{0,3}[smhdw]$")),
                query("limit", "Most bars.", Schema.integer("1 to 10,000.", 1...10_000, standard: 1000)),
            ], success: ("200", "A page.", "MarketDataPage"), problems: ["404"]),
        "pushMarketData": Description(
            summary: "Push bars; bad lines are set aside, the rest is stored", tag: "market-data",
            body: Examples.pushBody,
            success: ("200", "What became of each line.", "PushAnswer"), problems: body),
        "getJob": Description(
            summary: "How a job stands, and what it came to", tag: "jobs", success: ("200", "The job.", "Job"),
            problems: ["404"]),
        "getJobEvents": Description(
            summary: "A job's progress as server-sent events, to its end", tag: "jobs",
            parameters: [
                header(
                    "Last-Event-ID", "The id of the last event that was received.",
                    Schema.text("A number; empty begins anew.", pattern: "^[0-9]{0,9}$"))
            ],
            success: ("200", "Events: progress, then one of done, failed, cancelled with the whole job.", nil),
            mediaType: "text/event-stream", problems: ["400", "404"]),
        "cancelJob": Description(
            summary: "Cancel a job that has not ended", tag: "jobs", success: ("200", "It is cancelled.", "Job"),
            problems: ["404"]),
        "listWebhooks": Description(
            summary: "The webhooks, and how their deliveries stand", tag: "webhooks",
            success: ("200", "The webhooks.", "WebhookPage")),
        "addWebhook": Description(
            summary: "Tell an address of what happens, signed; the secret is in this answer only", tag: "webhooks",
            body: json("Webhook", []), success: ("201", "It is told from now on.", "NewWebhook"),
            problems: body + ["409"]),
        "removeWebhook": Description(
            summary: "Tell it no more", tag: "webhooks", success: ("204", "It is gone.", nil), problems: ["404"]),
        "getOpenAPI": Description(summary: "This document", tag: "meta"),
    ]
}
