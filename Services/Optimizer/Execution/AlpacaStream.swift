import Logging
import Reallocation
import ServiceLifecycle
import WebSocketTransport
import WireFormat

/// Alpaca's stream of trade updates: authenticated, listening to `trade_updates`, connected again after every end.
///
/// Its messages are hints. What happened to an order is what the broker's REST interface says of it; after each connection every open
/// order is looked at, since nothing of the time without one is sent again. Live accounts send text frames, the paper account binary ones.
/// Source: docs.alpaca.markets, Trading API, websocket streaming, as of 2026.
struct AlpacaStream: Service {
    /// `wss://host/stream`.
    let url: String
    let keyID: String
    let secret: String
    let hints: OrderHints
    var configuration = WebSocketConfiguration()
    /// First pause after a connection that ended; it doubles up to `longestPause`.
    var pause = Duration.milliseconds(250)
    var longestPause = Duration.seconds(30)
    let logger: Logger

    /// Why a connection ended.
    struct Ended: Error, CustomStringConvertible {
        var description: String
    }

    /// Stays connected until the task is cancelled.
    func run() async {
        await cancelWhenGracefulShutdown {
            var pause = self.pause
            var isFailing = false
            while !Task.isCancelled {
                do {
                    try await listen {
                        pause = self.pause
                        isFailing = false
                    }
                } catch {
                    hints.setLive(false)
                    if Task.isCancelled { return }
                    if !isFailing {
                        logger.warning(
                            "No stream of trade updates, orders are asked for instead", metadata: ["error": "\(error)"])
                    }
                    isFailing = true
                }
                // A broker that ends connections is left alone for longer after each; a cancelled wait ends the loop above.
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, longestPause)
            }
        }
    }

    /// One connection, to its end.
    private func listen(onListening: () -> Void) async throws {
        let connection = try await WebSocketClient.connect(to: url, configuration: configuration)
        defer { connection.close(code: WebSocketCloseCode.normal) }
        let authenticate: JSONValue = [
            "action": "authenticate", "data": ["key_id": .string(keyID), "secret_key": .string(secret)],
        ]
        connection.send(authenticate.serialized())
        try await withThrowingTaskGroup(of: Void.self) { group in
            // The broker is silent for as long as nothing is traded: a ping now and then shows that it is there.
            group.addTask {
                while !Task.isCancelled {
                    try await Task.sleep(for: .seconds(20))
                    connection.ping([1])
                }
            }
            defer { group.cancelAll() }
            for await message in connection.messages {
                let bytes: [UInt8]
                switch message {
                case .text(let text): bytes = Array(text.utf8)
                case .binary(let binary): bytes = binary
                case .pong: continue
                case .drain: throw Ended(description: "draining")
                }
                guard let json = try? StrictJSON.parse(bytes, limits: .stored) else { continue }
                switch json["stream"]?.stringValue {
                case "authorization":
                    guard json["data"]?["status"] == "authorized" else { throw Ended(description: "not authorized") }
                    let listen: JSONValue = ["action": "listen", "data": ["streams": ["trade_updates"]]]
                    connection.send(listen.serialized())
                case "listening":
                    guard json["data"]?["streams"]?.arrayValue?.contains("trade_updates") == true else {
                        throw Ended(description: "the stream of trade updates is not sent")
                    }
                    onListening()
                    hints.setLive(true)
                default:
                    if let update = Alpaca.TradeUpdate(json: json) { hints.hint(update.clientID) }
                }
            }
        }
        throw Ended(description: connection.closure?.description ?? "closed")
    }
}
