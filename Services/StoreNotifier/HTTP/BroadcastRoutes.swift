import Hummingbird
import Realtime
import ServiceKit
import WebSocketTransport
import WireFormat

/// `POST /realtime/v1/api/broadcast` and `.../broadcast/{topic}/events/{event}`: broadcasts without a socket.
struct BroadcastRoutes: Sendable {
    let topics: TopicHub
    let gate: Gate
    /// Most messages of one request.
    static let mostMessages = 1000

    func add(to router: Router<BallastRequestContext>) {
        for base in ["/realtime/v1/api/broadcast", "/api/broadcast"] {
            router.post("\(base)") { request, _ in try await batch(request) }
            router.post("\(base)/{topic}/events/{event}") { request, context in
                try await single(
                    request, topic: try context.parameters.require("topic"),
                    event: try context.parameters.require("event"))
            }
            router.on("\(base)", method: .options) { _, _ in cors(Response(status: .noContent)) }
            router.on("\(base)/{topic}/events/{event}", method: .options) { _, _ in cors(Response(status: .noContent)) }
        }
    }

    private func batch(_ request: Request) async throws -> Response {
        guard let tenant = await tenant(of: request) else { return unauthorized }
        let json = try await request.jsonBody(limit: 5_000_000)
        guard let messages = json["messages"]?.arrayValue, !messages.isEmpty else {
            return invalid(["messages": ["can't be blank"]])
        }
        guard messages.count <= Self.mostMessages else {
            return cors(
                Response(
                    json: ["message": "Too many messages to broadcast, please reduce the batch size"],
                    status: .tooManyRequests))
        }
        var broadcasts: [UserBroadcast] = []
        for message in messages {
            guard let topic = message["topic"]?.stringValue, !topic.isEmpty, let event = message["event"]?.stringValue,
                !event.isEmpty, let payload = message["payload"], payload.objectValue != nil
            else { return invalid(["messages": [["topic": ["topic, event and payload are required"]]]]) }
            broadcasts.append(
                UserBroadcast(
                    topic: RealtimeTopic.prefix + topic, event: event, isJSON: true, payload: payload.bytes()))
        }
        for broadcast in broadcasts { send(broadcast, tenant) }
        return cors(Response(status: .accepted))
    }

    private func single(_ request: Request, topic: String, event: String) async throws -> Response {
        guard let tenant = await tenant(of: request) else { return unauthorized }
        let isJSON = request.mediaType == nil || request.mediaType == "application/json"
        guard isJSON || request.mediaType == "application/octet-stream" else {
            return cors(Response(json: ["message": "Unsupported Media Type"], status: .unsupportedMediaType))
        }
        let payload =
            isJSON
            ? try await request.jsonBody(limit: 5_000_000).bytes() : try await request.bodyBytes(limit: 5_000_000)
        let (topic, event) = (
            FormEncoding.decodeComponent(topic[...], plusIsSpace: false),
            FormEncoding.decodeComponent(event[...], plusIsSpace: false)
        )
        send(UserBroadcast(topic: RealtimeTopic.prefix + topic, event: event, isJSON: isJSON, payload: payload), tenant)
        return cors(Response(status: .accepted))
    }

    private func send(_ broadcast: UserBroadcast, _ tenant: String) {
        topics.broadcast(
            .init(tenant: tenant, name: broadcast.topic), broadcast, from: nil, echo: true, asBinary: !broadcast.isJSON)
    }

    private func tenant(of request: Request) async -> String? {
        var credential = request.headers[.init("apikey") ?? .authorization]
        if let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") {
            credential = String(header.dropFirst(7))
        }
        guard let identity = try? await gate.identify(credential), identity.principal.allows(.dataRead) else {
            return nil
        }
        return identity.tenant
    }

    private var unauthorized: Response { cors(Response(json: ["message": "Unauthorized"], status: .unauthorized)) }

    private func invalid(_ errors: JSONValue) -> Response {
        cors(Response(json: ["errors": errors], status: .unprocessableContent))
    }

    private func cors(_ response: Response) -> Response {
        var response = response
        response.headers[.accessControlAllowOrigin] = "*"
        response.headers[.accessControlAllowHeaders] = "authorization, x-client-info, apikey, content-type"
        return response
    }
}
