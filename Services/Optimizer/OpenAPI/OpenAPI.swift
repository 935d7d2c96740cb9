import HTTPTypes
import ServiceKit
import WireFormat

/// The OpenAPI 3.1 document, made from the route table and the decoders' own words and ranges.
enum OpenAPI {
    static let document: JSONValue = [
        "openapi": "3.1.0",
        "info": [
            "title": "Ballast optimizer", "version": .string(ServiceVersion.release),
            "description":
                "Portfolios: optimise, keep, and recalculate when prices change. Every path under /api/ is served under /api/v1/ as well. Errors are RFC 9457 problem details.",
            "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
        ],
        "servers": [["url": "/"]],
        "security": [["bearer": []], ["apiKey": []]],
        "tags": [
            ["name": "portfolio"], ["name": "rebalance"], ["name": "jobs"], ["name": "webhooks"],
            ["name": "market-data"], ["name": "meta"],
        ],
        "paths": paths,
        "components": [
            "schemas": .object(
                JSONObject(RequestSchemas.all + AnswerSchemas.all + RebalanceSchemas.all + EvaluationSchemas.all)),
            "securitySchemes": [
                "bearer": [
                    "type": "http", "scheme": "bearer",
                    "description": "An API key or a JWT (HS256, ES256, EdDSA or RS256).",
                ],
                "apiKey": ["type": "apiKey", "in": "header", "name": "x-api-key"],
            ],
        ],
    ]

    private static let paths: JSONValue = {
        var paths = JSONObject()
        for line in Routes.all {
            var operations = paths[line.path]?.objectValue ?? JSONObject()
            operations[line.method.rawValue.lowercased()] = Operations.of(line)
            paths[line.path] = .object(operations)
        }
        return .object(paths)
    }()
}
