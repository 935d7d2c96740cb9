import Synchronization
import WebSocketTransport

/// What one durable connection has been sent and has acknowledged.
///
/// A PING carries a counter; the PONG with the same counter comes after all earlier frames have been received. The counter
/// stands for the positions of this connection's channels at the time of the PING, each its own: a bare tick number would
/// acknowledge a replay that is still in flight for another channel.
final class AcknowledgementLedger: Sendable {
    private struct State {
        var counter: UInt64 = 0
        var outstanding: [(counter: UInt64, positions: [CursorStore.Key: Position])] = []
        var last: [CursorStore.Key: Position] = [:]
    }

    let subscriber: String
    private let connection: WebSocketConnection
    private let store: CursorStore
    private let state = Mutex(State())
    private static let mostOutstanding = 64

    init(subscriber: String, connection: WebSocketConnection, store: CursorStore) {
        self.subscriber = subscriber
        self.connection = connection
        self.store = store
    }

    func key(_ topic: String) -> CursorStore.Key { CursorStore.Key(name: subscriber, topic: topic) }

    /// Asks for an acknowledgement of everything sent so far, unless nothing is new.
    func ping(_ positions: [CursorStore.Key: Position]) {
        state.withLock { state in
            guard positions != state.last, state.outstanding.count < Self.mostOutstanding else { return }
            state.counter += 1
            let payload = (0..<8).map { UInt8(truncatingIfNeeded: state.counter >> (56 - 8 * $0)) }
            guard connection.ping(payload) == .accepted else { return }
            state.last = positions
            state.outstanding.append((state.counter, positions))
        }
    }

    /// Takes a PONG; one that is not ours is ignored.
    func pong(_ payload: [UInt8]) {
        guard payload.count == 8 else { return }
        let counter = payload.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let acknowledged = state.withLock { state -> [CursorStore.Key: Position] in
            guard let index = state.outstanding.firstIndex(where: { $0.counter == counter }) else { return [:] }
            defer { state.outstanding.removeFirst(index + 1) }
            return state.outstanding[index].positions
        }
        for (key, position) in acknowledged { store.acknowledge(key, position) }
    }
}
