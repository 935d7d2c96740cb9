import Foundation
import HTTPTypes
import Hummingbird
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("OpenAPI document")
struct OpenAPITests {
    @Test("its paths and methods are the router's")
    func routes() async throws {
        try await ServiceUnderTest.with { service in
            let answer = try await service.client.send(.get, "/openapi.json")
            #expect(answer.status == 200)
            var documented: Set<String> = []
            for path in answer.json?["paths"]?.objectValue?.members ?? [] {
                for method in path.value.objectValue?.keys ?? [] {
                    documented.insert("\(method.uppercased()) \(path.key)")
                }
            }
            let router = Routes.router(
                service.optimizer, access: .init(authenticator: .init(keys: NoKeys(), tokens: nil)),
                registry: service.registry)
            let served = Set(
                router.routes.filter { $0.method != .head }.map { "\($0.method.rawValue) \($0.path.description)" })
            let prefixed = Set(served.map { $0.replacingOccurrences(of: "/api/v1/", with: "/api/") })
            #expect(documented == prefixed)
            // Each of them exists in both places.
            for route in documented where route.contains("/api/") {
                #expect(served.contains(route.replacingOccurrences(of: "/api/", with: "/api/v1/")))
            }
        }
    }

    @Test("every example is accepted")
    func examples() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAPL", "MSFT", "AMZN", "GOOGL", "META"])
            _ = try await service.optimize(["assets": ["AAPL", "MSFT"], "portfolio_id": "demo"])
            for path in OpenAPI.document["paths"]?.objectValue?.members ?? [] {
                for operation in path.value.objectValue?.members ?? [] {
                    for type in operation.value["requestBody"]?["content"]?.objectValue?.members ?? [] {
                        for example in type.value["examples"]?.objectValue?.members ?? [] {
                            let value = try #require(example.value["value"])
                            let method = try #require(HTTPRequest.Method(rawValue: operation.key.uppercased()))
                            let answer = try await service.client.send(
                                method, path.key.replacingOccurrences(of: "{id}", with: "demo"),
                                headers: [.authorization: "Bearer \(service.key)", .contentType: type.key],
                                body: value.stringValue ?? value.serialized())
                            #expect(answer.status == 200, "\(path.key) \(example.key): \(answer.text)")
                        }
                    }
                }
            }
        }
    }

    @Test("every reference leads somewhere, and every operation is described")
    func references() {
        let schemas = Set(OpenAPI.document["components"]?["schemas"]?.objectValue?.keys ?? [])
        func check(_ value: JSONValue) {
            if let name = value["$ref"]?.stringValue {
                #expect(schemas.contains(name.replacingOccurrences(of: "#/components/schemas/", with: "")), "\(name)")
            }
            for element in value.arrayValue ?? [] { check(element) }
            for member in value.objectValue?.members ?? [] { check(member.value) }
        }
        check(OpenAPI.document)
        for line in Routes.all {
            let isDescribed =
                Operations.all[line.operation] != nil || RebalanceSchemas.operations[line.operation] != nil
                || EvaluationSchemas.operations[line.operation] != nil
            #expect(isDescribed, "\(line.operation)")
        }
    }

    @Test("the copy in docs is this document")
    func copy() throws {
        let url = RepositoryRoot.url.appendingPathComponent("docs/openapi.json")
        let text = try String(contentsOf: url, encoding: .utf8)
        #expect(text == OpenAPI.document.serialized(pretty: true) + "\n", "run: optimizer openapi > docs/openapi.json")
    }
}
