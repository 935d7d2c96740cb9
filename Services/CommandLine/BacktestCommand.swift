import ArgumentParser
import HTTPFetch
import ServiceKit
import WireFormat

/// Sends a backtest to the optimizer, waits for it where it becomes a job, and prints what became of the strategy.
struct BacktestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backtest",
        abstract: "Put a strategy to the test over the past.",
        discussion: """
            The request is the JSON of POST /api/portfolio/backtest, from a file or from standard input (-): what optimize takes, and a
            member "backtest". It goes to BALLAST_URL with the credentials of BALLAST_API_KEY. A long one becomes a job; its
            progress is shown on standard error.

            Exit codes: 0 done, 1 refused or failed, 2 not reached, 64 wrong use.
            """)

    @OptionGroup var input: RequestOptions

    @Option(name: .long, help: ArgumentHelp("Most seconds to wait for the answer.", valueName: "seconds"))
    var timeout: Int = 3600

    func validate() throws {
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout takes 1 to 86400 seconds.") }
    }

    func run() async throws {
        try await runCommand {
            let body = try input.body()
            let service = try ServiceCall()
            let start = ContinuousClock.now
            var answer = try await service.send(
                .post, "/api/portfolio/backtest", body: body, strict: input.strict, timeout: min(timeout, 120))
            if answer.status == 202 { answer = try await wait(service, answer, until: start + .seconds(timeout)) }
            guard !input.json else { return Terminal.out(answer.json.serialized()) }
            Terminal.out(BacktestReport(answer: answer.json).text)
        }
    }

    /// Follows the job to its end.
    private func wait(
        _ service: ServiceCall, _ accepted: ServiceCall.Answer, until end: ContinuousClock.Instant
    ) async throws -> ServiceCall.Answer {
        guard let id = accepted.json["job_id"]?.stringValue else {
            throw CommandFailure(.refused, "The service has made a job without an id.")
        }
        var told = ""
        while true {
            let job = try await service.send(.get, "/api/jobs/\(id)", timeout: 30)
            let state = job.json["state"]?.stringValue ?? ""
            switch state {
            case "done":
                let result = job.json["result"] ?? .null
                return ServiceCall.Answer(status: 200, json: result, text: result.serialized())
            case "queued", "running": break
            case "cancelled": throw CommandFailure(.refused, "The job \(id) was cancelled.")
            default:
                let problem = job.json["problem"] ?? .null
                throw CommandFailure(
                    .refused,
                    ProblemReport(status: problem["status"]?.intValue ?? 500, body: problem.bytes()).text)
            }
            guard ContinuousClock.now < end else {
                throw CommandFailure(.refused, "The job \(id) is still \(state); it goes on without us.")
            }
            var line = "\(state) \(Figures.percent(job.json["progress"]?.doubleValue))"
            if let done = job.json["parts_done"]?.intValue, let parts = job.json["parts"]?.intValue {
                line += ", \(done) of \(parts) fits"
            }
            if line != told { Terminal.error(line) }
            told = line
            // Between two looks at the job: a person reads along.
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
