import DequeModule
import NIOCore
import NIOWebSocket
import Synchronization

/// One open WebSocket, of a server or of a client.
///
/// Any task may send. One task at a time may iterate ``messages``.
public final class WebSocketConnection: Sendable {
    /// What became of a message that was to be sent.
    public enum SendResult: Sendable, Equatable {
        /// It is in the outbound buffer and will be written in order.
        case accepted
        /// The peer reads too slowly: the buffer is full and the message was not taken.
        case full
        /// The connection is closed or closing.
        case closed
    }

    private struct State {
        var inbound = Deque<WebSocketMessage>()
        var inboundBytes = 0
        var reader: CheckedContinuation<WebSocketMessage?, Never>?
        var readHeld = false
        var pendingBytes = 0
        var roomWaiters: [CheckedContinuation<Void, Never>] = []
        var isClosing = false
        var closure: WebSocketClosure?
    }

    private let state = Mutex(State())
    private let channel: any Channel
    private let configuration: WebSocketConfiguration
    private let masksFrames: Bool

    // Reading stops at either bound and starts again at half: the peer is slowed down by TCP.
    private static let inboundHighWater = (messages: 64, bytes: 1 << 20)

    init(channel: any Channel, configuration: WebSocketConfiguration, isClient: Bool) {
        self.channel = channel
        self.configuration = configuration
        self.masksFrames = isClient
    }

    // MARK: Sending

    /// Puts a text message into the outbound buffer; never waits.
    @discardableResult
    public func send(_ text: String) -> SendResult {
        enqueue([(.text, ByteBuffer(string: text))])
    }

    /// Puts a text message, already UTF-8, into the outbound buffer; never waits.
    @discardableResult
    public func send(utf8 bytes: [UInt8]) -> SendResult {
        enqueue([(.text, ByteBuffer(bytes: bytes))])
    }

    /// Puts a binary message into the outbound buffer; never waits.
    @discardableResult
    public func send(binary bytes: [UInt8]) -> SendResult {
        enqueue([(.binary, ByteBuffer(bytes: bytes))])
    }

    /// Sends a text message, waiting while the outbound buffer is full.
    /// - Throws: ``WebSocketClosure`` when the connection is closed; `CancellationError` is not thrown: a cancelled
    ///   wait ends with the closure of the connection by its owner.
    public func sendWhenReady(_ text: String) async throws(WebSocketClosure) {
        while true {
            switch send(text) {
            case .accepted: return
            case .closed: throw closure ?? WebSocketClosure(code: nil, reason: "")
            case .full: await room()
            }
        }
    }

    /// Waits until the outbound buffer is at most half full, or the connection is closed.
    public func room() async {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state -> Bool in
                if state.isClosing || state.pendingBytes <= configuration.outboundLimit / 2 { return true }
                state.roomWaiters.append(continuation)
                return false
            }
            if now { continuation.resume() }
        }
    }

    /// Sends a PING; the peer's PONG comes back in ``messages``.
    /// - Parameter payload: at most 125 bytes; more is cut off.
    @discardableResult
    public func ping(_ payload: [UInt8]) -> SendResult {
        enqueue([(.ping, ByteBuffer(bytes: payload.prefix(125)))])
    }

    /// Bytes accepted and not yet written to the operating system.
    public var pendingBytes: Int { state.withLock { $0.pendingBytes } }

    /// How the connection ended; nil while it is open.
    public var closure: WebSocketClosure? { state.withLock { $0.closure } }

    /// Starts the close handshake after everything that was sent before.
    /// - Parameters:
    ///   - code: see ``WebSocketCloseCode``.
    ///   - reason: at most 123 bytes of UTF-8; more is cut off.
    public func close(code: UInt16, reason: String = "") {
        let first = state.withLock { state -> Bool in
            defer { state.isClosing = true }
            return !state.isClosing
        }
        guard first else { return }
        wakeRoomWaiters()
        let channel = self.channel
        channel.eventLoop.execute {
            channel.triggerUserOutboundEvent(WebSocketHandler.Close(code: code, reason: reason), promise: nil)
        }
    }

    /// Drops the connection at once: no close frame, and what waits to be written is lost.
    public func abort() {
        channel.close(promise: nil)
    }

    /// Waits until the socket is closed.
    public func closed() async {
        try? await channel.closeFuture.get()
    }

    private func enqueue(_ frames: [(WebSocketOpcode, ByteBuffer)]) -> SendResult {
        let bytes = frames.reduce(0) { $0 + $1.1.readableBytes }
        return state.withLock { state in
            guard !state.isClosing else { return .closed }
            guard state.pendingBytes == 0 || state.pendingBytes + bytes <= configuration.outboundLimit else {
                return .full
            }
            state.pendingBytes += bytes
            let (channel, mask) = (self.channel, self.masksFrames)
            // Inside the lock, so that the order of the buffer is the order on the wire. `execute` never runs inline.
            channel.eventLoop.execute {
                for (opcode, data) in frames {
                    let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: mask ? .random() : nil, data: data)
                    let size = data.readableBytes
                    channel.write(frame).whenComplete { _ in self.wrote(size) }
                }
                channel.flush()
            }
            return .accepted
        }
    }

    private func wrote(_ bytes: Int) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.pendingBytes -= bytes
            guard state.pendingBytes <= configuration.outboundLimit / 2 else { return [] }
            defer { state.roomWaiters = [] }
            return state.roomWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func wakeRoomWaiters() {
        let waiters = state.withLock { state in
            defer { state.roomWaiters = [] }
            return state.roomWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Receiving

    /// The messages of the peer, until the connection ends; then see ``closure``.
    public struct Messages: AsyncSequence, Sendable {
        let connection: WebSocketConnection

        /// Reads the connection's next message.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let connection: WebSocketConnection

            /// The next message; nil when the connection has ended or the task is cancelled.
            public mutating func next() async -> WebSocketMessage? { await connection.next() }
        }

        /// An iterator; only one may be in use.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
    }

    /// The messages of the peer, in order. Reading from the socket pauses while nobody takes them.
    public var messages: Messages { Messages(connection: self) }

    private func next() async -> WebSocketMessage? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enum Step { case give(WebSocketMessage?, resumeReading: Bool), wait }
                let step = state.withLock { state -> Step in
                    if let message = state.inbound.popFirst() {
                        state.inboundBytes -= message.size
                        let resume =
                            state.readHeld && state.inbound.count <= Self.inboundHighWater.messages / 2
                            && state.inboundBytes <= Self.inboundHighWater.bytes / 2
                        if resume { state.readHeld = false }
                        return .give(message, resumeReading: resume)
                    }
                    if state.closure != nil || Task.isCancelled || state.reader != nil {
                        return .give(nil, resumeReading: false)
                    }
                    state.reader = continuation
                    return .wait
                }
                guard case .give(let message, let resumeReading) = step else { return }
                if resumeReading { channel.read() }
                continuation.resume(returning: message)
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: nil)
        }
    }

    // MARK: For the handler, on the event loop

    func receive(_ message: WebSocketMessage) {
        let reader = state.withLock { state -> CheckedContinuation<WebSocketMessage?, Never>? in
            guard state.closure == nil else { return nil }
            guard let reader = state.reader else {
                state.inbound.append(message)
                state.inboundBytes += message.size
                return nil
            }
            state.reader = nil
            return reader
        }
        reader?.resume(returning: message)
    }

    /// Whether the socket may be read now; if not, ``next()`` asks for the read later.
    func mayRead() -> Bool {
        state.withLock { state in
            state.readHeld =
                state.inbound.count >= Self.inboundHighWater.messages
                || state.inboundBytes >= Self.inboundHighWater.bytes
            return !state.readHeld
        }
    }

    /// Takes no more messages to send.
    func beginClosing() {
        state.withLock { $0.isClosing = true }
        wakeRoomWaiters()
    }

    func finish(_ closure: WebSocketClosure) {
        let reader = state.withLock { state -> CheckedContinuation<WebSocketMessage?, Never>? in
            if state.closure == nil { state.closure = closure }
            state.isClosing = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
        wakeRoomWaiters()
    }
}

extension WebSocketMessage {
    fileprivate var size: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let bytes), .pong(let bytes): bytes.count
        case .drain: 0
        }
    }
}
