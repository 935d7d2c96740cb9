import Foundation
import MarketData
import TestSupport
import Testing
import WireFormat

@Suite struct `Pyth accounts` {
    @Test(.enabled(if: Fixture.isAvailable("pyth-accounts"), "no ../shared"), arguments: Fixture.cases("pyth-accounts"))
    func `every recorded account is decoded to its last field`(_ fixture: Fixture) throws {
        let text = String(decoding: try fixture.body(), as: UTF8.self).filter { !$0.isWhitespace }
        let bytes = [UInt8](try #require(Data(base64Encoded: text)))
        #expect(bytes.count == fixture.expected["bytes"]?.intValue)
        let decoded = try #require(fixture.expected["decoded"])
        if decoded["kind"]?.stringValue == "legacy_price_account" {
            try check(try #require(PythnetPriceAccount(bytes)), decoded, fixture)
        } else {
            try check(try #require(PriceUpdateV2(bytes)), decoded)
        }
    }

    private func check(_ update: PriceUpdateV2, _ decoded: JSONValue) throws {
        #expect(update.writeAuthority == decoded["write_authority"]?.stringValue)
        switch update.verification {
        case .full: #expect(decoded["verification"]?.stringValue == "full")
        case .partial(let signatures): #expect(decoded["verification"]?["partial"]?.intValue == Int(signatures))
        }
        #expect(update.feedID == decoded["feed_id"]?.stringValue)
        #expect(String(update.rawPrice) == decoded["price_raw"]?.stringValue)
        #expect(String(update.rawConfidence) == decoded["conf_raw"]?.stringValue)
        #expect(Int(update.exponent) == decoded["expo"]?.intValue)
        #expect(update.price == decimal(decoded["price"]) && update.price != nil)
        #expect(update.price?.description == decoded["price"]?.stringValue)
        #expect(update.confidence == decimal(decoded["conf"]) && update.confidence != nil)
        #expect(update.publishTime.isoString == decoded["publish_time"]?.stringValue)
        #expect(update.previousPublishTime.isoString == decoded["prev_publish_time"]?.stringValue)
        #expect(update.emaPrice == decimal(decoded["ema_price"]) && update.emaPrice != nil)
        #expect(update.emaConfidence == decimal(decoded["ema_conf"]) && update.emaConfidence != nil)
        #expect(Int(update.postedSlot) == decoded["posted_slot"]?.intValue)
        let basisPoints = try #require(decoded["conf_bps"]?.doubleValue)
        #expect(abs(update.confidenceBasisPoints - basisPoints) < 5e-5)
    }

    private func check(_ account: PythnetPriceAccount, _ decoded: JSONValue, _ fixture: Fixture) throws {
        let integers: [(Int, String)] = [
            (Int(account.version), "version"), (Int(account.accountType), "account_type"), (Int(account.size), "size"),
            (Int(account.exponent), "expo"), (Int(account.componentPrices), "num_component_prices"),
            (Int(account.quoters), "num_quoters"), (Int(account.lastSlot), "last_slot"),
            (Int(account.validSlot), "valid_slot"), (Int(account.minimumPublishers), "min_publishers"),
            (Int(account.maximumLatency), "max_latency_slots"), (Int(account.previousSlot), "prev_slot"),
            (Int(account.publishedSlot), "pub_slot"),
        ]
        for (value, name) in integers { #expect(value == decoded[name]?.intValue, "\(name)") }
        let decimals: [(DecimalNumber?, String)] = [
            (account.decimal(account.rawEMAPrice), "ema_price"),
            (account.decimal(account.rawEMAConfidence), "ema_conf"),
            (account.decimal(account.rawPreviousPrice), "prev_price"),
            (account.decimal(account.rawPreviousConfidence), "prev_conf"),
            (account.decimal(account.rawPrice), "price"), (account.decimal(account.rawConfidence), "conf"),
        ]
        for (value, name) in decimals { #expect(value != nil && value == decimal(decoded[name]), "\(name)") }
        #expect(account.timestamp.isoString == decoded["timestamp"]?.stringValue)
        #expect(account.productAccount == decoded["product_account"]?.stringValue)
        #expect(account.isTrading == (decoded["status"]?.stringValue == "trading"))
        let lastGood = UInt64(try #require(fixture.expected["stale_if_context_slot_above"]?.intValue))
        #expect(account.price(atSlot: lastGood) == decimal(decoded["price"]))
        #expect(account.price(atSlot: lastGood + 1) == nil)
    }

    @Test func `a foreign, short or oddly verified account is not decoded`() {
        let good = PriceAccountBytes()
        #expect(PriceUpdateV2(good.bytes) != nil)
        #expect(PriceUpdateV2(Array(good.bytes.dropLast())) == nil)
        #expect(PriceUpdateV2([0] + good.bytes.dropFirst()) == nil)
        var odd = good.bytes
        odd[40] = 2
        #expect(PriceUpdateV2(odd) == nil)
        var late = good
        late.publishTime = .max
        #expect(PriceUpdateV2(late.bytes) == nil)
        var wide = good
        wide.exponent = 39
        #expect(PriceUpdateV2(wide.bytes) == nil)
    }

    @Test func `base 58 keeps leading zeros and refuses other letters`() {
        #expect(Base58.encode([0, 0, 1, 255]) == "119p")
        #expect(Base58.decode("119p") == [0, 0, 1, 255])
        #expect(Base58.decode("0OIl") == nil)
        #expect(Base58.isAddress(ClockSysvar.address))
        #expect(!Base58.isAddress("7Avi"))
    }
}

@Suite struct `Solana RPC` {
    @Test(.enabled(if: Fixture.isAvailable("solana-rpc"), "no ../shared"), arguments: Fixture.cases("solana-rpc"))
    func `every recorded answer is read as expected`(_ fixture: Fixture) throws {
        let answer = try fixture.answer()
        let rows = fixture.expected["rows"]?.arrayValue ?? []
        do throws(SourceFailure) {
            if fixture.file.hasPrefix("batch") {
                let results = try SolanaRPC.results(answer)
                try checkBatch(results, rows)
                return
            }
            let result = try SolanaRPC.result(answer)
            if let slot = fixture.expected["context_slot"]?.intValue {
                #expect(try SolanaRPC.slot(of: result) == UInt64(slot))
            }
            try check(fixture, result, rows)
        } catch {
            fixture.check(error)
        }
    }

    private func checkBatch(
        _ results: [Int: Result<JSONValue, SourceFailure>], _ rows: [JSONValue]
    ) throws(SourceFailure) {
        #expect(results.count == rows.count)
        for row in rows {
            let result = results[row["id"]?.intValue ?? -1]
            if let name = row["error_class"]?.stringValue {
                guard case .failure(let failure) = result else {
                    Issue.record("no failure")
                    continue
                }
                #expect(failure.errorClass.rawValue == name)
                #expect(failure.errorClass.isRetryable == row["retryable"]?.boolValue)
            } else if let slot = row["slot"]?.intValue {
                #expect(try result?.get().intValue == slot)
            } else {
                let seconds = try result?.get().intValue
                #expect(
                    seconds.map { UTCTimestamp(secondsSinceEpoch: Int64($0)).isoString }
                        == row["block_time"]?.stringValue)
            }
        }
    }

    private func check(_ fixture: Fixture, _ result: JSONValue, _ rows: [JSONValue]) throws(SourceFailure) {
        switch fixture.file {
        case "getMultipleAccounts-pyth.json":
            let accounts = try SolanaRPC.accounts(of: result)
            #expect(
                accounts.indices.filter { accounts[$0] == nil }
                    == fixture.expected["missing"]?.arrayValue?.map { $0.intValue })
            for row in rows {
                let update = accounts[row["index"]?.intValue ?? 0].flatMap { PriceUpdateV2($0.data) }
                #expect(update?.price?.description == row["price"]?.stringValue)
                #expect(update?.confidence?.description == row["conf"]?.stringValue)
                #expect(update?.publishTime.isoString == row["publish_time"]?.stringValue)
                #expect(update.map { Int($0.postedSlot) } == row["posted_slot"]?.intValue)
            }
        case "getMultipleAccounts-clock-torn.json":
            let accounts = try SolanaRPC.accounts(of: result)
            let decoded = fixture.expected["decoded"]
            let first = accounts.first?.flatMap { ClockSysvar($0.data) }
            #expect(first.map { Int($0.slot) } == decoded?["first_clock_slot"]?.intValue)
            #expect(
                accounts.last?.flatMap { ClockSysvar($0.data) }.map { Int($0.slot) }
                    == decoded?["last_clock_slot"]?.intValue)
            #expect(
                first.map { UTCTimestamp(secondsSinceEpoch: $0.unixTimestamp).isoString }
                    == decoded?["clock_unix_timestamp"]?.stringValue)
            do {
                let answer = try fixture.answer()
                let source = try pyth([Self.usdc])
                let request = try #require(source.plan("accounts-0", from: nil, now: Fixture.lateEnough))
                guard case .failure(let failure) = source.read(answer, to: request) else {
                    Issue.record("a torn read was accepted")
                    return
                }
                fixture.check(failure)
            } catch { Issue.record(error) }
        case "getTokenSupply.json":
            checkAmount(try SolanaRPC.supply(of: result), rows.first)
        case "getTokenLargestAccounts.json":
            let accounts = try SolanaRPC.largestAccounts(of: result)
            #expect(accounts.map { $0.address } == rows.map { $0["address"]?.stringValue })
            #expect(accounts.map { String($0.amount.amount) } == rows.map { $0["amount"]?.stringValue })
        case "getTokenAccountsByOwner.json":
            let holdings = try SolanaRPC.holdings(of: result)
            #expect(holdings.map(\.account) == rows.map { $0["account"]?.stringValue })
            #expect(holdings.map(\.mint) == rows.map { $0["mint"]?.stringValue })
            #expect(holdings.map(\.owner) == rows.map { $0["owner"]?.stringValue })
            for (holding, row) in zip(holdings, rows) { checkAmount(holding.amount, row) }
        case "getAccountInfo-null.json":
            #expect(try SolanaRPC.account(of: result) == nil)
        default:
            Issue.record("no check for \(fixture.file)")
        }
    }

    private func checkAmount(_ amount: TokenAmount, _ row: JSONValue?) {
        #expect(String(amount.amount) == row?["amount"]?.stringValue)
        #expect(amount.decimals == row?["decimals"]?.intValue)
        #expect(amount.value == decimal(row?["ui"]) && amount.value != nil)
    }

    private static let usdc: (String, String) = ("USDC-USD", "6HAuqASbHEh4w4REJEUUUCginTLfj1kwCh215ZLtMkrT")
    private static let sol: (String, String) = ("SOL-USD", "7AviUf9nL62mcxNbQGKm4nKDQnPjswo6c5MX4D57HmyE")

    private func pyth(_ feeds: [(String, String)], extra: [(String, JSONValue)] = []) throws -> PythSource {
        let accounts = feeds.map {
            JSONValue.object(JSONObject([("symbol", .string($0.0)), ("address", .string($0.1))]))
        }
        return try source(PythSource.self, .object(JSONObject([("accounts", .array(accounts))] + extra)))
    }

    private func read(
        _ source: PythSource, _ accounts: [String], slot: Int = 1_000,
        clocks: (Int64, Int64) = (1_700_000_030, 1_700_000_030),
        seen: String? = nil
    ) throws -> Result<SourcePage, SourceFailure> {
        let request = try #require(source.plan("accounts-0", from: seen, now: Fixture.lateEnough))
        let body = SolanaAnswers.multipleAccounts(
            slot: slot, [SolanaAnswers.clock(time: clocks.0)] + accounts + [SolanaAnswers.clock(time: clocks.1)])
        return source.read(SourceAnswer(body: Array(body.utf8), now: Fixture.lateEnough), to: request)
    }

    @Test func `a full update becomes a row of its second, exact`() throws {
        let page = try read(try pyth([Self.sol]), [SolanaAnswers.account(PriceAccountBytes().bytes)]).get()
        #expect(page.bars.map(\.price.description) == ["102.59321149"])
        #expect(page.bars.map(\.start.isoString) == ["2023-11-14T22:13:20Z"])
        #expect(page.bars.first?.volume == nil)
        #expect(page.position == "1000")
    }

    @Test func `owner, form, feed, verification and confidence are checked in this order`() throws {
        let feed: JSONValue = [
            "accounts": [
                [
                    "symbol": "SOL-USD", "address": .string(Self.sol.1),
                    "feed_id": .string(String(repeating: "ab", count: 32)),
                ]
            ]
        ]
        let strict = try source(PythSource.self, feed)
        var good = PriceAccountBytes()
        good.feed = [UInt8](repeating: 0xab, count: 32)
        func rule(_ account: String) throws -> HardRule? {
            try read(strict, [account]).get().quarantined.first?.rule
        }
        #expect(try rule(SolanaAnswers.account(good.bytes)) == nil)
        #expect(try rule(SolanaAnswers.account(good.bytes, owner: "11111111111111111111111111111112")) == .wrongOwner)
        #expect(
            try rule(SolanaAnswers.account(good.bytes, owner: "rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ")) == nil)
        #expect(try rule(SolanaAnswers.account(Array(good.bytes.dropLast()))) == .wrongAccountForm)
        #expect(try rule(SolanaAnswers.account(PriceAccountBytes().bytes)) == .wrongFeed)
        var other = good
        other.signatures = 5
        #expect(try rule(SolanaAnswers.account(other.bytes)) == .partialVerification)
        other = good
        other.confidence = UInt64(good.price / 10)
        #expect(try rule(SolanaAnswers.account(other.bytes)) == .confidenceTooWide)
        other = good
        other.price = 0
        #expect(try rule(SolanaAnswers.account(other.bytes)) == .priceNotPositive)
    }

    @Test func `wide confidence and tolerated partial verification are marked`() throws {
        var account = PriceAccountBytes()
        account.confidence = UInt64(account.price / 50)
        account.signatures = 5
        let source = try pyth([Self.sol], extra: [("accept_partial", true), ("interval", "1m")])
        let page = try read(source, [SolanaAnswers.account(account.bytes)]).get()
        #expect(page.bars.first?.quality == [.wideConfidence, .partialVerification, .sampled])
        #expect(page.bars.first?.start.isoString == "2023-11-14T22:13:00Z")
    }

    @Test func `stale and absent feeds are dropped, not stored`() throws {
        let source = try pyth([Self.sol, Self.usdc])
        let late = 1_700_000_000 + 181 as Int64
        let page = try read(source, [SolanaAnswers.account(PriceAccountBytes().bytes), "null"], clocks: (late, late))
            .get()
        #expect(page.bars.isEmpty)
        #expect(page.dropped.map(\.reason) == [.stale, .absent])
    }

    @Test func `a torn read and an answer of an older node are asked again`() throws {
        let source = try pyth([Self.sol])
        let account = SolanaAnswers.account(PriceAccountBytes().bytes)
        func failure(_ result: Result<SourcePage, SourceFailure>) -> SourceErrorClass? {
            if case .failure(let failure) = result { failure.errorClass } else { nil }
        }
        #expect(failure(try read(source, [account], clocks: (1_700_000_030, 1_700_000_031))) == .notReady)
        #expect(failure(try read(source, [account], slot: 999, seen: "1000")) == .notReady)
        #expect(failure(try read(source, [account], slot: 1_000, seen: "1000")) == nil)
        #expect(failure(try read(source, [])) == .schema)
    }

    @Test func `the request carries the clock at both ends and the slot seen`() throws {
        let request = try #require(try pyth([Self.sol]).plan("accounts-0", from: "77", now: Fixture.lateEnough))
        guard case .post(_, let body) = request.target else { throw SourceFailure(.schema, "no POST") }
        let parameters = try StrictJSON.parse(body)["params"]
        #expect(parameters?[0] == JSONValue([ClockSysvar.address, Self.sol.1, ClockSysvar.address]))
        #expect(parameters?[1]?["minContextSlot"]?.intValue == 77)
        #expect(parameters?[1]?["encoding"]?.stringValue == "base64")
    }

    @Test(arguments: [
        (-32_005, SourceErrorClass.nodeUnhealthy), (-32_016, .notReady), (-32_009, .slotSkipped), (-32_602, .clientBug),
        (-32_010, .unsupported), (-32_011, .notAvailable), (-32_019, .upstream), (-32_603, .upstream),
        (429, .rateLimited),
    ])
    func `error numbers have their class`(_ code: Int, _ expected: SourceErrorClass) {
        #expect(SolanaRPC.errorClass(code) == expected)
    }
}
