import Foundation
import Testing
import WireFormat

/// The real Supabase client for Python, subscribed to the results of portfolios.
final class Subscriber {
    private let process: Process
    private var chunks: AsyncStream<Data>.AsyncIterator
    private var unread = Data()

    private init(process: Process, chunks: AsyncStream<Data>) {
        self.process = process
        self.chunks = chunks.makeAsyncIterator()
    }

    deinit {
        // Not SIGTERM: the client inherits our signal mask, and while it lives `swift test` waits for its output to end.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Starts it and waits until it is subscribed. Nil where no Python with the package `realtime` is named by BALLAST_TEST_PYTHON.
    static func start(_ stack: LocalStack) async throws -> Subscriber? {
        guard let python = ProcessInfo.processInfo.environment["BALLAST_TEST_PYTHON"] else { return nil }
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = [LocalStack.root.appending(path: "Tests/EndToEndTests/Peers/subscribe.py").path]
        process.environment = ProcessInfo.processInfo.environment.merging(stack.environment) { _, new in new }
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        let (chunks, arrived) = AsyncStream<Data>.makeStream()
        // A reader with a descriptor of its own: Foundation's readability handler closes descriptors twice.
        let descriptor = dup(output.fileHandleForReading.fileDescriptor)
        DispatchQueue.global().async {
            let pipe = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            while true {
                let data = pipe.availableData
                if data.isEmpty { break }
                arrived.yield(data)
            }
            arrived.finish()
        }
        try process.run()
        let subscriber = Subscriber(process: process, chunks: chunks)
        _ = try await subscriber.first { $0["subscribed"] == .bool(true) }
        return subscriber
    }

    /// The next message that fits.
    func first(where fits: (JSONValue) -> Bool) async throws -> JSONValue {
        while let line = await nextLine() {
            let message = try StrictJSON.parse(line)
            if fits(message) { return message }
        }
        throw Ended()
    }

    private func nextLine() async -> Data? {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(unread[..<end])
                unread = Data(unread[unread.index(after: end)...])
                return line
            }
            guard let chunk = await chunks.next() else { return nil }
            unread.append(chunk)
        }
    }

    struct Ended: Error {}
}
