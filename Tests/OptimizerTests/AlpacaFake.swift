import Foundation
import Reallocation
import Synchronization
import TestSupport
import WireFormat

/// A broker that speaks Alpaca's Trading API v2 on a loopback port, and misbehaves as told: answers lost before or after the order was
/// taken, duplicates of activities, activities out of order and late, too many requests.
final class AlpacaFake: Sendable {
    struct Faults: Sendable {
        /// Chance of each, for a request.
        var lostBefore = 0.0
        var lostAfter = 0.0
        var tooMany = 0.0
        /// Chance that a fill's activity shows only later.
        var late = 0.0
        var fillsAtOnce = false
        /// Nothing is ever filled.
        var isStuck = false
        /// Chance that somebody replaces an open order, as the broker does it: with the whole quantity again.
        var replaced = 0.0
        /// Whether the replacement opens what is filled already once more (alpacahq/Alpaca-API#165), or only the rest.
        var reopens = false
    }

    private struct Order {
        var id: String
        var body: JSONValue
        var filled = FixedDecimal.zero
        var status = "new"
        var replacedBy: String?
    }

    private struct State {
        var orders: [Order] = []
        var activities: [(json: JSONValue, isShown: Bool)] = []
        var cash: FixedDecimal
        var positions: [String: FixedDecimal]
        var random: SplitMix64
        var posts = 0
        var faults: Faults
    }

    let server: LoopbackServer

    init(cash: FixedDecimal, positions: [String: FixedDecimal], seed: UInt64, faults: Faults = Faults()) throws {
        let shared = Shared(
            State(cash: cash, positions: positions, random: SplitMix64(seed: seed), faults: faults))
        server = try LoopbackServer { request in shared.answer(request) }
        self.shared = shared
    }

    private let shared: Shared

    var orders: Int { shared.read { $0.orders.count } }
    var clientIDs: [String] { shared.read { $0.orders.compactMap { $0.body["client_order_id"]?.stringValue } } }
    var account: (cash: FixedDecimal, positions: [String: FixedDecimal]) { shared.read { ($0.cash, $0.positions) } }
    func set(_ change: @escaping @Sendable (inout Faults) -> Void) { shared.write { change(&$0.faults) } }

    private final class Shared: Sendable {
        private let state: Mutex<State>

        init(_ state: State) { self.state = Mutex(state) }

        func read<T: Sendable>(_ body: (State) -> T) -> T { state.withLock { body($0) } }
        func write(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

        func answer(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
            state.withLock { state in
                guard request.headers["apca-api-key-id"] == "id", request.headers["apca-api-secret-key"] == "secret"
                else {
                    return .init(401, #"{"code":40110000,"message":"unauthorized"}"#)
                }
                if state.random.chance(state.faults.tooMany) {
                    return .init(429, #"{"code":42910000,"message":"rate limit exceeded"}"#)
                }
                if state.random.chance(state.faults.lostBefore) { return .init(504, "upstream timed out") }
                let reply = Self.route(request, &state)
                if request.method == "POST", state.random.chance(state.faults.lostAfter) {
                    return .init(504, "upstream timed out")
                }
                return reply
            }
        }

        private static func route(_ request: LoopbackServer.Request, _ state: inout State) -> LoopbackServer.Reply {
            let parts = request.target.split(separator: "?", maxSplits: 1).map(String.init)
            let path = parts[0]
            switch (request.method, path) {
            case ("POST", "/v2/orders"): return post(request, &state)
            case ("GET", "/v2/orders:by_client_order_id"):
                let id = String(parts.last?.split(separator: "=").last ?? "")
                for at in state.orders.indices {
                    if state.random.chance(state.faults.replaced) { replace(at, &state) }
                    trade(at, &state)
                }
                guard let order = state.orders.first(where: { $0.body["client_order_id"]?.stringValue == id }) else {
                    return .init(404, #"{"code":40410000,"message":"order not found"}"#)
                }
                return .init(200, json(order).serialized())
            case ("GET", _) where path.hasPrefix("/v2/orders/"):
                let id = String(path.dropFirst("/v2/orders/".count))
                guard let order = state.orders.first(where: { $0.id == id }) else { return .init(404, "{}") }
                return .init(200, json(order).serialized())
            case ("DELETE", _) where path.hasPrefix("/v2/orders/"):
                let id = String(path.dropFirst("/v2/orders/".count))
                guard let at = state.orders.firstIndex(where: { $0.id == id }) else { return .init(404, "{}") }
                guard ["new", "partially_filled"].contains(state.orders[at].status) else {
                    return .init(422, #"{"code":42210000,"message":"order is not cancelable"}"#)
                }
                state.orders[at].status = "canceled"
                return .init(204, "")
            case ("GET", "/v2/account/activities/FILL"):
                for at in state.activities.indices where !state.activities[at].isShown {
                    state.activities[at].isShown = !state.random.chance(0.5)
                }
                var shown = state.activities.filter { $0.isShown }.map { $0.json }
                if let last = shown.last, state.random.chance(0.3) { shown.append(last) }
                return .init(200, JSONValue.array(shown).serialized())
            case ("GET", "/v2/account"):
                return .init(
                    200, (["cash": .string(state.cash.description), "status": "ACTIVE"] as JSONValue).serialized())
            case ("GET", "/v2/positions"):
                return .init(
                    200,
                    JSONValue.array(
                        state.positions.sorted { $0.key < $1.key }.filter { $0.value != 0 }.map {
                            ["symbol": .string($0.key), "qty": .string($0.value.description)]
                        }
                    ).serialized())
            default: return .init(404, "{}")
            }
        }

        private static func post(_ request: LoopbackServer.Request, _ state: inout State) -> LoopbackServer.Reply {
            state.posts += 1
            guard let body = try? StrictJSON.parse(request.body), let client = body["client_order_id"]?.stringValue,
                let quantity = body["qty"]?.stringValue.flatMap({ FixedDecimal($0) }),
                let limit = body["limit_price"]?.stringValue.flatMap({ FixedDecimal($0) }), client.count <= 48
            else { return .init(422, #"{"code":42210000,"message":"invalid order"}"#) }
            if state.orders.contains(where: { $0.body["client_order_id"]?.stringValue == client }) {
                return .init(422, #"{"code":40010001,"message":"client_order_id must be unique"}"#)
            }
            if body["side"] == "buy", quantity * limit > state.cash {
                return .init(403, #"{"code":40310000,"message":"insufficient buying power"}"#)
            }
            state.orders.append(Order(id: "order-\(state.orders.count + 1)", body: body))
            let at = state.orders.count - 1
            if state.faults.fillsAtOnce { trade(at, &state) }
            return .init(200, json(state.orders[at]).serialized())
        }

        /// Puts another order in the place of an open one.
        private static func replace(_ at: Int, _ state: inout State) {
            let old = state.orders[at]
            guard ["new", "partially_filled"].contains(old.status),
                let quantity = old.body["qty"]?.stringValue.flatMap({ FixedDecimal($0) }),
                var body = old.body.objectValue
            else { return }
            let id = "order-\(state.orders.count + 1)"
            body["client_order_id"] = .string("somebody-\(id)")
            body["qty"] = .string((state.faults.reopens ? quantity : quantity - old.filled).description)
            state.orders[at].status = "replaced"
            state.orders[at].replacedBy = id
            state.orders.append(Order(id: id, body: .object(body)))
        }

        /// Fills a part of an open order at its limit price.
        private static func trade(_ at: Int, _ state: inout State) {
            guard !state.faults.isStuck, ["new", "partially_filled"].contains(state.orders[at].status) else { return }
            let body = state.orders[at].body
            guard let quantity = body["qty"]?.stringValue.flatMap({ FixedDecimal($0) }),
                let price = body["limit_price"]?.stringValue.flatMap({ FixedDecimal($0) }),
                let symbol = body["symbol"]?.stringValue
            else { return }
            let rest = quantity - state.orders[at].filled
            let part = rest > 1 && state.random.chance(0.5) ? (rest / 2).roundedDown(to: 1) : rest
            state.orders[at].filled += part
            state.orders[at].status = state.orders[at].filled == quantity ? "filled" : "partially_filled"
            let isSale = body["side"] == "sell"
            state.cash += isSale ? price * part : -(price * part)
            state.positions[symbol, default: 0] += isSale ? -part : part
            let number = state.activities.count + 1
            let activity: JSONValue = [
                "id": .string("20261120::\(number)"), "activity_type": "FILL", "order_id": .string(state.orders[at].id),
                "price": .string(price.description), "qty": .string(part.description), "symbol": .string(symbol),
            ]
            state.activities.append((activity, !state.random.chance(state.faults.late)))
        }

        private static func json(_ order: Order) -> JSONValue {
            var object = order.body.objectValue ?? JSONObject()
            object["id"] = .string(order.id)
            object["status"] = .string(order.status)
            object["filled_qty"] = .string(order.filled.description)
            object["submitted_at"] = "2026-11-20T15:00:00Z"
            object["notional"] = .null
            object["replaced_by"] = JSONValue(order.replacedBy)
            return .object(object)
        }
    }
}
