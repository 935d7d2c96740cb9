import HTTPFetch
import ServiceKit
import WireFormat

/// What one service says of itself on its operations port.
struct ServiceStatus: Sendable {
    let name: String
    let address: String
    var isReachable = false
    var isReady = false
    var version: String?
    var checks: [(name: String, isOK: Bool, detail: String)] = []
    var failure: String?

    /// Where the operations ports are, by the environment.
    static func addresses(_ configuration: Configuration) throws -> [(name: String, url: String)] {
        let host = try configuration.value(Options.opsHost)
        func url(_ option: ConfigurationOption<Int>) throws -> String {
            "http://\(host.contains(":") ? "[\(host)]" : host):\(try configuration.value(option))"
        }
        return [
            ("optimizer", try configuration.value(CommandOptions.opsURL) ?? url(Options.optimizerOpsPort)),
            ("store-notifier", try url(Options.notifierOpsPort)), ("etl", try url(Options.etlOpsPort)),
        ]
    }

    /// Asks one service; a service that does not answer is a status, not an error.
    static func ask(_ name: String, at address: String) async -> ServiceStatus {
        var status = ServiceStatus(name: name, address: address)
        do {
            let ready = try await get("/readyz", at: address)
            status.isReachable = true
            status.isReady = ready.status == 200
            let report = try? StrictJSON.parse(ready.body)
            for check in report?["checks"]?.objectValue?.members ?? [] {
                status.checks.append(
                    (check.key, check.value["ok"]?.boolValue ?? false, check.value["detail"]?.stringValue ?? ""))
            }
            status.version = try StrictJSON.parse(try await get("/version", at: address).body)["version"]?.stringValue
        } catch {
            status.failure = "\(error)"
        }
        return status
    }

    private static func get(_ path: String, at address: String) async throws -> HTTPResponse {
        let base = address.hasSuffix("/") ? String(address.dropLast()) : address
        var configuration = HTTPClient.Configuration()
        configuration.insecureHosts = [try HTTPAddress(base).host]
        var request = HTTPRequest(.get, base + path)
        request.timeout = .seconds(3)
        request.connectTimeout = .seconds(2)
        return try await HTTPClient(configuration: configuration).fetch(request)
    }

    var json: JSONValue {
        [
            "name": .string(name), "address": .string(address), "reachable": .bool(isReachable),
            "ready": .bool(isReady),
            "version": JSONValue(version),
            "checks": .object(
                JSONObject(checks.map { ($0.name, ["ok": .bool($0.isOK), "detail": .string($0.detail)]) })),
            "failure": JSONValue(failure),
        ]
    }
}
