import ArgumentParser
import Foundation
import HTTPFetch
import ServiceKit
import WireFormat

/// Sends a request to the optimizer and prints what comes back.
struct OptimizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "optimize",
        abstract: "Optimise a portfolio and print weights and metrics.",
        discussion: """
            The request is the JSON of POST /api/portfolio/optimize, from a file or from standard input (-). It goes to
            BALLAST_URL with the credentials of BALLAST_API_KEY.

            Exit codes: 0 solved, 1 refused, 2 not reached, 64 wrong use.
            """)

    @Argument(help: ArgumentHelp("A file with the request, or - for standard input.", valueName: "request.json"))
    var file: String

    @Flag(name: .long, help: "Print the answer as it came.")
    var json = false

    @Flag(name: .long, help: "Take every warning for an error (Prefer: handling=strict).")
    var strict = false

    @Option(name: .long, help: ArgumentHelp("Most seconds to wait for the answer.", valueName: "seconds"))
    var timeout: Int = 120

    func validate() throws {
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout takes 1 to 3600 seconds.") }
    }

    func run() async throws {
        try await runCommand {
            let body = try Self.read(file)
            let configuration = Configuration()
            let url = try configuration.value(CommandOptions.url)
            var headers = [HTTPHeader("Content-Type", "application/json"), HTTPHeader("Accept", "application/json")]
            if let key = try configuration.value(CommandOptions.apiKey) {
                headers.append(HTTPHeader("Authorization", "Bearer \(key.reveal())"))
            }
            if strict { headers.append(HTTPHeader("Prefer", "handling=strict")) }
            var request = HTTPRequest(.post, Self.endpoint(url), headers: headers, body: body)
            request.timeout = .seconds(timeout)
            let answer = try await Self.client(for: url).fetch(request)
            guard (200..<300).contains(answer.status) else {
                if json { Terminal.out(answer.text) }
                throw CommandFailure(.refused, ProblemReport(status: answer.status, body: answer.body).text)
            }
            guard !json else { return Terminal.out(answer.text) }
            do {
                Terminal.out(OptimizeReport(answer: try StrictJSON.parse(answer.body, limits: .stored)).text)
            } catch {
                throw CommandFailure(.refused, "The answer is not JSON: \(error)")
            }
        }
    }

    static func endpoint(_ url: String) -> String {
        (url.hasSuffix("/") ? String(url.dropLast()) : url) + "/api/portfolio/optimize"
    }

    /// Plain http: goes to whatever host the user named; the library alone would only allow loopback.
    static func client(for url: String) throws(FetchError) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.userAgent = "ballast-cli/\(ServiceVersion.release)"
        configuration.insecureHosts = [try HTTPAddress(url).host]
        return HTTPClient(configuration: configuration)
    }

    static func read(_ file: String) throws -> [UInt8] {
        if file == "-" { return Array(try FileHandle.standardInput.readToEnd() ?? Data()) }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw CommandFailure(.usage, "\(file) cannot be read.")
        }
        return Array(data)
    }
}
