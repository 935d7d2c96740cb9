import Foundation
import HTTPFetch
import Reallocation
import WireFormat

/// Alpaca's Trading API v2 behind the venue's interface.
///
/// An order is known by its client id. A time-out, a 5xx, a 429 or an id that is taken says nothing about it: it is looked up. The books keep
/// their own lots; the broker reports others, usually first in first out.
struct AlpacaVenue: TradingVenue {
    let name = "alpaca"
    let patience: Duration
    private let url: String
    private let headers: [HTTPHeader]
    private let client: HTTPClient
    /// From the stream of trade updates, where there is one.
    private let hints: OrderHints
    /// How long an order of which nothing is heard is left alone while the stream lives.
    private let livePatience: Duration

    init(
        url: String, keyID: String, secret: String, client: HTTPClient, patience: Duration = .seconds(1),
        hints: OrderHints = OrderHints(), livePatience: Duration = .seconds(5)
    ) {
        self.hints = hints
        self.livePatience = livePatience
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.client = client
        self.patience = patience
        headers = [
            HTTPHeader("APCA-API-KEY-ID", keyID), HTTPHeader("APCA-API-SECRET-KEY", secret),
            HTTPHeader("Accept", "application/json"),
        ]
    }

    /// The stream shortens the wait, and a lost or a late message costs no more than `livePatience`.
    func pause(for clientID: String?, atLeast least: Duration, atMost most: Duration) async throws {
        guard let clientID, hints.isLive else { return try await rest(atLeast: least) }
        // Nothing shortens the wait after a failure.
        if least > .zero { try await Task.sleep(for: least) }
        await hints.wait(for: clientID, atMost: max(.milliseconds(1), min(livePatience, most)))
        try Task.checkCancellation()
    }

    private func call(
        _ method: HTTPRequest.Method, _ path: String, body: JSONValue? = nil
    ) async throws(FetchError) -> (status: Int, json: JSONValue?) {
        var request = HTTPRequest(
            method, url + path,
            headers: headers + (body == nil ? [] : [HTTPHeader("Content-Type", "application/json")]),
            body: body?.bytes())
        request.timeout = .seconds(10)
        let answer = try await client.fetch(request)
        return (answer.status, try? StrictJSON.parse(answer.body, limits: .stored))
    }

    private func ask(_ path: String) async throws(VenueError) -> (status: Int, json: JSONValue) {
        do {
            let answer = try await call(.get, path)
            guard answer.status == 404 || (answer.status == 200 && answer.json != nil) else {
                throw VenueError("\(path) answered \(answer.status)")
            }
            return (answer.status, answer.json ?? .null)
        } catch let error as FetchError {
            throw VenueError("\(path): \(error)")
        } catch let error as VenueError {
            throw error
        } catch {
            throw VenueError("\(path): \(error)")
        }
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_."))) ?? ""
    }

    func submit(_ order: VenueOrder, prepared: JSONValue?) async -> VenueAnswer {
        let body = Alpaca.body(
            clientID: order.clientID, symbol: order.asset, isSale: order.isSale, quantity: order.quantity,
            limitPrice: order.limitPrice)
        hints.expect(order.clientID)
        guard let answer = try? await call(.post, "/v2/orders", body: body) else { return .unknown }
        switch Alpaca.verdict(status: answer.status, body: answer.json) {
        case .refused(let reason): return .rejected(reason)
        case .accepted(let made) where made.clientID == order.clientID:
            // An order that is not the one meant is looked at again, and then nothing goes on.
            return made.isEcho(symbol: order.asset, isSale: order.isSale, quantity: order.quantity)
                ? .accepted : .unknown
        case .accepted, .unknown: return .unknown
        }
    }

    private func find(_ order: VenueOrder) async throws(VenueError) -> Alpaca.Order? {
        let answer = try await ask("/v2/orders:by_client_order_id?client_order_id=" + Self.escaped(order.clientID))
        guard answer.status == 200 else { return nil }
        guard let found = Alpaca.Order(json: answer.json), found.clientID == order.clientID else {
            throw VenueError("the broker's answer about \(order.clientID) is no order")
        }
        guard found.isEcho(symbol: order.asset, isSale: order.isSale, quantity: order.quantity) else {
            throw VenueError("the broker has another order under \(order.clientID)")
        }
        return found
    }

    func lookup(_ order: VenueOrder, prepared: JSONValue?) async throws(VenueError) -> VenueOrderState? {
        guard let found = try await find(order) else { return nil }
        let chain = try await chain(from: found)
        let filled = chain.map { $0.filled }.reduce(.zero, +)
        var fills: [VenueOrderState.Fill] = []
        for one in chain where one.filled > 0 { fills += try await self.fills(of: one) }
        let isClosed = chain.last?.isClosed ?? false
        if isClosed { hints.forget(order.clientID) }
        return VenueOrderState(
            filled: filled, isClosed: isClosed,
            rejection: found.isRejected ? "rejected by the broker" : nil,
            fills: fills)
    }

    /// An order and what took its place, one after the other: somebody may replace orders at the broker. What is filled there is ours as well,
    /// and the books halt where it comes to more than was meant.
    ///
    /// We replace nothing ourselves: the broker opens a partly filled order that is replaced for its whole quantity again
    /// (alpacahq/Alpaca-API#165), and a fill may cross the request. An order is taken back, and only when it has ended another is sent.
    private func chain(from first: Alpaca.Order) async throws(VenueError) -> [Alpaca.Order] {
        var chain = [first]
        while let next = chain.last?.replacedBy, chain.count < 20 {
            let answer = try await ask("/v2/orders/" + Self.escaped(next))
            guard let order = Alpaca.Order(json: answer.json), order.symbol == first.symbol,
                order.isSale == first.isSale
            else { throw VenueError("what took the place of \(first.clientID) cannot be read") }
            chain.append(order)
        }
        return chain
    }

    /// Fills of an order, page after page.
    private func fills(of order: Alpaca.Order) async throws(VenueError) -> [VenueOrderState.Fill] {
        var fills: [VenueOrderState.Fill] = []
        var token: String?
        for _ in 0..<100 {
            var path = "/v2/account/activities/FILL?direction=asc&page_size=100"
            if let since = order.submittedAt { path += "&after=" + Self.escaped(since) }
            if let token { path += "&page_token=" + Self.escaped(token) }
            guard let page = try await ask(path).json.arrayValue else { throw VenueError("the activities are no list") }
            for item in page {
                guard let fill = Alpaca.Fill(json: item), fill.orderID == order.id else { continue }
                fills.append(VenueOrderState.Fill(id: fill.id, quantity: fill.quantity, price: fill.price))
            }
            token = page.last?["id"]?.stringValue
            guard page.count == 100, token != nil else { return fills }
        }
        throw VenueError("more activities than can be read")
    }

    func cancel(_ order: VenueOrder) async throws(VenueError) {
        guard let first = try await find(order) else { return }
        guard let found = try await chain(from: first).last, !found.isClosed else { return }
        do {
            // 204, or 422 for one that has ended in the meantime: `lookup` tells which.
            _ = try await call(.delete, "/v2/orders/" + Self.escaped(found.id))
        } catch {
            throw VenueError("cancel: \(error)")
        }
    }

    func account(of assets: [String]) async throws(VenueError) -> VenueAccount {
        let account = try await ask("/v2/account").json
        guard let cash = account["cash"]?.stringValue.flatMap({ FixedDecimal($0) }) else {
            throw VenueError("the account says no cash")
        }
        guard let list = try await ask("/v2/positions").json.arrayValue else {
            throw VenueError("the positions are no list")
        }
        var positions: [String: FixedDecimal] = [:]
        for item in list {
            guard let symbol = item["symbol"]?.stringValue,
                let held = item["qty"]?.stringValue.flatMap({ FixedDecimal($0) })
            else { throw VenueError("a position cannot be read") }
            if assets.contains(symbol) { positions[symbol] = held }
        }
        return VenueAccount(cash: cash, positions: positions)
    }
}
