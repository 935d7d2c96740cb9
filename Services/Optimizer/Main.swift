import Foundation
import Logging
import PostgresClient
import ServiceKit
import ServiceLifecycle
import WireFormat

@main
struct Main {
    static let usage = """
        optimizer: answers portfolio requests over HTTP and recalculates stored portfolios when prices change.

        USAGE: optimizer [serve|health|openapi]

        serve     run the service (default)
        health    ask the operations port of a running service; exit code 0 when it is ready
        openapi   print the OpenAPI document

        \(ConfigurationRow.help(OptimizerOptions.rows))
        """

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            switch arguments.first ?? "serve" {
            case "serve" where arguments.count <= 1: try await OptimizerService.serve(Configuration())
            case "health" where arguments.count == 1:
                exit(try await OptimizerService.isHealthy(Configuration()) ? 0 : 1)
            case "openapi" where arguments.count == 1:
                write(OpenAPI.document.serialized(pretty: true) + "\n", to: .standardOutput)
            case "--help", "-h", "help": write(usage, to: .standardOutput)
            default:
                write("unknown arguments; see optimizer --help\n", to: .standardError)
                exit(64)
            }
        } catch {
            write("optimizer: \(error)\n", to: .standardError)
            exit(1)
        }
    }

    private static func write(_ text: String, to handle: FileHandle) { try? handle.write(contentsOf: Data(text.utf8)) }
}
