import Realtime
import Synchronization
import WebSocketTransport

/// Everyone who wants to hear of changes, and how far each has been served.
///
/// A channel is live (it gets each change as the reader hands it over) or behind (a task of its connection reads the log for
/// it). Both ways put messages into the connection's bounded buffer; a live channel whose buffer is full falls behind and
/// catches up from the log when there is room: a slow client costs no memory and loses nothing.
final class Hub: Sendable {
    private enum Progress {
        case live
        /// Live, but has already been sent what is up to here.
        case ahead(Position)
        case behind(Position)
    }

    private struct State {
        var live: Position?
        var index = BindingIndex()
        var members: [ObjectIdentifier: (subscription: Subscription, progress: Progress)] = [:]
        /// The durable connections and their channels.
        var durable: [ObjectIdentifier: (ledger: AcknowledgementLedger, channels: [Subscription])] = [:]

        func position(_ subscription: Subscription) -> Position? {
            switch members[ObjectIdentifier(subscription)]?.progress {
            case .live: live
            case .ahead(let position), .behind(let position): position
            case nil: nil
            }
        }

        func ping(_ entry: (ledger: AcknowledgementLedger, channels: [Subscription])) {
            var positions: [CursorStore.Key: Position] = [:]
            for channel in entry.channels {
                if let position = position(channel) { positions[entry.ledger.key(channel.topic)] = position }
            }
            if !positions.isEmpty { entry.ledger.ping(positions) }
        }
    }

    private let state = Mutex(State())
    private let observer: Observer

    init(observer: Observer) { self.observer = observer }

    /// Everything up to here has been handed to the live channels; nil until the log has been found.
    var live: Position? { state.withLock { $0.live } }

    /// Joined channels with bindings.
    var count: Int { state.withLock { $0.members.count } }

    /// The first sight of the log.
    func start(at position: Position) { state.withLock { $0.live = position } }

    /// The log has been begun again: nobody can be served what lies between.
    func restart(at position: Position) {
        state.withLock { state in
            state.live = position
            for (id, member) in state.members {
                if case .ahead = member.progress { state.members[id]?.progress = .live }
                notifyExpired(member.subscription)
            }
        }
    }

    /// Tells a client that it has missed something and has to read its tables afresh. No error: that would end Python's channel.
    func notifyExpired(_ subscription: Subscription) {
        let text = "CursorExpired: changes before this moment are no longer in the log; read the tables afresh"
        let notice = RealtimeMessage.system(subscription.topic, joinRef: "", text: text)
        var message = notice
        message.joinRef = nil
        subscription.connection.send(subscription.version.encode(message))
    }

    // MARK: Membership

    /// Enters a channel. The replies are sent first and in the same step: no change overtakes them, and none is missed after.
    /// - Parameter from: nil: from now on.
    /// - Returns: whether the channel is behind and has to be caught up.
    func register(_ subscription: Subscription, from: Position?, replies: [String]) -> Bool {
        state.withLock { state in
            let live = state.live ?? from ?? .end(of: 0)
            for reply in replies { subscription.connection.send(reply) }
            let from = from ?? live
            state.members[ObjectIdentifier(subscription)] = (
                subscription, from == live ? .live : from > live ? .ahead(from) : .behind(from)
            )
            state.index.insert(subscription)
            if let ledger = subscription.acknowledgements {
                state.durable[ObjectIdentifier(ledger), default: (ledger, [])].channels.append(subscription)
            }
            return from < live
        }
    }

    /// Removes a channel.
    func unregister(_ subscription: Subscription) {
        state.withLock { state in
            guard state.members.removeValue(forKey: ObjectIdentifier(subscription)) != nil else { return }
            state.index.remove(subscription)
            guard let ledger = subscription.acknowledgements else { return }
            let id = ObjectIdentifier(ledger)
            state.durable[id]?.channels.removeAll { $0 === subscription }
            if state.durable[id]?.channels.isEmpty == true { state.durable[id] = nil }
        }
    }

    // MARK: Live

    /// Hands the next changes to the live channels.
    func dispatch(_ batch: ChangeBatch) {
        let start = ContinuousClock.now
        let deliveries = state.withLock { state -> Int in
            var deliveries = 0
            var touched: Set<ObjectIdentifier> = []
            var previous = state.live ?? batch.reached
            for logged in batch.changes {
                deliveries += deliver(logged, after: previous, &state, &touched)
                previous = logged.position
            }
            state.live = batch.reached
            for (id, member) in state.members {
                if case .ahead(let position) = member.progress, position <= batch.reached {
                    state.members[id]?.progress = .live
                }
            }
            for id in touched { if let entry = state.durable[id] { state.ping(entry) } }
            return deliveries
        }
        observer.record(
            .dispatched(
                changes: batch.changes.count, deliveries: deliveries, elapsed: ContinuousClock.now - start,
                newest: batch.changes.last?.change.commitTimestamp))
    }

    private func deliver(
        _ logged: LoggedChange, after previous: Position, _ state: inout State, _ touched: inout Set<ObjectIdentifier>
    ) -> Int {
        var change = EncodedChange(logged.change)
        var matched: [ObjectIdentifier: (subscription: Subscription, bindings: [Int])] = [:]
        for reference in state.index.candidates(&change) {
            let id = ObjectIdentifier(reference.subscription)
            switch state.members[id]?.progress {
            case .live: break
            case .ahead(let position): if logged.position <= position { continue }
            case .behind, nil: continue
            }
            guard reference.subscription.matches(reference.index, &change) else { continue }
            matched[id, default: (reference.subscription, [])].bindings.append(reference.index)
        }
        for (id, match) in matched {
            for frame in match.subscription.frames(match.bindings.sorted(), &change) {
                guard match.subscription.connection.send(frame) == .full else { continue }
                state.members[id]?.progress = .behind(previous)
                match.subscription.catchUps.yield(match.subscription)
                observer.record(.fellBehind)
                break
            }
            if let ledger = match.subscription.acknowledgements { touched.insert(ObjectIdentifier(ledger)) }
        }
        return matched.count
    }

    /// Asks the durable connections for acknowledgement of what they need not have been sent.
    func pingAll() {
        state.withLock { state in
            for entry in state.durable.values { state.ping(entry) }
        }
    }

    // MARK: Catching up

    /// Where a channel is that is behind; nil when it is not.
    func backlogStart(_ subscription: Subscription) -> Position? {
        state.withLock { state in
            guard case .behind(let position)? = state.members[ObjectIdentifier(subscription)]?.progress else {
                return nil
            }
            return position
        }
    }

    /// The channel has been sent everything up to here.
    /// - Returns: whether it is live now.
    func caughtUp(_ subscription: Subscription, to position: Position) -> Bool {
        state.withLock { state in
            let id = ObjectIdentifier(subscription)
            guard case .behind? = state.members[id]?.progress, let live = state.live else { return true }
            state.members[id]?.progress =
                position == live ? .live : position > live ? .ahead(position) : .behind(position)
            if let ledger = subscription.acknowledgements, let entry = state.durable[ObjectIdentifier(ledger)] {
                state.ping(entry)
            }
            return position >= live
        }
    }
}
