import ArgumentParser
import Foundation

/// What commands that send a request from a file have in common.
struct RequestOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("A file with the request, or - for standard input.", valueName: "request.json"))
    var file: String

    @Flag(name: .long, help: "Print the answer as it came.")
    var json = false

    @Flag(name: .long, help: "Take every warning for an error (Prefer: handling=strict).")
    var strict = false

    func body() throws -> [UInt8] { try Self.read(file) }

    static func read(_ file: String) throws -> [UInt8] {
        if file == "-" { return Array(try FileHandle.standardInput.readToEnd() ?? Data()) }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw CommandFailure(.usage, "\(file) cannot be read.")
        }
        return Array(data)
    }
}
