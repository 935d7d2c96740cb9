import NIOCore
import Synchronization

/// Whether the client of a connection is still there, for calls that end when it leaves: its connection is closed, or it has closed its half.
///
/// Hummingbird's own way (`consumeWithInboundCloseHandler`) ends keep-alive. One handler watches for all calls of a connection: one that each call put into
/// the pipeline woke the event loop twice a call.
public final class ClientPresence: Sendable {
    private struct State {
        var isGone = false
        var watching: [UInt64: @Sendable () -> Void] = [:]
        var lastID: UInt64 = 0
    }
    private let state = Mutex(State())

    /// Of the connection whose request the current task answers.
    @TaskLocal static var current: ClientPresence?

    /// Ends a call when the client leaves; at once, where its connection is closed already.
    public var ending: CallEnding {
        CallEnding { end in
            let id = self.watch { end(nil) }
            return { self.forget(id) }
        }
    }

    private func watch(_ tell: @escaping @Sendable () -> Void) -> UInt64 {
        let (id, isGone) = state.withLock { state in
            state.lastID += 1
            if !state.isGone { state.watching[state.lastID] = tell }
            return (state.lastID, state.isGone)
        }
        if isGone { tell() }
        return id
    }

    private func forget(_ id: UInt64) { state.withLock { _ = $0.watching.removeValue(forKey: id) } }

    /// The client has closed its half, or the connection is closed.
    fileprivate func leaves(isGone: Bool) {
        let told = state.withLock { state in
            state.isGone = state.isGone || isGone
            defer { state.watching = [:] }
            return state.watching
        }
        for tell in told.values { tell() }
    }
}

/// Tells of the end of the connection and lets everything pass. The first of its pipeline, so that nobody keeps the news from it.
final class DepartureHandler: ChannelInboundHandler {
    typealias InboundIn = NIOAny
    private let presence: ClientPresence

    init(_ presence: ClientPresence) { self.presence = presence }

    func channelInactive(context: ChannelHandlerContext) {
        presence.leaves(isGone: true)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { presence.leaves(isGone: false) }
        context.fireUserInboundEventTriggered(event)
    }
}

@available(*, unavailable)
extension DepartureHandler: Sendable {}
