import Hummingbird
import ServiceKit
import WireFormat

/// `GET /openapi.json`: open to all, like documentation.
struct GetOpenAPI: Endpoint {
    private static let bytes = OpenAPI.document.bytes(pretty: true)

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        Response(bytes: Self.bytes, mediaType: "application/json")
    }
}
