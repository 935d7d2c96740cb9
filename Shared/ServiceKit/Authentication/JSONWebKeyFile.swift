public import Logging
public import ServiceLifecycle

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The part that keeps a verifier's keys up to date; empty where there is no key file.
public func tokenKeyServices(
    _ tokens: (verifier: JWTVerifier, keyFile: String?)?, logger: Logger
) -> [any Service] {
    guard let tokens, let path = tokens.keyFile else { return [] }
    return [JSONWebKeyFile(path, tokens: tokens.verifier, logger: logger)]
}

/// Reads a key set from a file, and again whenever the file changes: keys are rotated without a restart.
public struct JSONWebKeyFile: Service {
    private let path: String
    private let tokens: JWTVerifier
    private let interval: Duration
    private let logger: Logger
    private let onReload: @Sendable () -> Void

    /// - Parameters:
    ///   - interval: how often the file is looked at.
    ///   - onReload: told after each time that the keys were replaced; tests wait for it.
    public init(
        _ path: String, tokens: JWTVerifier, interval: Duration = .seconds(5), logger: Logger,
        onReload: @escaping @Sendable () -> Void = {}
    ) {
        self.path = path
        self.tokens = tokens
        self.interval = interval
        self.logger = logger
        self.onReload = onReload
    }

    /// The key set that the file holds. Throws where it cannot be read or is not acceptable.
    public static func read(_ path: String) async throws(ConfigurationError) -> JSONWebKeys {
        try await JSONWebKeys(jwks: try text(path))
    }

    private static func text(_ path: String) throws(ConfigurationError) -> String {
        guard let data = FileManager.default.contents(atPath: path), let text = String(validating: data, as: UTF8.self)
        else { throw .unreadable(variable: Options.jwksFile.variable, path: path) }
        return text
    }

    /// A file that becomes unreadable or wrong changes nothing: the keys that are known stay, and the log says so once.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var known = try? Self.text(path)
            while true {
                try await Task.sleep(for: interval)
                do throws(ConfigurationError) {
                    let text = try Self.text(path)
                    guard text != known else { continue }
                    known = text
                    let keys = try await JSONWebKeys(jwks: text)
                    tokens.replace(keys)
                    logger.info("Token keys replaced", metadata: ["keys": "\(keys.identifiers)"])
                    onReload()
                } catch {
                    if known != nil { logger.error("Token keys kept as they were", metadata: ["error": "\(error)"]) }
                    if case .unreadable = error { known = nil }
                }
            }
        }
    }
}
