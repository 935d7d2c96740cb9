import Dispatch
import Synchronization
import WireFormat

/// Takes log lines from any thread without waiting and writes them in order from one background queue.
///
/// At most `capacity` lines wait. A line that does not fit is dropped and counted, and the count is written once there is
/// room again: a slow or full stderr never stops or kills the service.
public final class LogSink: Sendable {
    private struct State {
        var lines: [[UInt8]] = []
        var dropped = 0
        var isWriting = false
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let write: @Sendable ([UInt8]) -> Bool
    private let queue = DispatchQueue(label: "ballast.log")

    /// - Parameters:
    ///   - capacity: most lines that wait.
    ///   - write: takes whole lines, each ending in a newline; false where they are lost. May block.
    public init(capacity: Int = 4096, write: @escaping @Sendable ([UInt8]) -> Bool) {
        self.capacity = capacity
        self.write = write
    }

    /// Lines to file descriptor 2.
    public static let standardError = LogSink(write: StandardError.write)

    /// Puts a line in the queue; a newline is added.
    public func append(_ line: [UInt8]) {
        let start = state.withLock { state in
            guard state.lines.count < capacity else {
                state.dropped += 1
                return false
            }
            state.lines.append(line + [0x0A])
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if start { queue.async { self.drain() } }
    }

    /// Lines dropped since the last time that the count was written.
    public var dropped: Int { state.withLock { $0.dropped } }

    /// Waits until everything that waits now is written, at most `timeout`.
    public func flush(timeout: Duration = .seconds(2)) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        let milliseconds = Int(
            timeout.components.seconds * 1000 + timeout.components.attoseconds / 1_000_000_000_000_000)
        _ = done.wait(timeout: .now() + .milliseconds(milliseconds))
    }

    private func drain() {
        while true {
            let (lines, dropped) = state.withLock { state in
                let taken = (state.lines, state.dropped)
                state.lines = []
                state.dropped = 0
                if taken.0.isEmpty && taken.1 == 0 { state.isWriting = false }
                return taken
            }
            if lines.isEmpty && dropped == 0 { return }
            var block = Array(lines.joined())
            if dropped > 0 {
                let note: JSONValue = [
                    "time": .string(WallClock.now.isoString), "level": "warning", "message": "Log lines dropped",
                    "dropped": JSONValue(dropped),
                ]
                block += note.bytes() + [0x0A]
            }
            if !write(block) {
                state.withLock { $0.dropped += lines.count + dropped }
                // Whoever logs next tries again: no loop around a full disk.
                state.withLock { $0.isWriting = false }
                return
            }
        }
    }
}
