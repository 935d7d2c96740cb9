public import WireFormat

/// Pyth's price feed accounts, read from any Solana RPC node by `getMultipleAccounts`: keyless oracle prices.
///
/// Parameters: `accounts` (`{"symbol":"SOL-USD","address":"7Avi...","feed_id":"ef0d..."}`; the feed is checked when given),
/// `url`, `interval` (`1s`: a row for each publication; longer: the latest price of the running interval), `commitment`
/// (`confirmed`), `accept_partial` (false), `maximum_age_s` (180).
/// The clock is asked for first and last: a torn read and an answer from an older slot are both asked again.
public struct PythSource: MarketDataSource {
    public static let id = "pyth"
    /// The public endpoint allows 40 calls of one method in ten seconds.
    public static let manners = SourceManners(requestsPerSecond: 3, burst: 5)

    /// The receiver program before and since the upgrade of 2026-08-18.
    static let receivers: Set<String> = [
        "rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ", "rec2HHDDnjLfj4kE7VyEtFA1HPGQLK33259532cRyHp",
    ]
    /// 100 keys a call, two of them the clock.
    private static let accountsPerCall = 98
    private static let flagBasisPoints = 100.0
    private static let refuseBasisPoints = 500.0

    struct Feed: Sendable, Equatable {
        var symbol: String
        var address: String
        var feedID: String?
    }

    private let feeds: [Feed]
    private let url: String
    private let interval: BarInterval
    private let commitment: String
    private let acceptsPartial: Bool
    private let maximumAge: Int64

    public init?(parameters: MemberReader) {
        var feeds: [Feed] = []
        for (place, element) in parameters.elements("accounts", required: true, count: 1...1_000) ?? [] {
            let reader = MemberReader(element, at: place, faults: parameters.faults)
            let symbol = reader.string("symbol", required: true) ?? ""
            let address = reader.string("address", required: true) ?? ""
            let feedID = reader.string("feed_id", maximumLength: 66)?.lowercased()
            reader.finish()
            guard BarRules.isSymbol(symbol), Base58.isAddress(address) else {
                parameters.faults.record(
                    Violation(place, .badFormat, "Expected a symbol and an account address in base 58."))
                continue
            }
            feeds.append(
                Feed(
                    symbol: symbol, address: address,
                    feedID: feedID.map { $0.hasPrefix("0x") ? String($0.dropFirst(2)) : $0 }))
        }
        let url = parameters.string("url") ?? "https://api.mainnet-beta.solana.com"
        let interval = parameters.barInterval("interval") ?? .second
        let commitment = parameters.string("commitment", maximumLength: 16) ?? "confirmed"
        if !["confirmed", "finalized"].contains(commitment) {
            parameters.faults.record(
                Violation(parameters.pointer.appending("commitment"), .unknownValue, "Expected confirmed or finalized.")
            )
        }
        let acceptsPartial = parameters.bool("accept_partial") ?? false
        let maximumAge = parameters.int("maximum_age_s", in: 1...31_536_000) ?? 180
        guard parameters.isValid else { return nil }
        self.feeds = feeds
        self.url = url
        self.interval = interval
        self.commitment = commitment
        self.acceptsPartial = acceptsPartial
        self.maximumAge = Int64(maximumAge)
    }

    public var inputs: SourceInputs {
        .items((0..<(feeds.count + Self.accountsPerCall - 1) / Self.accountsPerCall).map { "accounts-\($0)" })
    }

    private func feeds(of item: String) -> ArraySlice<Feed> {
        let index = item.split(separator: "-").last.flatMap { Int($0) } ?? 0
        return feeds.dropFirst(index * Self.accountsPerCall).prefix(Self.accountsPerCall)
    }

    /// The checkpoint is the highest slot seen: an answer from before it is an older node's.
    public func plan(_ item: String, from position: String?, now: UTCTimestamp) -> SourceRequest? {
        let keys = [ClockSysvar.address] + feeds(of: item).map { $0.address } + [ClockSysvar.address]
        var options: [(String, JSONValue)] = [("encoding", "base64"), ("commitment", .string(commitment))]
        if let slot = position.flatMap({ Int($0) }) { options.append(("minContextSlot", JSONValue(slot))) }
        let body = SolanaRPC.call("getMultipleAccounts", [JSONValue(keys), .object(JSONObject(options))])
        return SourceRequest(item: item, target: .post(url: url, body: body), context: position ?? "")
    }

    public func next(after page: SourcePage, of request: SourceRequest) -> SourceRequest? { nil }

    public func classify(_ answer: SourceAnswer, to request: SourceRequest) -> AnswerClass {
        do throws(SourceFailure) {
            _ = try snapshot(answer, request)
            return .rows
        } catch {
            return .failed(error)
        }
    }

    public func parse(_ answer: SourceAnswer, to request: SourceRequest) throws(SourceFailure) -> SourcePage {
        let snapshot = try snapshot(answer, request)
        var page = SourcePage()
        let rules = BarRules(now: UTCTimestamp(secondsSinceEpoch: snapshot.clock.unixTimestamp))
        for (feed, account) in zip(feeds(of: request.item), snapshot.accounts) {
            guard let account else {
                page.dropped.append(DroppedRow(symbol: feed.symbol, start: nil, reason: .absent))
                continue
            }
            do throws(RuleBreach) {
                let update = try check(account, feed)
                if snapshot.clock.unixTimestamp - update.publishTime.secondsSinceEpoch > maximumAge {
                    page.dropped.append(DroppedRow(symbol: feed.symbol, start: update.publishTime, reason: .stale))
                } else {
                    page.bars.append(try rules.check(bar(update, feed)))
                }
            } catch {
                page.quarantined.append(error.row)
            }
        }
        page.position = String(snapshot.slot)
        return page
    }

    private struct Snapshot {
        var slot: UInt64
        var clock: ClockSysvar
        var accounts: ArraySlice<SolanaAccount?>
    }

    private func snapshot(_ answer: SourceAnswer, _ request: SourceRequest) throws(SourceFailure) -> Snapshot {
        let result = try SolanaRPC.result(answer)
        let slot = try SolanaRPC.slot(of: result)
        let accounts = try SolanaRPC.accounts(of: result)
        guard accounts.count == feeds(of: request.item).count + 2 else {
            throw SourceFailure(
                .schema, "\(accounts.count) accounts for \(feeds(of: request.item).count + 2) addresses")
        }
        guard let first = accounts.first?.flatMap({ ClockSysvar($0.data) }),
            let last = accounts.last?.flatMap({ ClockSysvar($0.data) })
        else { throw SourceFailure(.schema, "the clock account is absent or malformed") }
        guard first == last else {
            throw SourceFailure(.notReady, "the read is torn between slots \(first.slot) and \(last.slot)")
        }
        if let seen = UInt64(request.context), slot < seen {
            throw SourceFailure(.notReady, "the node is at slot \(slot), behind \(seen)")
        }
        return Snapshot(slot: slot, clock: first, accounts: accounts.dropFirst().dropLast())
    }

    /// Owner, form, verification, feed, confidence: in this order.
    private func check(_ account: SolanaAccount, _ feed: Feed) throws(RuleBreach) -> PriceUpdateV2 {
        func breach(_ rule: HardRule, _ update: PriceUpdateV2? = nil) -> RuleBreach {
            var raw: [(String, JSONValue)] = [
                ("address", .string(feed.address)), ("owner", .string(account.owner)),
                ("data", .string(account.data.prefix(256).map { $0 }.hexadecimal)),
            ]
            if let price = update?.price { raw.append(("price", .string(price.description))) }
            return RuleBreach(
                row: QuarantinedRow(
                    symbol: feed.symbol, start: update?.publishTime, rule: rule, raw: .object(JSONObject(raw))))
        }
        guard Self.receivers.contains(account.owner) else { throw breach(.wrongOwner) }
        guard let update = PriceUpdateV2(account.data) else { throw breach(.wrongAccountForm) }
        if case .partial = update.verification, !acceptsPartial { throw breach(.partialVerification, update) }
        if let expected = feed.feedID, update.feedID != expected { throw breach(.wrongFeed, update) }
        if update.rawPrice > 0, update.confidenceBasisPoints > Self.refuseBasisPoints {
            throw breach(.confidenceTooWide, update)
        }
        return update
    }

    private func bar(_ update: PriceUpdateV2, _ feed: Feed) -> RawBar {
        var raw = RawBar(
            symbol: feed.symbol, interval: interval, start: interval.floor(update.publishTime),
            price: update.price?.description ?? "")
        if case .partial = update.verification { raw.quality.insert(.partialVerification) }
        if update.confidenceBasisPoints > Self.flagBasisPoints { raw.quality.insert(.wideConfidence) }
        if interval.seconds > 1 { raw.quality.insert(.sampled) }
        return raw
    }
}
