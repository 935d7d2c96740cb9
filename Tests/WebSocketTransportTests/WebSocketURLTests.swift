import Testing

@testable import WebSocketTransport

@Suite("WebSocket URLs")
struct WebSocketURLTests {
    @Test(arguments: [
        ("ws://h", "h", 80, "/", "h"), ("ws://h:81/a?b=c", "h", 81, "/a?b=c", "h:81"),
        ("ws://h?x=1", "h", 80, "/?x=1", "h"),
        ("WS://[::1]:9/p", "::1", 9, "/p", "[::1]:9"), ("wss://h/s", "h", 443, "/s", "h"),
        ("WSS://h:80", "h", 80, "/", "h:80"),
    ])
    func `are taken apart`(text: String, host: String, port: Int, path: String, authority: String) throws {
        let url = try WebSocketURL(text)
        #expect(url.host == host && url.port == port && url.path == path && url.authority == authority)
    }

    @Test(arguments: [
        "", "http://h", "wss://", "ws://", "ws://h:0", "ws://h:x", "ws://u@h", "ws://h/a b", "ws://h:65536",
        "ws://h/\r\nX:y",
    ])
    func `are refused`(text: String) {
        #expect(throws: WebSocketClientError.self) { try WebSocketURL(text) }
    }

    @Test func `names are asked for in TLS, addresses are not`() throws {
        #expect(try WebSocketURL("wss://paper-api.alpaca.markets/stream").serverName == "paper-api.alpaca.markets")
        #expect(try WebSocketURL("wss://127.0.0.1:1/").serverName == nil)
        #expect(try WebSocketURL("wss://[::1]/").serverName == nil)
        #expect(try WebSocketURL("wss://h").isSecure && !WebSocketURL("ws://h").isSecure)
    }

    @Test func `queries are decoded`() {
        let query = FormEncoding.decode("a=1&b=x%20y+z&c&d=%zz&e=%C3%A9"[...])
        #expect(query.map(\.name) == ["a", "b", "c", "d", "e"])
        #expect(query.map(\.value) == ["1", "x y z", "", "%zz", "é"])
    }
}
