import Crypto
import Foundation
import HTTPFetch
import Reallocation
import WireFormat

/// Swaps on Solana through Jupiter's Swap API v2 behind the venue's interface: order (or build), read and refuse or sign, keep, execute (or send), look.
///
/// The signature is known before anything is sent, so it is what is kept and what is asked for. The same bytes can execute once only: they
/// are sent again until they have landed or their blockhash has expired. Amounts are those of the landed transaction, not of the quote.
struct JupiterVenue: TradingVenue {
    /// A token: its mint and how many decimals its smallest unit has.
    struct Token: Sendable {
        var mint: String
        var decimals: Int

        func units(_ amount: FixedDecimal) -> UInt64? {
            (0..<decimals).reduce(amount) { value, _ in value * 10 }.roundedDown(to: 1).int.flatMap {
                UInt64(exactly: $0)
            }
        }

        func amount(_ units: Int64) -> FixedDecimal {
            (0..<decimals).reduce(FixedDecimal(Int(units))) { value, _ in value / 10 }
        }
    }

    struct Settings: Sendable {
        var api: String
        var rpc: String
        /// Sent as x-api-key; nil without one.
        var apiKey: String?
        /// By symbol; the cash among them.
        var tokens: [String: Token]
        var cash: String
        var slippageBPS: Int
        /// Where the transaction comes from: a finished one of the aggregator, or one that we put together ourselves.
        enum Source: String, Sendable, CaseIterable { case order, build }
        var source = Source.order
        var patience: Duration = .seconds(2)
    }

    let name = "jupiter"
    var patience: Duration { settings.patience }
    private let settings: Settings
    private let key: Curve25519.Signing.PrivateKey
    private let client: HTTPClient
    private var wallet: [UInt8] { Array(key.publicKey.rawRepresentation) }

    init(_ settings: Settings, key: Curve25519.Signing.PrivateKey, client: HTTPClient) {
        self.settings = settings
        self.key = key
        self.client = client
    }

    // MARK: Wire

    private func fetch(_ request: HTTPRequest) async throws(VenueError) -> (status: Int, json: JSONValue?) {
        var request = request
        request.timeout = .seconds(15)
        do {
            let answer = try await client.fetch(request)
            return (answer.status, try? StrictJSON.parse(answer.body, limits: .stored))
        } catch {
            throw VenueError("\(error)")
        }
    }

    private var headers: [HTTPHeader] {
        [HTTPHeader("Accept", "application/json")] + (settings.apiKey.map { [HTTPHeader("x-api-key", $0)] } ?? [])
    }

    private func rpc(_ method: String, _ parameters: JSONValue) async throws(VenueError) -> JSONValue {
        let body: JSONValue = ["jsonrpc": "2.0", "id": 1, "method": .string(method), "params": parameters]
        let answer = try await fetch(
            HTTPRequest(
                .post, settings.rpc, headers: [HTTPHeader("Content-Type", "application/json")], body: body.bytes()))
        guard answer.status == 200, let result = answer.json?["result"] else {
            throw VenueError(
                "\(method): \(answer.json?["error"]?["message"]?.stringValue ?? "status \(answer.status)")")
        }
        return result
    }

    // MARK: Order

    private func tokens(_ order: VenueOrder) throws(VenueError) -> (asset: Token, cash: Token) {
        guard let asset = settings.tokens[order.asset] else {
            throw VenueError("\(order.asset) has no mint", isFinal: true)
        }
        guard let cash = settings.tokens[settings.cash] else { throw VenueError("\(settings.cash) has no mint") }
        return (asset, cash)
    }

    /// What a swap of an amount would bring, by either way.
    private enum Offer {
        case order(Jupiter.Order)
        case build(Jupiter.Build)

        var outAmount: UInt64 {
            switch self {
            case .order(let order): order.outAmount
            case .build(let build): build.outAmount
            }
        }

        func objections(asked: UInt64, least: FixedDecimal) -> [String] {
            switch self {
            case .order(let order): order.objections(asked: asked, ownPriceOut: least, tolerance: 0)
            case .build(let build):
                Jupiter.objections(
                    inAmount: build.inAmount, threshold: build.threshold, asked: asked, ownPriceOut: least, tolerance: 0
                )
            }
        }
    }

    private func quote(_ input: Token, _ output: Token, _ amount: UInt64) async throws(VenueError) -> Offer {
        let name = settings.source.rawValue
        let path =
            "\(settings.api)/\(name)?inputMint=\(input.mint)&outputMint=\(output.mint)&amount=\(amount)"
            + "&taker=\(Base58.text(wallet))&slippageBps=\(settings.slippageBPS)"
        let answer = try await fetch(HTTPRequest(.get, path, headers: headers))
        if answer.status == 200, let json = answer.json {
            switch settings.source {
            case .order: if let order = Jupiter.Order(json: json) { return .order(order) }
            case .build: if let build = Jupiter.Build(json: json) { return .build(build) }
            }
        }
        throw VenueError("\(name): status \(answer.status)")
    }

    func prepare(_ order: VenueOrder) async throws(VenueError) -> JSONValue? {
        let (asset, cash) = try tokens(order)
        let value = order.quantity * order.limitPrice
        guard let wanted = asset.units(order.quantity), let purse = cash.units(value), wanted > 0, purse > 0 else {
            throw VenueError("the order is too large or too small")
        }
        var made: Offer
        var asked = order.isSale ? wanted : purse
        if order.isSale {
            made = try await quote(asset, cash, asked)
        } else {
            // What goes in is fixed, not what comes out: as much cash as brings hardly less than what is wanted, and never more.
            made = try await quote(cash, asset, asked)
            if made.outAmount > wanted - wanted / 1000 {
                let share =
                    FixedDecimal(Int(clamping: wanted - wanted / 1000)) / FixedDecimal(Int(clamping: made.outAmount))
                guard let less = (FixedDecimal(Int(clamping: asked)) * share).roundedDown(to: 1).int, less > 0 else {
                    throw VenueError("the order is too small")
                }
                asked = UInt64(less)
                made = try await quote(cash, asset, asked)
            }
        }
        // At the limit price at least.
        let least =
            order.isSale
            ? FixedDecimal(Int(clamping: purse))
            : FixedDecimal(Int(clamping: asked)) * FixedDecimal(Int(clamping: wanted))
                / FixedDecimal(Int(clamping: purse))
        let doubts = made.objections(asked: asked, least: least.roundedDown(to: 1))
        guard doubts.isEmpty else { throw VenueError("not signed: " + doubts.joined(separator: "; "), isFinal: true) }
        switch made {
        case .order(let made):
            guard let text = made.transaction, let bytes = Data(base64Encoded: text) else {
                throw VenueError("the order cannot be built: \(made.errorMessage ?? "no transaction")")
            }
            guard let lastValid = made.lastValidBlockHeight else {
                throw VenueError("not signed: the order does not say until when it is valid")
            }
            return try signed(Array(bytes), requestID: made.requestID, lastValid: lastValid)
        case .build(let made):
            let (input, output) = order.isSale ? (asset, cash) : (cash, asset)
            let wanted = Simulation(
                input: input.mint, output: output.mint, most: asked,
                least: least.roundedDown(to: 1).int.flatMap { UInt64(exactly: $0) } ?? .max)
            return try signed(
                try await assembled(made, wanted), requestID: nil, lastValid: made.lastValidBlockHeight)
        }
    }

    /// What the simulation has to show.
    private struct Simulation {
        var input: String
        var output: String
        var most: UInt64
        var least: UInt64
    }

    /// Our token accounts of a mint.
    private func accounts(of mint: String) async throws(VenueError) -> [SimulatedSwap.Balance] {
        let found = try await rpc(
            "getTokenAccountsByOwner",
            [
                .string(Base58.text(wallet)), ["mint": .string(mint)],
                ["encoding": "jsonParsed", "commitment": "confirmed"],
            ])
        guard let list = found["value"]?.arrayValue else { throw VenueError("no token accounts") }
        var balances: [SimulatedSwap.Balance] = []
        for account in list {
            let amount = account["account"]?["data"]?["parsed"]?["info"]?["tokenAmount"]?["amount"]?.stringValue
            guard let address = account["pubkey"]?.stringValue, let units = amount.flatMap({ Int64($0) }) else {
                throw VenueError("a token account cannot be read")
            }
            balances.append(.init(address: address, mint: mint, amount: units))
        }
        return balances
    }

    /// A transaction of our own from the aggregator's instructions: simulated with all compute units, then with a fifth more than it used. What
    /// the simulation does to our balances has to be what was meant.
    private func assembled(_ made: Jupiter.Build, _ wanted: Simulation) async throws(VenueError) -> [UInt8] {
        let swapGuard = SwapGuard(wallet: wallet)
        let most = swapGuard.mostPriorityLamports
        func wire(_ units: UInt32) throws(VenueError) -> [UInt8] {
            do {
                return try made.message(payer: wallet, units: units, mostLamports: most).unsigned
            } catch {
                throw VenueError("not signed: \(error)", isFinal: true)
            }
        }
        let trial = try wire(Jupiter.Build.mostUnits)
        // What would not be signed is not even shown to a node.
        let transaction = try check(trial)
        let lamports = try await rpc("getBalance", [.string(Base58.text(wallet)), ["commitment": "confirmed"]])
        guard let lamports = lamports["value"]?.intValue else { throw VenueError("no balance of the wallet") }
        let swap = SimulatedSwap(
            wallet: Base58.text(wallet),
            before: try await accounts(of: wanted.input) + (try await accounts(of: wanted.output)),
            lamports: Int64(lamports), made: SimulatedSwap.accountsMade(by: transaction, for: wallet),
            input: wanted.input, output: wanted.output, most: wanted.most, least: wanted.least,
            mostLamports: most + swapGuard.mostTipLamports)
        let result = try await rpc(
            "simulateTransaction",
            [
                .string(Data(trial).base64EncodedString()),
                [
                    "encoding": "base64", "sigVerify": false, "replaceRecentBlockhash": true,
                    "commitment": "confirmed",
                    "accounts": [
                        "encoding": "jsonParsed", "addresses": .array(swap.addresses.map { .string($0) }),
                    ],
                ],
            ])
        if let fault = result["value"]?["err"], fault != .null {
            throw VenueError("the swap fails when it is simulated: \(fault.serialized())")
        }
        let doubts = swap.objections(result["value"]?["accounts"]?.arrayValue)
        guard doubts.isEmpty else {
            throw VenueError("not signed: " + doubts.joined(separator: "; "), isFinal: true)
        }
        guard let used = result["value"]?["unitsConsumed"]?.intValue else {
            throw VenueError("the simulation says nothing")
        }
        return try wire(Jupiter.Build.limit(used: used))
    }

    @discardableResult
    private func check(_ bytes: [UInt8]) throws(VenueError) -> SolanaTransaction {
        let transaction: SolanaTransaction
        do {
            transaction = try SolanaTransaction(bytes)
        } catch {
            throw VenueError("not signed: \(error)", isFinal: true)
        }
        let objections = SwapGuard(wallet: wallet).objections(to: transaction)
        guard objections.isEmpty else {
            throw VenueError("not signed: " + objections.joined(separator: "; "), isFinal: true)
        }
        return transaction
    }

    /// Reads, guards and signs; what has to be kept before it is sent.
    private func signed(_ bytes: [UInt8], requestID: String?, lastValid: UInt64) throws(VenueError) -> JSONValue {
        var transaction = try check(bytes)
        do {
            try transaction.sign(Array(try key.signature(for: transaction.message)), by: wallet)
        } catch {
            throw VenueError("not signed: \(error)", isFinal: true)
        }
        var kept = JSONObject([
            ("transaction", .string(Data(transaction.wire).base64EncodedString())),
            ("signature", .string(transaction.id)), ("last_valid_block_height", .string(String(lastValid))),
        ])
        if let requestID { kept["request_id"] = .string(requestID) }
        return .object(kept)
    }

    func submit(_ order: VenueOrder, prepared: JSONValue?) async -> VenueAnswer {
        guard let prepared, let transaction = prepared["transaction"] else { return .unknown }
        guard let requestID = prepared["request_id"] else {
            // Our own transaction goes to the network itself. That a node took it does not mean that it lands.
            let sent = try? await send(transaction)
            return sent != nil && sent == prepared["signature"] ? .accepted : .unknown
        }
        let body: JSONValue = ["signedTransaction": transaction, "requestId": requestID]
        let request = HTTPRequest(
            .post, settings.api + "/execute", headers: headers + [HTTPHeader("Content-Type", "application/json")],
            body: body.bytes())
        guard let answer = try? await fetch(request) else { return .unknown }
        // Success or not: the network has the last word.
        if case .success = Jupiter.Execution(status: answer.status, body: answer.json) { return .accepted }
        return .unknown
    }

    private func send(_ transaction: JSONValue) async throws(VenueError) -> JSONValue {
        try await rpc(
            "sendTransaction", [transaction, ["encoding": "base64", "maxRetries": 0, "skipPreflight": true]])
    }

    func lookup(_ order: VenueOrder, prepared: JSONValue?) async throws(VenueError) -> VenueOrderState? {
        // Nothing was signed, so nothing can have been sent.
        guard let prepared, let signature = prepared["signature"]?.stringValue,
            let lastValid = prepared["last_valid_block_height"]?.stringValue.flatMap({ UInt64($0) })
        else { return nil }
        let statuses = try await rpc(
            "getSignatureStatuses", [[.string(signature)], ["searchTransactionHistory": true]])
        let status = statuses["value"]?[0]
        let height = try await rpc("getBlockHeight", [["commitment": "confirmed"]]).intValue.flatMap {
            UInt64(exactly: $0)
        }
        guard let height else { throw VenueError("no block height") }
        let confirmation = status?["confirmationStatus"]?.stringValue
        let hasError = status?["err"].map { $0 != .null } ?? false
        let open = VenueOrderState(filled: 0, isClosed: false, rejection: nil, fills: [])
        switch ResendRule.decide(confirmation: confirmation, hasError: hasError, height: height, lastValid: lastValid) {
        case .expired: return VenueOrderState(filled: 0, isClosed: true, rejection: nil, fills: [])
        case .resend:
            _ = await submit(order, prepared: prepared)
            if let transaction = prepared["transaction"], prepared["request_id"] != nil {
                // Straight to the network as well; a node that has it already says so, which changes nothing.
                _ = try? await send(transaction)
            }
            return open
        // Booked once it is final only.
        case .landed, .failed: if confirmation != "finalized" { return open }
        }
        if hasError {
            return VenueOrderState(filled: 0, isClosed: true, rejection: "the swap landed and failed", fills: [])
        }
        return try await landed(order, signature)
    }

    /// The fill of a transaction that is final, from the balances before and after it.
    private func landed(_ order: VenueOrder, _ signature: String) async throws(VenueError) -> VenueOrderState {
        let (asset, cash) = try tokens(order)
        let transaction = try await rpc(
            "getTransaction",
            [
                .string(signature),
                ["encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0],
            ])
        let owner = Base58.text(wallet)
        guard let meta = transaction["meta"], let moved = Jupiter.change(of: asset.mint, owner: owner, in: meta),
            let paid = Jupiter.change(of: cash.mint, owner: owner, in: meta), moved != 0,
            (moved < 0) == order.isSale, (paid < 0) != order.isSale
        else { throw VenueError("the balances of \(signature) do not say what was swapped") }
        let quantity = asset.amount(moved).magnitude
        let price = cash.amount(paid).magnitude / quantity
        return VenueOrderState(
            filled: quantity, isClosed: true, rejection: nil,
            fills: [VenueOrderState.Fill(id: signature, quantity: quantity, price: price)])
    }

    /// A swap that was sent cannot be taken back; it lands or expires within a minute.
    func cancel(_ order: VenueOrder) async throws(VenueError) {}

    func account(of assets: [String]) async throws(VenueError) -> VenueAccount {
        func balance(_ token: Token) async throws(VenueError) -> FixedDecimal {
            let found = try await rpc(
                "getTokenAccountsByOwner",
                [
                    .string(Base58.text(wallet)), ["mint": .string(token.mint)],
                    ["encoding": "jsonParsed", "commitment": "finalized"],
                ])
            guard let accounts = found["value"]?.arrayValue else { throw VenueError("no token accounts") }
            var sum: Int64 = 0
            for account in accounts {
                let amount = account["account"]?["data"]?["parsed"]?["info"]?["tokenAmount"]?["amount"]?.stringValue
                guard let units = amount.flatMap({ Int64($0) }) else {
                    throw VenueError("a token account cannot be read")
                }
                sum += units
            }
            return token.amount(sum)
        }
        guard let cash = settings.tokens[settings.cash] else { throw VenueError("\(settings.cash) has no mint") }
        var positions: [String: FixedDecimal] = [:]
        for asset in assets {
            guard let token = settings.tokens[asset] else { throw VenueError("\(asset) has no mint") }
            positions[asset] = try await balance(token)
        }
        return VenueAccount(cash: try await balance(cash), positions: positions)
    }
}
