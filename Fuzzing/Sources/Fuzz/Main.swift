import CFuzzer
import ConvexSolver
import Foundation
import PortfolioModels
import WireFormat

/// One input: a request with its panel inline, from its text to a solution that has been verified. A problem is an answer; a trap is not,
/// nor an internal error. What is not right is printed, with the request.
enum FuzzedProblem {
    /// What takes much longer has ignored its deadline: libFuzzer's own is many times this.
    private static let most = Duration.milliseconds(500)

    static func run(_ bytes: [UInt8]) {
        // An opening brace: the rest is text as it is.
        guard bytes.first == UInt8(ascii: "{") else {
            var choices = Choices(bytes)
            let panel = FuzzedPanel(&choices)
            return solve(FuzzedRequest.body(&choices, panel).serialized())
        }
        solve(String(decoding: bytes, as: UTF8.self))
    }

    private static func solve(_ text: String) {
        do throws(Problem) {
            let request: OptimizeRequest
            do {
                request = try OptimizeRequest(json: try StrictJSON.parse(text, limits: .stored))
            } catch let problem as Problem {
                throw problem
            } catch {
                return
            }
            guard let inline = request.panel else { return }
            let panel = try ReturnPanel.inline(inline, request: request)
            let result = try PortfolioOptimization.run(request, panel: panel, deadline: .after(most))
            try Verification.check(request, panel: panel, result: result)
        } catch {
            if ["SYS-301", "SYS-999"].contains(error.code) || error.detail.contains("nan") {
                report("\(error.code): \(error.detail)", text)
            }
        }
    }

    private static func report(_ fault: String, _ text: String) {
        print(fault, text)
        fflush(nil)
    }
}

@main
struct Fuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(
            LLVMFuzzerRunDriver(&count, &arguments) { data, size in
                FuzzedProblem.run(data.map { Array(UnsafeBufferPointer(start: $0, count: size)) } ?? [])
                return 0
            })
    }
}
