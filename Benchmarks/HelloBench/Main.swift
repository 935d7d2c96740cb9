import Foundation
import Hummingbird
import Logging

/// A bare Hummingbird that says hello: what the service's rate is measured against. `HelloBench PORT`.
@main
enum HelloBench {
    static func main() async throws {
        let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8099
        let router = Router()
        router.post("/hello") { request, _ in
            // As the service does: the body is read before the answer.
            _ = try await request.body.collect(upTo: 1 << 20)
            return "Hello"
        }
        router.get("/hello") { _, _ in "Hello" }
        var logger = Logger(label: "hello")
        logger.logLevel = .warning
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: logger)
        try await application.runService()
    }
}
