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

    @OptionGroup var input: RequestOptions

    @Option(name: .long, help: ArgumentHelp("Most seconds to wait for the answer.", valueName: "seconds"))
    var timeout: Int = 120

    func validate() throws {
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout takes 1 to 3600 seconds.") }
    }

    func run() async throws {
        try await runCommand {
            let answer = try await ServiceCall().send(
                .post, "/api/portfolio/optimize", body: try input.body(), strict: input.strict, timeout: timeout,
                isShown: input.json)
            Terminal.out(input.json ? answer.text : OptimizeReport(answer: answer.json).text)
        }
    }
}
