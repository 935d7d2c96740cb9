import Crypto
import Foundation
import HTTPFetch
import Reallocation
import ServiceKit
import Synchronization
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

/// Jupiter's Swap API and a Solana node on a loopback port: orders are built, signatures are checked, a signature lands once however often it
/// is sent, and answers get lost before and after.
private final class JupiterFake: Sendable {
    struct Faults: Sendable {
        var lostAfter = 0.0
        var lostBefore = 0.0
        /// Sent, and never landing.
        var drops = false
        /// The transaction gives an approval away.
        var isHostile = false
        var failsSimulation = false
        /// What the simulation shows beside the swap.
        enum Surprise: Sendable { case none, takesMore, bringsLess, takesLamports, givesAway, hides }
        var surprise = Surprise.none
        /// What comes out, against the price.
        var rate = 1.0
    }

    struct State {
        var random: SplitMix64
        var faults: Faults
        var wallet: [UInt8]
        var orders = 0
        /// By request: signature's message and the swap.
        var open: [String: (message: [UInt8], input: String, inAmount: UInt64, output: String, outAmount: UInt64)] = [:]
        var landed: [String: (seen: Int, meta: JSONValue)] = [:]
        /// By blockhash, of what was built.
        var built: [String: (input: String, inAmount: UInt64, output: String, outAmount: UInt64)] = [:]
        var simulations = 0
        var executions = 0
        var height: UInt64 = 1000
        var balances: [String: Int64]
        var badSignatures = 0
    }

    static let asset = Base58.text([UInt8](repeating: 21, count: 32))
    static let cash = Base58.text([UInt8](repeating: 22, count: 32))
    private let box: Box
    let server: LoopbackServer

    private final class Box: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    init(seed: UInt64, wallet: [UInt8], faults: Faults = Faults()) throws {
        let first = State(
            random: SplitMix64(seed: seed), faults: faults, wallet: wallet,
            balances: [Self.asset: 10_000_000_000, Self.cash: 1_000_000_000])
        let box = Box(first)
        self.box = box
        server = try LoopbackServer { request in box.state.withLock { Self.answer(request, &$0) } }
    }

    func read<T: Sendable>(_ body: (State) -> T) -> T { box.state.withLock { body($0) } }

    private static func answer(_ request: LoopbackServer.Request, _ state: inout State) -> LoopbackServer.Reply {
        let parts = request.target.split(separator: "?", maxSplits: 1).map(String.init)
        switch parts[0] {
        case "/swap/order": return order(parts.last ?? "", &state)
        case "/swap/build": return build(parts.last ?? "", &state)
        case "/swap/execute":
            if state.random.chance(state.faults.lostBefore) { return .init(504, "") }
            let body = try? StrictJSON.parse(request.body)
            let reply = execute(body, &state)
            return state.random.chance(state.faults.lostAfter) ? .init(504, "") : reply
        default:
            let body = try? StrictJSON.parse(request.body)
            if body?["method"] == "sendTransaction" {
                if state.random.chance(state.faults.lostBefore) { return .init(504, "") }
                let result = send(body?["params"]?[0]?.stringValue ?? "", &state)
                if state.random.chance(state.faults.lostAfter) { return .init(504, "") }
                return .init(200, (["jsonrpc": "2.0", "id": 1, "result": result] as JSONValue).serialized())
            }
            let result = rpc(body?["method"]?.stringValue ?? "", body?["params"] ?? [], &state)
            return .init(200, (["jsonrpc": "2.0", "id": 1, "result": result] as JSONValue).serialized())
        }
    }

    /// What a swap of a query is; nil where it is none.
    private static func swap(
        _ query: String, _ state: State
    ) -> (input: String, amount: UInt64, output: String, out: UInt64)? {
        var fields: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let sides = pair.split(separator: "=").map(String.init)
            if sides.count == 2 { fields[sides[0]] = sides[1] }
        }
        guard let input = fields["inputMint"], let output = fields["outputMint"],
            let amount = fields["amount"].flatMap({ UInt64($0) }), fields["taker"] == Base58.text(state.wallet)
        else { return nil }
        // One whole asset (9 decimals) is 20 of the cash (6 decimals).
        let exact = input == asset ? Double(amount) / 1e9 * 20 * 1e6 : Double(amount) / 1e6 / 20 * 1e9
        return (input, amount, output, UInt64(exact * state.faults.rate))
    }

    /// Instructions with a table: two of the swap's accounts are looked up.
    private static func build(_ query: String, _ state: inout State) -> LoopbackServer.Reply {
        guard let swap = swap(query, state) else { return .init(400, "{}") }
        state.orders += 1
        func key(_ byte: UInt8) -> String { Base58.text([UInt8](repeating: byte, count: 32)) }
        func account(_ key: String, signs: Bool = false, writes: Bool = false) -> JSONValue {
            ["pubkey": .string(key), "isSigner": .bool(signs), "isWritable": .bool(writes)]
        }
        func instruction(_ program: String, _ accounts: [JSONValue], _ data: [UInt8]) -> JSONValue {
            [
                "programId": .string(program), "accounts": .array(accounts),
                "data": .string(Data(data).base64EncodedString()),
            ]
        }
        let owner = Base58.text(state.wallet)
        let number = UInt8(state.orders % 250)
        var others: [JSONValue] = []
        if state.faults.isHostile { others = [instruction(SwapGuard.token, [account(key(8)), account(owner)], [4])] }
        let hash = [UInt8](repeating: number, count: 32)
        state.built[Base58.text(hash)] = (swap.input, swap.amount, swap.output, swap.out)
        let swapAccounts = [
            account(owner, signs: true), account(key(31), writes: true), account(key(41), writes: true),
            account(key(42)), account(key(8)),
        ]
        let table: [JSONValue] = [.string(key(43)), .string(key(42)), .string(key(41))]
        let answer: JSONValue = [
            "inAmount": .string(String(swap.amount)), "outAmount": .string(String(swap.out)),
            "otherAmountThreshold": .string(String(swap.out)),
            // A price far beyond what may be paid: it has to be lowered.
            "computeBudgetInstructions": [
                instruction(SwapGuard.computeBudget, [], [3] + SolanaMessages.bytes(90_000_000_000, 8))
            ],
            "setupInstructions": [
                instruction(
                    SwapGuard.associatedToken,
                    [account(owner, signs: true, writes: true), account(key(31), writes: true), account(owner)], [1])
            ],
            "swapInstruction": instruction(SwapGuard.jupiter, swapAccounts, [number, 1, 2, 3]),
            "cleanupInstruction": .null, "otherInstructions": .array(others), "tipInstruction": .null,
            "addressesByLookupTableAddress": .object(JSONObject([(key(40), .array(table))])),
            "blockhashWithMetadata": [
                "blockhash": .array(hash.map { JSONValue(Int($0)) }),
                "lastValidBlockHeight": JSONValue(Int(state.height + 50)),
            ],
        ]
        return .init(200, answer.serialized())
    }

    /// A node: checks the signature, and lands a signature once.
    private static func send(_ text: String, _ state: inout State) -> JSONValue {
        guard let wire = Data(base64Encoded: text), let transaction = try? SolanaTransaction(Array(wire)),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: state.wallet),
            key.isValidSignature(transaction.signatures[0], for: transaction.message)
        else {
            state.badSignatures += 1
            return .null
        }
        guard let built = state.built[Base58.text(transaction.blockhash)] else { return .string(transaction.id) }
        state.executions += 1
        // The keys of the table are not in the message, and the fee is within what may be paid.
        if transaction.lookedUp != 2 || !SwapGuard(wallet: state.wallet).objections(to: transaction).isEmpty {
            state.badSignatures += 1
        }
        if state.landed[transaction.id] == nil, !state.faults.drops { land(transaction.id, built, &state) }
        return .string(transaction.id)
    }

    private static func order(_ query: String, _ state: inout State) -> LoopbackServer.Reply {
        guard let (input, amount, output, out) = swap(query, state) else { return .init(400, "{}") }
        state.orders += 1
        let keys = [
            state.wallet, [UInt8](repeating: 8, count: 32), Base58.bytes(SwapGuard.jupiter) ?? [],
            Base58.bytes(SwapGuard.token) ?? [],
        ]
        var instructions = [
            SolanaMessages.Instruction(program: 2, accounts: [0, 1], data: [UInt8(state.orders % 250)])
        ]
        if state.faults.isHostile { instructions.append(.init(program: 3, accounts: [1, 0], data: [4])) }
        let wire = SolanaMessages.wire(
            keys: keys, blockhash: [UInt8](repeating: UInt8(state.orders % 250), count: 32), instructions)
        let id = "r\(state.orders)"
        state.open[id] = ((try? SolanaTransaction(wire).message) ?? [], input, amount, output, out)
        return .init(
            200,
            ([
                "requestId": .string(id), "transaction": .string(Data(wire).base64EncodedString()),
                "inAmount": .string(String(amount)), "outAmount": .string(String(out)),
                "otherAmountThreshold": .string(String(out)),
                "lastValidBlockHeight": .string(String(state.height + 20)),
            ] as JSONValue).serialized())
    }

    private static func execute(_ body: JSONValue?, _ state: inout State) -> LoopbackServer.Reply {
        guard let id = body?["requestId"]?.stringValue, let open = state.open[id],
            let wire = body?["signedTransaction"]?.stringValue.flatMap({ Data(base64Encoded: $0) }),
            let transaction = try? SolanaTransaction(Array(wire)),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: state.wallet),
            transaction.message == open.message,
            key.isValidSignature(transaction.signatures[0], for: transaction.message)
        else {
            state.badSignatures += 1
            return .init(400, "{}")
        }
        state.executions += 1
        if state.landed[transaction.id] == nil, !state.faults.drops {
            land(transaction.id, (open.input, open.inAmount, open.output, open.outAmount), &state)
        }
        return .init(
            200,
            ([
                "status": "Success", "signature": .string(transaction.id),
                "totalInputAmount": .string(String(open.inAmount)),
                "totalOutputAmount": .string(String(open.outAmount)),
            ] as JSONValue).serialized())
    }

    private static func land(
        _ signature: String, _ swap: (input: String, inAmount: UInt64, output: String, outAmount: UInt64),
        _ state: inout State
    ) {
        let before = state.balances
        state.balances[swap.input, default: 0] -= Int64(swap.inAmount)
        state.balances[swap.output, default: 0] += Int64(swap.outAmount)
        let owner = Base58.text(state.wallet)
        func list(_ balances: [String: Int64]) -> JSONValue {
            .array(
                balances.sorted { $0.key < $1.key }.map {
                    [
                        "mint": .string($0.key), "owner": .string(owner),
                        "uiTokenAmount": ["amount": .string(String($0.value))],
                    ]
                })
        }
        state.landed[signature] = (
            0, ["err": .null, "preTokenBalances": list(before), "postTokenBalances": list(state.balances)]
        )
    }

    private static func rpc(_ method: String, _ parameters: JSONValue, _ state: inout State) -> JSONValue {
        state.height += 5
        switch method {
        case "getSignatureStatuses":
            let signature = parameters[0]?[0]?.stringValue ?? ""
            guard let landed = state.landed[signature] else { return ["value": [.null]] }
            state.landed[signature]?.seen += 1
            let word = ["processed", "confirmed", "finalized"][min(2, landed.seen)]
            return ["value": [["confirmationStatus": .string(word), "err": .null]]]
        case "simulateTransaction":
            state.simulations += 1
            if state.faults.failsSimulation { return ["value": ["err": ["InstructionError": [2, "Custom"]]]] }
            return simulated(parameters, state)
        case "getBalance": return ["value": 5_000_000_000]
        case "getBlockHeight": return JSONValue(Int(state.height))
        case "getTransaction":
            return ["meta": state.landed[parameters[0]?.stringValue ?? ""]?.meta ?? .null]
        case "getTokenAccountsByOwner":
            let mint = parameters[1]?["mint"]?.stringValue ?? ""
            let amount = String(state.balances[mint] ?? 0)
            return [
                "value": [
                    [
                        "pubkey": .string(account(of: mint)),
                        "account": ["data": ["parsed": ["info": ["tokenAmount": ["amount": .string(amount)]]]]],
                    ]
                ]
            ]
        default: return .null
        }
    }

    /// The address of the wallet's token account; the asset's is the one that a built transaction makes where it is missing.
    private static func account(of mint: String) -> String {
        Base58.text([UInt8](repeating: mint == asset ? 31 : 32, count: 32))
    }

    /// Balances after the swap, as the accounts that were asked for.
    private static func simulated(_ parameters: JSONValue, _ state: State) -> JSONValue {
        guard let wire = parameters[0]?.stringValue.flatMap({ Data(base64Encoded: $0) }),
            let transaction = try? SolanaTransaction(Array(wire)),
            let built = state.built[Base58.text(transaction.blockhash)]
        else { return ["value": ["err": "unknown"]] }
        let surprise = state.faults.surprise
        var balances = state.balances
        balances[built.input, default: 0] -= Int64(built.inAmount) + (surprise == .takesMore ? 1 : 0)
        balances[built.output, default: 0] += Int64(built.outAmount) * (surprise == .bringsLess ? 9 : 10) / 10
        let owner = Base58.text(state.wallet)
        let accounts = (parameters[1]?["accounts"]?["addresses"]?.arrayValue ?? []).map { address -> JSONValue in
            if address.stringValue == owner {
                return ["lamports": JSONValue(5_000_000_000 - 9000 - (surprise == .takesLamports ? 50_000_000 : 0))]
            }
            guard let mint = [asset, cash].first(where: { account(of: $0) == address.stringValue }) else {
                return .null
            }
            let other = surprise == .givesAway ? Base58.text([UInt8](repeating: 9, count: 32)) : owner
            return [
                "lamports": 2_039_280,
                "data": [
                    "parsed": [
                        "info": [
                            "mint": .string(mint), "owner": .string(other),
                            "tokenAmount": ["amount": .string(String(balances[mint] ?? 0))],
                        ]
                    ]
                ],
            ]
        }
        return [
            "value": [
                "err": .null, "unitsConsumed": 100_000, "accounts": surprise == .hides ? .null : .array(accounts),
            ]
        ]
    }
}

private func dec(_ text: String) -> FixedDecimal { FixedDecimal(text) ?? 0 }

@Suite("Jupiter")
struct JupiterTests {
    private let key = Curve25519.Signing.PrivateKey()

    private func venue(_ fake: JupiterFake, _ source: JupiterVenue.Settings.Source = .order) -> JupiterVenue {
        JupiterVenue(
            .init(
                api: fake.server.url + "/swap", rpc: fake.server.url + "/rpc", apiKey: nil,
                tokens: [
                    "TOK": .init(mint: JupiterFake.asset, decimals: 9),
                    "USDC": .init(mint: JupiterFake.cash, decimals: 6),
                ], cash: "USDC", slippageBPS: 50, source: source, patience: .milliseconds(1)), key: key,
            client: HTTPClient())
    }

    private var wallet: [UInt8] { Array(key.publicKey.rawRepresentation) }

    private func order(isSale: Bool, quantity: FixedDecimal = 2, limit: String) -> VenueOrder {
        VenueOrder(clientID: "p1", asset: "TOK", isSale: isSale, quantity: quantity, limitPrice: dec(limit))
    }

    /// Looks until the order has ended.
    private func end(_ venue: JupiterVenue, _ order: VenueOrder, _ prepared: JSONValue?) async throws -> VenueOrderState
    {
        for _ in 0..<200 {
            if let state = try await venue.lookup(order, prepared: prepared), state.isClosed { return state }
        }
        throw VenueError("it does not end")
    }

    @Test("a swap is signed, sent until it has landed, and booked once by what moved", arguments: [true, false], 0..<5)
    func swap(isSale: Bool, seed: Int) async throws {
        var faults = JupiterFake.Faults()
        (faults.lostAfter, faults.lostBefore) = (0.4, 0.4)
        let fake = try JupiterFake(seed: UInt64(seed), wallet: wallet, faults: faults)
        let venue = venue(fake)
        let order = order(isSale: isSale, limit: isSale ? "19.9" : "20.1")
        let prepared = try await venue.prepare(order)
        _ = await venue.submit(order, prepared: prepared)
        let state = try await end(venue, order, prepared)
        let fill = try #require(state.fills.first)
        #expect(state.fills.count == 1 && fill.quantity <= 2 && fill.quantity > dec("1.99"))
        #expect((fill.price - 20).magnitude < dec("0.001"))
        let account = try await venue.account(of: ["TOK"])
        #expect(account.positions["TOK"] == (isSale ? 10 - fill.quantity : 10 + fill.quantity))
        #expect((account.cash - 1000 - (isSale ? 1 : -1) * fill.price * fill.quantity).magnitude < dec("0.00001"))
        // However often it was sent, it landed once.
        #expect(fake.read { $0.landed.count } == 1 && fake.read { $0.badSignatures } == 0)
    }

    @Test("a swap that never lands is over only once its blockhash has expired")
    func expires() async throws {
        var faults = JupiterFake.Faults()
        faults.drops = true
        let fake = try JupiterFake(seed: 1, wallet: wallet, faults: faults)
        let venue = venue(fake)
        let order = order(isSale: true, limit: "19.9")
        let prepared = try await venue.prepare(order)
        _ = await venue.submit(order, prepared: prepared)
        let first = try #require(try await venue.lookup(order, prepared: prepared))
        #expect(!first.isClosed)
        let state = try await end(venue, order, prepared)
        #expect(state.filled == 0 && state.fills.isEmpty && fake.read { $0.executions } > 1)
        #expect(try await venue.lookup(order, prepared: nil) == nil)
    }

    @Test("what gives tokens away, or brings less than the limit price, is never signed")
    func refuses() async throws {
        var faults = JupiterFake.Faults()
        faults.isHostile = true
        let hostile = try JupiterFake(seed: 1, wallet: wallet, faults: faults)
        await #expect(throws: VenueError.self) {
            try await self.venue(hostile).prepare(self.order(isSale: true, limit: "19.9"))
        }
        var poor = JupiterFake.Faults()
        poor.rate = 0.9
        let fake = try JupiterFake(seed: 1, wallet: wallet, faults: poor)
        for isSale in [true, false] {
            await #expect(throws: VenueError.self) {
                try await self.venue(fake).prepare(self.order(isSale: isSale, limit: isSale ? "19.9" : "20.1"))
            }
        }
        #expect(fake.read { $0.executions } == 0)
    }

    @Test("a key file is read, and refused where its halves do not fit")
    func keys() throws {
        let bytes = Array(key.rawRepresentation) + wallet
        let read = try Configuration.solanaKey(.array(bytes.map { JSONValue(Int($0)) }))
        #expect(read.rawRepresentation == key.rawRepresentation)
        var wrong = bytes
        wrong[63] ^= 1
        #expect(throws: (any Error).self) { try Configuration.solanaKey(.array(wrong.map { JSONValue(Int($0)) })) }
        #expect(throws: (any Error).self) { try Configuration.solanaKey([1, 2, 3]) }
    }

    @Test(
        "a swap that we put together is simulated, signed, sent to the network, and booked once",
        arguments: [true, false], 0..<5)
    func built(isSale: Bool, seed: Int) async throws {
        var faults = JupiterFake.Faults()
        (faults.lostAfter, faults.lostBefore) = (0.4, 0.4)
        let fake = try JupiterFake(seed: UInt64(seed), wallet: wallet, faults: faults)
        let venue = venue(fake, .build)
        let order = order(isSale: isSale, limit: isSale ? "19.9" : "20.1")
        let prepared = try await venue.prepare(order)
        #expect(fake.read { $0.simulations } == 1 && prepared?["request_id"] == nil)
        let text = try #require(prepared?["transaction"]?.stringValue.flatMap { Data(base64Encoded: $0) })
        let transaction = try SolanaTransaction(Array(text))
        // Units: a fifth beyond what the simulation used; price: what two million lamports allow.
        let budget = transaction.instructions.filter {
            Base58.text(transaction.keys[$0.program]) == SwapGuard.computeBudget
        }
        #expect(budget.first?.data == [2] + SolanaMessages.bytes(120_000, 4))
        #expect(budget.last?.data == [3] + SolanaMessages.bytes(2_000_000 * 1_000_000 / 120_000, 8))
        #expect(transaction.keys.first == wallet && transaction.lookedUp == 2)
        _ = await venue.submit(order, prepared: prepared)
        let state = try await end(venue, order, prepared)
        let fill = try #require(state.fills.first)
        #expect(state.fills.count == 1 && fill.quantity <= 2 && fill.quantity > dec("1.99"))
        #expect((fill.price - 20).magnitude < dec("0.001"))
        #expect(fake.read { $0.landed.count } == 1 && fake.read { $0.badSignatures } == 0)
    }

    @Test("what we put together is refused like a stranger's transaction, and where its simulation fails")
    func builtRefused() async throws {
        for change in 0..<3 {
            var faults = JupiterFake.Faults()
            faults.isHostile = change == 0
            faults.failsSimulation = change == 1
            faults.rate = change == 2 ? 0.9 : 1
            let fake = try JupiterFake(seed: 1, wallet: wallet, faults: faults)
            await #expect(throws: VenueError.self) {
                try await self.venue(fake, .build).prepare(self.order(isSale: true, limit: "19.9"))
            }
            #expect(fake.read { $0.executions } == 0 && fake.read { $0.simulations } == (change == 1 ? 1 : 0))
        }
        // Instructions that look right, and balances that say otherwise.
        for surprise in [JupiterFake.Faults.Surprise.takesMore, .bringsLess, .takesLamports, .givesAway, .hides] {
            var faults = JupiterFake.Faults()
            faults.surprise = surprise
            let fake = try JupiterFake(seed: 1, wallet: wallet, faults: faults)
            for isSale in [true, false] {
                await #expect(throws: VenueError.self, "\(surprise)") {
                    try await self.venue(fake, .build).prepare(
                        self.order(isSale: isSale, limit: isSale ? "19.9" : "20.1"))
                }
            }
            #expect(fake.read { $0.executions } == 0 && fake.read { $0.simulations } == 2)
        }
        // Never lands: over only once the blockhash has expired.
        var faults = JupiterFake.Faults()
        faults.drops = true
        let fake = try JupiterFake(seed: 1, wallet: wallet, faults: faults)
        let venue = venue(fake, .build)
        let order = order(isSale: true, limit: "19.9")
        let prepared = try await venue.prepare(order)
        _ = await venue.submit(order, prepared: prepared)
        let state = try await end(venue, order, prepared)
        #expect(state.filled == 0 && state.fills.isEmpty && fake.read { $0.executions } > 1)
    }
}
