import Reallocation
import TestSupport
import Testing
import WireFormat

@Suite("Messages of venues")
struct VenueMessageTests {
    @Test("base 58 against published vectors")
    func base58() {
        // Source: draft-msporny-base58, test vectors; the system program's id is 32 zero bytes.
        #expect(Base58.text(Array("Hello World!".utf8)) == "2NEpo7TZRRrLZSi2U")
        #expect(
            Base58.text(Array("The quick brown fox jumps over the lazy dog.".utf8))
                == "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z")
        #expect(Base58.text([0, 0, 0x28, 0x7f, 0xb4, 0xcd]) == "11233QC4")
        #expect(Base58.bytes("11233QC4") == [0, 0, 0x28, 0x7f, 0xb4, 0xcd])
        #expect(Base58.bytes(SwapGuard.system) == [UInt8](repeating: 0, count: 32))
        for key in [SwapGuard.token, SwapGuard.associatedToken, SwapGuard.computeBudget, SwapGuard.jupiter] {
            #expect(Base58.bytes(key)?.count == 32 && Base58.bytes(key).map { Base58.text($0) } == key)
        }
        #expect(Base58.bytes("0OIl") == nil)
    }

    private let wallet = [UInt8](repeating: 7, count: 32)
    private func key(_ text: String) -> [UInt8] { Base58.bytes(text) ?? [] }

    /// A swap with a compute limit and price, as an aggregator sends it; `more` follows.
    private func swap(price: UInt64 = 1000, more: [SolanaMessages.Instruction] = []) -> [UInt8] {
        SolanaMessages.wire(
            keys: [
                wallet, [UInt8](repeating: 8, count: 32), key(SwapGuard.computeBudget), key(SwapGuard.jupiter),
                key(SwapGuard.system), key(SwapGuard.token), key(SwapGuard.associatedToken),
                [UInt8](repeating: 5, count: 32),
            ],
            [
                .init(program: 2, data: [2] + SolanaMessages.bytes(300_000, 4)),
                .init(program: 2, data: [3] + SolanaMessages.bytes(price, 8)),
                .init(program: 6, accounts: [0, 1, 0, 7, 4, 5], data: [1]),
                .init(program: 3, accounts: [0, 1, 7], data: [1, 2, 3]),
            ] + more)
    }

    @Test("a transaction is read to its last byte, and signed in its own slot")
    func transaction() throws {
        var transaction = try SolanaTransaction(swap())
        #expect(transaction.wire == swap() && transaction.signers == 1 && transaction.instructions.count == 4)
        #expect(transaction.message.first == 0x80)
        let signature = [UInt8](repeating: 3, count: 64)
        try transaction.sign(signature, by: wallet)
        #expect(transaction.id == Base58.text(signature))
        #expect(try SolanaTransaction(transaction.wire).signatures == [signature])
        #expect(throws: SolanaTransaction.Failure.self) {
            try transaction.sign(signature, by: self.key(SwapGuard.token))
        }
        for count in [0, 1, 60, 66, 100, swap().count - 1] {
            #expect(throws: SolanaTransaction.Failure.self) { try SolanaTransaction(Array(self.swap().prefix(count))) }
        }
        #expect(throws: SolanaTransaction.Failure.self) { try SolanaTransaction(self.swap() + [0]) }
        #expect(throws: SolanaTransaction.Failure.tooLong(1233)) {
            try SolanaTransaction([UInt8](repeating: 0, count: 1233))
        }
    }

    @Test("random bytes never trap")
    func garbage() {
        var random = SplitMix64(seed: 4)
        for _ in 0..<20_000 {
            var bytes = swap()
            for _ in 0..<(1 + random.integer(4)) { bytes[random.integer(bytes.count)] = UInt8(random.integer(256)) }
            guard let read = try? SolanaTransaction(bytes) else { continue }
            _ = SwapGuard(wallet: wallet).objections(to: read)
        }
    }

    @Test("a plain swap is signed; what moves anything else is not")
    func guards() throws {
        let rule = SwapGuard(wallet: wallet)
        func objections(_ more: [SolanaMessages.Instruction], price: UInt64 = 1000) throws -> [String] {
            rule.objections(to: try SolanaTransaction(swap(price: price, more: more)))
        }
        #expect(try objections([]).isEmpty)
        // A fee of 300,000 units at ten lamports each.
        #expect(try objections([], price: 10_000_000).contains { $0.contains("fee") })
        #expect(
            try objections([.init(program: 5, accounts: [1, 7, 0], data: [3] + SolanaMessages.bytes(1, 8))]).count == 1)
        #expect(try objections([.init(program: 5, accounts: [1, 7, 0], data: [4])]).count == 1)
        #expect(try objections([.init(program: 5, accounts: [1, 7, 0], data: [9])]).count == 1)
        #expect(try objections([.init(program: 5, accounts: [1, 0, 0], data: [9])]).isEmpty)
        #expect(try objections([.init(program: 5, accounts: [1, 0], data: [6])]).count == 1)
        #expect(try objections([.init(program: 7, accounts: [0])]).contains { $0.contains("not known") })
        #expect(try objections([.init(program: 3, accounts: [0])]).contains { $0.contains("swaps") })
        let tip: [UInt8] = [2, 0, 0, 0] + SolanaMessages.bytes(5_000_000, 8)
        #expect(try objections([.init(program: 4, accounts: [0, 7], data: tip)]).count == 1)
        let small: [UInt8] = [2, 0, 0, 0] + SolanaMessages.bytes(10_000, 8)
        #expect(try objections([.init(program: 4, accounts: [0, 7], data: small)]).isEmpty)
        // Lamports into an account that is synced afterwards were wrapped: a limit of its own.
        #expect(
            try objections([
                .init(program: 4, accounts: [0, 7], data: small), .init(program: 5, accounts: [7], data: [17]),
            ]).contains { $0.contains("wrapped") })
        let stranger = SwapGuard(wallet: [UInt8](repeating: 1, count: 32))
        #expect(stranger.objections(to: try SolanaTransaction(swap())).count >= 2)
    }

    @Test("the same bytes are sent again until they landed or cannot any more")
    func resend() {
        func decide(_ confirmation: String?, _ height: UInt64, error: Bool = false) -> ResendRule {
            ResendRule.decide(confirmation: confirmation, hasError: error, height: height, lastValid: 100)
        }
        #expect(decide(nil, 90) == .resend && decide(nil, 100) == .resend && decide(nil, 101) == .expired)
        // Known to some: it may still land, whatever the height.
        #expect(decide("processed", 150) == .resend)
        #expect(decide("confirmed", 90) == .landed && decide("finalized", 500) == .landed)
        #expect(decide("confirmed", 90, error: true) == .failed)
    }

    @Test("what the broker's answers prove")
    func alpaca() throws {
        let order: JSONValue = [
            "id": "o1", "client_order_id": "p1", "symbol": "SPY", "side": "sell", "qty": "12", "filled_qty": "3",
            "status": "partially_filled", "submitted_at": "2026-11-20T15:00:00Z",
        ]
        guard case .accepted(let read) = Alpaca.verdict(status: 200, body: order) else {
            Issue.record("not accepted")
            return
        }
        #expect(read.filled == 3 && !read.isClosed && read.isEcho(symbol: "SPY", isSale: true, quantity: 12))
        #expect(!read.isEcho(symbol: "SPY", isSale: false, quantity: 12))
        #expect(
            Alpaca.verdict(status: 504, body: nil) == .unknown && Alpaca.verdict(status: 429, body: nil) == .unknown)
        #expect(
            Alpaca.verdict(status: 422, body: ["code": 40_010_001, "message": "client_order_id must be unique"])
                == .unknown)
        #expect(
            Alpaca.verdict(status: 403, body: ["code": 40_310_000, "message": "insufficient"])
                == .refused("insufficient"))
        #expect(Alpaca.verdict(status: 200, body: ["id": "x"]) == .unknown)
        // Two decimals from one dollar on, four below, against the order.
        func limit(_ price: String, isSale: Bool) -> JSONValue? {
            Alpaca.body(clientID: "p", symbol: "X", isSale: isSale, quantity: 1, limitPrice: dec(price))["limit_price"]
        }
        #expect(limit("10.001", isSale: false) == "10.01" && limit("10.009", isSale: true) == "10")
        #expect(limit("0.12341", isSale: false) == "0.1235")
        let update = Alpaca.TradeUpdate(json: [
            "stream": "trade_updates", "data": ["event": "fill", "order": ["client_order_id": "p1"]],
        ])
        #expect(update?.event == "fill" && update?.clientID == "p1")
    }

    @Test("what a swap moved is read from the balances before and after")
    func balances() {
        let meta: JSONValue = [
            "preTokenBalances": [
                ["mint": "A", "owner": "w", "uiTokenAmount": ["amount": "100"]],
                ["mint": "A", "owner": "x", "uiTokenAmount": ["amount": "7"]],
            ],
            "postTokenBalances": [
                ["mint": "A", "owner": "w", "uiTokenAmount": ["amount": "40"]],
                ["mint": "B", "owner": "w", "uiTokenAmount": ["amount": "9"]],
            ],
        ]
        #expect(Jupiter.change(of: "A", owner: "w", in: meta) == -60)
        #expect(Jupiter.change(of: "B", owner: "w", in: meta) == 9)
        #expect(Jupiter.change(of: "A", owner: "w", in: [:]) == nil)
        #expect(Jupiter.Execution(status: 504, body: nil) == .unknown)
    }
}

@Suite("Order machine")
struct OrderMachineTests {
    private func book(_ limits: ExecutionLimits) -> ExecutionBook {
        ExecutionBook(
            legs: [ExecutionLeg(asset: "A", isSale: true, quantity: 10, limitPrice: 20, reference: 20)], cash: 0,
            positions: ["A": 10], commission: CommissionSchedule(), limits: limits, identify: { "p\($0)-\($1)" })
    }

    @Test("a leg that closed short is sent again for the rest, at a worse price within the collar")
    func reprice() {
        var limits = ExecutionLimits()
        (limits.attempts, limits.repriceStep, limits.collar) = (3, dec("0.05"), dec("0.08"))
        var book = self.book(limits)
        #expect(book.next() == .record(.intent(leg: 0, attempt: 1, clientID: "p0-1", quantity: 10)))
        book.apply(.intent(leg: 0, attempt: 1, clientID: "p0-1", quantity: 10))
        book.apply(.accepted(clientID: "p0-1"))
        book.apply(.fill(clientID: "p0-1", fillID: "f1", quantity: 4, price: 20))
        book.apply(.cancelRequested(clientID: "p0-1", reason: "slow"))
        #expect(book.next() == .cancel(clientID: "p0-1"))
        book.noteAsked("p0-1")
        #expect(book.next() == .await(clientID: "p0-1"))
        // It fills while it is taken back.
        book.apply(.fill(clientID: "p0-1", fillID: "f2", quantity: 1, price: 20))
        book.apply(.closed(clientID: "p0-1", filled: 5))
        #expect(book.next() == .record(.intent(leg: 0, attempt: 2, clientID: "p0-2", quantity: 5)))
        #expect(limits.limitPrice(book.legs[0], attempt: 2) == 19)
        #expect(limits.limitPrice(book.legs[0], attempt: 3) == dec("18.4"))
    }

    @Test("stopped: a fresh intent ends unsent, an open order is taken back, an unknown one is asked for")
    func stop() {
        var fresh = self.book(ExecutionLimits())
        fresh.apply(.intent(leg: 0, attempt: 1, clientID: "p0-1", quantity: 10))
        fresh.apply(.stopped(reason: "kill"))
        #expect(fresh.next() == .record(.closed(clientID: "p0-1", filled: 0)))
        var open = self.book(ExecutionLimits())
        open.apply(.intent(leg: 0, attempt: 1, clientID: "p0-1", quantity: 10))
        open.apply(.accepted(clientID: "p0-1"))
        open.apply(.stopped(reason: "kill"))
        #expect(open.next() == .record(.cancelRequested(clientID: "p0-1", reason: "kill")))
        var unknown = self.book(ExecutionLimits())
        unknown.apply(.intent(leg: 0, attempt: 1, clientID: "p0-1", quantity: 10))
        unknown.apply(.unanswered(clientID: "p0-1"))
        unknown.apply(.stopped(reason: "kill"))
        #expect(unknown.next() == .lookup(clientID: "p0-1"))
    }

    @Test("limits of order, plan, day and collar refuse, and say by how much")
    func limits() {
        func reason(_ change: (inout ExecutionLimits) -> Void) -> String? {
            var limits = ExecutionLimits()
            change(&limits)
            guard case .record(.skipped(_, let reason)) = self.book(limits).next() else { return nil }
            return reason
        }
        #expect(reason { _ in } == nil)
        #expect(reason { $0.order = 199 }?.contains("200 is beyond the limit of 199") == true)
        #expect(reason { $0.order = 200 } == nil)
        #expect(reason { $0.plan = 150 }?.contains("plan") == true)
        #expect(reason { ($0.day, $0.spentToday) = (1000, 801) }?.contains("1001") == true)
        var limits = ExecutionLimits()
        limits.collar = dec("0.01")
        let leg = ExecutionLeg(asset: "A", isSale: true, quantity: 1, limitPrice: 19, reference: 20)
        let strict = ExecutionBook(
            legs: [leg], cash: 0, positions: ["A": 1], commission: CommissionSchedule(), limits: limits,
            identify: { "\($0)\($1)" })
        guard case .record(.skipped(_, let said)) = strict.next() else {
            Issue.record("sent")
            return
        }
        #expect(said.contains("further than 1 %"))
    }

    @Test("every event survives the log")
    func log() {
        let events: [ExecutionEvent] = [
            .intent(leg: 1, attempt: 2, clientID: "p", quantity: dec("1.5")), .accepted(clientID: "p"),
            .rejected(clientID: "p", reason: "no"), .unanswered(clientID: "p"), .absent(clientID: "p"),
            .fill(clientID: "p", fillID: "f", quantity: 2, price: dec("3.25")), .closed(clientID: "p", filled: 2),
            .skipped(leg: 0, reason: "small"), .halted(reason: "odd"), .stopped(reason: "kill"),
            .cancelRequested(clientID: "p", reason: "slow"),
        ]
        for event in events { #expect(ExecutionEvent(json: event.json) == event) }
        #expect(ExecutionEvent(json: ["event": "fill", "id": "p"]) == nil && ExecutionEvent(json: [:]) == nil)
    }
}
