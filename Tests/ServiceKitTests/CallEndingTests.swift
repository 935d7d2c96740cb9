import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import ServiceKit

@Suite("Endings of calls", .timeLimit(.minutes(1)))
struct CallEndingTests {
    private struct Own: Error {}

    @Test("a limit ends what takes too long, and leaves nothing behind where it does not")
    func limits() async throws {
        await #expect(throws: TimeLimitPassed.self) {
            try await withTimeLimit(.milliseconds(30)) { try await Task.sleep(for: .seconds(100)) }
        }
        let before = Alarms.shared.count
        #expect(try await withTimeLimit(.seconds(100)) { 7 } == 7)
        await #expect(throws: Own.self) { try await withTimeLimit(.seconds(100)) { throw Own() } }
        #expect(Alarms.shared.count <= before)
    }

    @Test("what the call comes to after its limit is not told, and not before it has ended")
    func late() async throws {
        let hasEnded = Locked(false)
        await #expect(throws: TimeLimitPassed.self) {
            try await withTimeLimit(.milliseconds(20)) {
                do { try await Task.sleep(for: .seconds(100)) } catch { hasEnded.withLock { $0 = true } }
                return 7
            }
        }
        #expect(hasEnded.withLock { $0 })
    }

    @Test("an ending that comes before the call has begun to wait ends it too")
    func early() async throws {
        let now = CallEnding { end in
            end(Own())
            return {}
        }
        await #expect(throws: Own.self) {
            try await withEndings([now]) { try await Task.sleep(for: .seconds(100)) }
        }
    }

    @Test("the time may be over by more than the clock: a look after the other, and none once the call has ended")
    func looks() async throws {
        let looks = Locked(0)
        let ending = CallEnding.from(.now + .milliseconds(20), every: .milliseconds(5)) {
            looks.withLock { looks in
                looks += 1
                return looks == 4
            }
        }
        await #expect(throws: TimeLimitPassed.self) {
            try await withEndings([ending]) { try await Task.sleep(for: .seconds(100)) }
        }
        #expect(looks.withLock { $0 } == 4)
        let never = CallEnding.from(.now, every: .milliseconds(1)) {
            looks.withLock { $0 += 1 }
            return false
        }
        try await withEndings([never]) { try await Task.sleep(for: .milliseconds(40)) }
        // One look may be under way.
        try await Task.sleep(for: .milliseconds(20))
        let after = looks.withLock { $0 }
        try await Task.sleep(for: .milliseconds(40))
        #expect(after > 4 && looks.withLock { $0 } == after)
    }

    @Test("cancelling the caller cancels the call")
    func cancelled() async throws {
        let (began, begin) = AsyncStream.makeStream(of: Void.self)
        let caller = Task {
            try await withEndings([]) {
                begin.yield()
                try await Task.sleep(for: .seconds(100))
            }
        }
        for await _ in began { break }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
    }

    private func connection(_ presence: ClientPresence) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: DepartureHandler(presence))
        try channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    @Test(
        "a client's departure ends its calls: closed, or closed by half; who comes after the close as well",
        arguments: [true, false])
    func departure(closes: Bool) async throws {
        let presence = ClientPresence()
        let channel = try connection(presence)
        // What has ended is not told.
        try await withEndings([presence.ending]) {}
        let (began, begin) = AsyncStream.makeStream(of: Void.self)
        let calls = (0..<2).map { _ in
            Task {
                try await withEndings([presence.ending]) {
                    begin.yield()
                    try await Task.sleep(for: .seconds(100))
                }
            }
        }
        var waiting = 2
        for await _ in began {
            waiting -= 1
            if waiting == 0 { break }
        }
        if closes {
            _ = try channel.finish()
        } else {
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        for call in calls { await #expect(throws: CancellationError.self) { try await call.value } }
        let next = Task { try await withEndings([presence.ending]) { try await Task.sleep(for: .milliseconds(50)) } }
        if closes {
            await #expect(throws: CancellationError.self) { try await next.value }
        } else {
            // A client that closes its half may still wait for what it asks for now.
            try await next.value
            _ = try channel.finish()
        }
    }
}
